#include "runtime/cluster/links.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <caf/io/basp_broker.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "runtime/base/log.hpp"

namespace troupe::cluster {

namespace {

using namespace std::chrono_literals;
using deadline = std::chrono::steady_clock::time_point;

constexpr std::string_view hello_version = "troupe/1 ";
constexpr std::size_t hello_size = 128;  // Fixed, padded with NUL: one read tells.
constexpr auto hello_limit = 1000ms;

/// A file descriptor that closes itself unless it is handed on.
class unique_socket {
 public:
  explicit unique_socket(int fd) : fd_(fd) {}
  ~unique_socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  unique_socket(const unique_socket&) = delete;
  unique_socket& operator=(const unique_socket&) = delete;
  int get() const { return fd_; }
  int hand_on() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string address_text(const std::string& host, std::uint16_t port) {
  return host + ':' + std::to_string(port);
}

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    throw link_error(host + ": not an IPv4 address");
  return address;
}

void set_options(int fd) {
  const int on = 1, idle = 1, interval = 1, count = 3, unacknowledged_ms = 3000;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

bool wait_for(int fd, short events, deadline until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
  pollfd p{fd, events, 0};
  return left.count() > 0 && ::poll(&p, 1, static_cast<int>(left.count())) == 1;
}

std::array<char, hello_size> make_hello(std::string_view cluster) {
  std::array<char, hello_size> bytes{};
  const auto text = std::string(hello_version) + std::string(cluster);
  std::memcpy(bytes.data(), text.data(), std::min(text.size(), hello_size - 1));
  return bytes;
}

bool send_hello(int fd, std::string_view text) {
  const auto bytes = make_hello(text);
  return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

/// The peer's hello, or nothing when it does not come in time.
std::optional<std::string> read_hello(int fd, deadline until) {
  std::array<char, hello_size> bytes{};
  std::size_t got = 0;
  while (got < bytes.size()) {
    if (!wait_for(fd, POLLIN, until)) return std::nullopt;
    const auto n = ::recv(fd, bytes.data() + got, bytes.size() - got, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return std::nullopt;
    if (n > 0) got += static_cast<std::size_t>(n);
  }
  bytes.back() = 0;
  return std::string(bytes.data());
}

std::string peer_of(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "?";
  std::array<char, INET_ADDRSTRLEN> host{};
  ::inet_ntop(AF_INET, &address.sin_addr, host.data(), host.size());
  return address_text(host.data(), ntohs(address.sin_port));
}

caf::io::scribe_ptr adopt(caf::actor_system& system, int fd) {
  return static_cast<caf::io::network::multiplexer&>(system.middleman().backend()).new_scribe(fd);
}

caf::actor basp(caf::actor_system& system) {
  return system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
}

}  // namespace

link_listener::link_listener(caf::actor_system& system, const std::string& host, std::uint16_t port,
                             std::string cluster, caf::actor root)
    : system_(system), cluster_(std::move(cluster)), root_(std::move(root)) {
  unique_socket s(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(s.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto address = address_of(host, port);
  const auto bound = [&] {
    return ::bind(s.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
           ::listen(s.get(), 256) == 0;
  };
  // A predecessor that was killed a moment ago may still be on its way out.
  const auto until = std::chrono::steady_clock::now() + 2s;
  bool fine = bound();
  while (!fine && errno == EADDRINUSE && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(20ms);
    fine = bound();
  }
  if (!fine)
    throw link_error("cannot listen on " + address_text(host, port) + ": " + std::strerror(errno) +
                     " (is another node running? stop it, or set admin.port in the node's config)");
  socklen_t size = sizeof address;
  ::getsockname(s.get(), reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  socket_ = s.hand_on();
  thread_ = std::thread([this] { accept_all(); });
}

link_listener::~link_listener() {
  stopping_ = true;
  ::shutdown(socket_, SHUT_RDWR);
  thread_.join();
  ::close(socket_);
  while (greetings_ > 0) std::this_thread::sleep_for(1ms);  // Each ends with its hello's limit.
}

void link_listener::accept_all() {
  while (!stopping_) {
    const int fd = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
      greet(fd);
    else if (!stopping_ && errno != EINTR)
      std::this_thread::sleep_for(50ms);  // Out of descriptors: others may close some.
  }
}

/// A silent peer holds nobody up; so many of them at once are turned away.
void link_listener::greet(int socket) {
  constexpr int greetings_max = 64;
  if (greetings_ >= greetings_max) {
    log::warn("cluster", "link_refused",
              {{"peer", peer_of(socket)}, {"reason", "too many connections at once"}});
    ::close(socket);
    return;
  }
  ++greetings_;
  std::thread([this, socket] {
    welcome(socket);
    --greetings_;
  }).detach();
}

void link_listener::welcome(int socket) {
  unique_socket s(socket);
  set_options(socket);
  const auto hello = read_hello(socket, std::chrono::steady_clock::now() + hello_limit);
  if (!hello)
    return log::warn("cluster", "link_refused",
                     {{"peer", peer_of(socket)}, {"reason", "no hello in time"}});
  const auto expected = std::string(hello_version) + cluster_;
  if (*hello != expected) {
    const auto reason = hello->starts_with(hello_version) ? "another cluster" : "another protocol";
    log::warn("cluster", "link_refused", {{"peer", peer_of(socket)}, {"reason", reason}});
    send_hello(socket, std::string("refused: this is cluster ") + cluster_ + ", protocol " +
                           std::string(hello_version));
    return;
  }
  if (!send_hello(socket, cluster_)) return;
  caf::anon_send(basp(system_), caf::publish_atom_v, adopt(system_, s.hand_on()), port_,
                 caf::actor_cast<caf::strong_actor_ptr>(root_), std::set<std::string>{});
}

caf::actor dial(caf::actor_system& system, const std::string& host, std::uint16_t port,
                const std::string& cluster, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto where = address_text(host, port);
  unique_socket s(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  auto address = address_of(host, port);
  if (::connect(s.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS)
    throw link_error("cannot reach a node at " + where + ": " + std::strerror(errno));
  if (!wait_for(s.get(), POLLOUT, until)) throw link_error("no answer from " + where);
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(s.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0)
    throw link_error("cannot reach a node at " + where + ": " + std::strerror(error) +
                     " (is it running?)");
  set_options(s.get());
  if (!send_hello(s.get(), cluster)) throw link_error("connection to " + where + " broke");
  const auto hello = read_hello(s.get(), until);
  if (!hello) throw link_error(where + " does not answer as a Troupe node");
  if (*hello != std::string(hello_version) + cluster)
    throw link_error(where + ": " + hello->substr(hello_version.size()));
  caf::scoped_actor self{system};
  caf::actor root;
  self->request(basp(system), caf::duration{limit}, caf::connect_atom_v, adopt(system, s.hand_on()),
                port)
      .receive([&](caf::node_id&, caf::strong_actor_ptr& p,
                   std::set<std::string>&) { root = caf::actor_cast<caf::actor>(p); },
               [](caf::error&) {});
  if (!root) throw link_error(where + " does not answer as a Troupe node");
  return root;
}

}  // namespace troupe::cluster
