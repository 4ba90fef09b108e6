#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace troupe::test {

/// A listening socket at 127.0.0.1; port 0: a free one. Throws when it cannot be.
int listen_on_loopback(int port);

/// Forwards loopback connections to a server, and fails on command: cuts, holds, refuses.
class tcp_proxy {
 public:
  /// Listens on a free port of 127.0.0.1.
  explicit tcp_proxy(int server_port);
  /// Takes over a listening socket, such as one of another network namespace.
  tcp_proxy(int server_port, int listener);
  ~tcp_proxy();
  tcp_proxy(const tcp_proxy&) = delete;
  tcp_proxy& operator=(const tcp_proxy&) = delete;

  int port() const { return port_; }

  /// Closes all connections, both sides.
  void cut();
  /// New connections are closed at once while set.
  void refuse(bool on);
  /// Nothing is forwarded in either direction while set, though all stays connected.
  void hold(bool on);
  /// The next request that contains `marker` reaches the server, and the server's answer is waited
  /// for; but instead of being forwarded it is discarded and the connection closed on both sides.
  void cut_after_request(std::string marker);
  /// The next request that contains `marker` is discarded and the connection closed on both sides.
  void cut_before_request(std::string marker);

 private:
  struct link;
  enum class fault { none, cut_before, cut_after };

  void accept_all();
  void forward(link& l);
  bool pass_request(link& l);
  bool pass_answer(link& l);
  bool wait_while_held();
  fault fault_of(const std::string& bytes);

  const int server_port_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::unique_ptr<link>> links_;
  fault fault_ = fault::none;
  std::string marker_;
  bool refusing_ = false;
  bool held_ = false;
  bool stopping_ = false;
  std::thread acceptor_;
};

}  // namespace troupe::test
