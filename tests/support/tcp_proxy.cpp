#include "tests/support/tcp_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace troupe::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  return a;
}

// Returns an empty text at the end of the stream.
std::string receive(int socket) {
  std::array<char, 65536> buffer;
  const auto n = ::recv(socket, buffer.data(), buffer.size(), 0);
  return n <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(n));
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void set_no_delay(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

int listen_on_loopback(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(port);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(socket, 64) == 0)
    return socket;
  ::close(socket);
  throw std::runtime_error("the proxy cannot listen");
}

struct tcp_proxy::link {
  int client = -1;
  int server = -1;
  bool discard_answer = false;
  std::atomic<bool> over{false};
  std::thread thread;

  void shut() const {
    ::shutdown(client, SHUT_RDWR);
    ::shutdown(server, SHUT_RDWR);
  }
  ~link() {
    if (thread.joinable()) thread.join();
    ::close(client);
    ::close(server);
  }
};

tcp_proxy::tcp_proxy(int server_port) : tcp_proxy(server_port, listen_on_loopback(0)) {}

tcp_proxy::tcp_proxy(int server_port, int listener)
    : server_port_(server_port), listener_(listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("the proxy has no socket");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

tcp_proxy::~tcp_proxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  cut();
  links_.clear();
}

void tcp_proxy::cut() {
  const std::lock_guard lock(mutex_);
  for (const auto& l : links_) l->shut();
}

void tcp_proxy::refuse(bool on) {
  const std::lock_guard lock(mutex_);
  refusing_ = on;
}

void tcp_proxy::hold(bool on) {
  const std::lock_guard lock(mutex_);
  held_ = on;
  changed_.notify_all();
}

void tcp_proxy::cut_after_request(std::string marker) {
  const std::lock_guard lock(mutex_);
  fault_ = fault::cut_after;
  marker_ = std::move(marker);
}

void tcp_proxy::cut_before_request(std::string marker) {
  const std::lock_guard lock(mutex_);
  fault_ = fault::cut_before;
  marker_ = std::move(marker);
}

void tcp_proxy::accept_all() {
  while (true) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (stopping_ || refusing_ || client < 0) {
      if (client >= 0) ::close(client);
      if (stopping_) return;
      continue;
    }
    auto l = std::make_unique<link>();
    l->client = client;
    l->server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(server_port_);
    set_no_delay(l->client);
    set_no_delay(l->server);
    if (::connect(l->server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      continue;
    l->thread = std::thread([this, raw = l.get()] { forward(*raw); });
    links_.remove_if([](const auto& old) { return old->over.load(); });
    links_.push_back(std::move(l));
  }
}

void tcp_proxy::forward(link& l) {
  std::array<pollfd, 2> sides{{{l.client, POLLIN, 0}, {l.server, POLLIN, 0}}};
  while (::poll(sides.data(), sides.size(), -1) > 0 && wait_while_held()) {
    if (sides[0].revents != 0 && !pass_request(l)) break;
    if (sides[1].revents != 0 && !pass_answer(l)) break;
  }
  l.shut();
  l.over = true;
}

bool tcp_proxy::pass_request(link& l) {
  const auto bytes = receive(l.client);
  const auto at_hand = fault_of(bytes);
  if (at_hand == fault::cut_after) l.discard_answer = true;
  return !bytes.empty() && at_hand != fault::cut_before && send_all(l.server, bytes);
}

bool tcp_proxy::pass_answer(link& l) {
  const auto bytes = receive(l.server);
  return !bytes.empty() && !l.discard_answer && send_all(l.client, bytes);
}

bool tcp_proxy::wait_while_held() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !held_ || stopping_; });
  return !stopping_;
}

tcp_proxy::fault tcp_proxy::fault_of(const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  if (fault_ == fault::none || bytes.find(marker_) == std::string::npos) return fault::none;
  return std::exchange(fault_, fault::none);
}

}  // namespace troupe::test
