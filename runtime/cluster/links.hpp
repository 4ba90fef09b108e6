#pragma once

#include <atomic>
#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

namespace troupe::cluster {

/// An address that cannot be used; the text names it and the remedy.
struct link_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Accepts connections and hands each, once its hello has been checked, to CAF, which gives the
/// peer `root`. CAF's own publish and connect are not used: they have no time limit and no check
/// before the protocol.
class link_listener {
 public:
  /// Binds at once. Throws link_error.
  link_listener(caf::actor_system& system, const std::string& host, std::uint16_t port,
                std::string cluster, caf::actor root);
  ~link_listener();
  link_listener(const link_listener&) = delete;
  link_listener& operator=(const link_listener&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  void accept_all();
  void greet(int socket);
  void welcome(int socket);

  caf::actor_system& system_;
  const std::string cluster_;
  const caf::actor root_;
  int socket_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> greetings_{0};  // Threads that wait for a hello.
  std::thread thread_;
};

/// Connects to a node and returns its root actor. Throws link_error: refused, silent, another
/// cluster, another version.
caf::actor dial(caf::actor_system& system, const std::string& host, std::uint16_t port,
                const std::string& cluster, std::chrono::milliseconds limit);

}  // namespace troupe::cluster
