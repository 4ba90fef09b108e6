#pragma once

#include <atomic>
#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "runtime/base/thread_group.hpp"
#include "runtime/cluster/hello.hpp"
#include "runtime/cluster/link_register.hpp"
#include "runtime/cluster/link_socket.hpp"
#include "runtime/security/credentials.hpp"

namespace troupe::cluster {

/// The node that was to be reached says that it has the dialler's own id.
struct duplicate_node : link_error {
  using link_error::link_error;
};

/// Who this process is to the other end of a link.
struct link_self {
  security::identity who;
  incarnation life{0};  // 0: an operator, or a node that has not joined yet.
  /// Without: no TLS, and nobody is who he says he is.
  std::shared_ptr<security::credentials> credentials;
  std::string token;  // Without TLS: shown when dialling, asked for when accepting. Empty: none.
  /// Where this node's links are to be found. Null: nowhere, and they may be silent for ever.
  std::shared_ptr<link_register> links{};
};

/// What a listener lets in.
struct link_door {
  link_self self;
  caf::actor root;  // What peers get.
  /// The only messages that an operator may send, to `root`: `(operator_word, text)`.
  caf::atom_value operator_word{};
  /// Why a node may not have a link, by its id and incarnation; empty: it may.
  std::function<std::string(const std::string& id, incarnation life)> objection;
};

/// Accepts connections and hands each, once its peer has proved who it is, to CAF. CAF's own
/// publish and connect are not used: they have no time limit and no check before the protocol.
class link_listener {
 public:
  /// Binds at once. Throws link_error.
  link_listener(caf::actor_system& system, const std::string& host, std::uint16_t port,
                link_door door);
  /// Links that stand go on.
  ~link_listener();
  link_listener(const link_listener&) = delete;
  link_listener& operator=(const link_listener&) = delete;

  std::uint16_t port() const { return port_; }
  /// Links that stand now.
  int links() const { return *links_; }

  /// Connections that may be proving who they are at a time; when one more comes, the oldest must
  /// go. So silent ones, however many, keep nobody out.
  static constexpr std::size_t greetings_max = 64;
  static constexpr int links_max = 256;

 private:
  void accept_all();
  void greet(int fd);
  void greet_on_this_thread(int fd);
  void strike_off(int fd);
  void welcome(link_socket& link);
  std::string objection_to(const hello& h, const link_socket& link) const;
  void hand_over(link_socket& link, const hello& h);

  caf::actor_system& system_;
  const link_door door_;
  const std::string operator_content_;
  int socket_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  const std::shared_ptr<std::atomic<int>> links_ = std::make_shared<std::atomic<int>>(0);
  std::mutex mutex_;
  std::condition_variable idle_;
  std::list<int> greetings_;  // Sockets of those who have not proved who they are; oldest first.
  std::size_t threads_ = 0;
  thread_group greeters_;
  std::thread thread_;
};

/// Where a node is, and which.
struct link_target {
  std::string host;
  std::uint16_t port = 0;
  std::string node;     // Its id,
  incarnation life{0};  // and its life, by which the link can be found; 0: not important.
};

/// From `host:port`, as addresses stand in the database.
link_target link_target_of(const std::string& address, const std::string& node);

/// Connects to a node and returns its root actor. Throws link_error: refused, silent, another
/// node, another cluster, another version, without TLS or with a certificate that proves nothing.
caf::actor dial(caf::actor_system& system, const link_target& target, const link_self& self,
                std::chrono::milliseconds limit);

}  // namespace troupe::cluster
