#include "client.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;

namespace {

constexpr auto patience = 20s;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Fills status line and headers.
answer parse_head(std::string_view head) {
  answer a;
  a.version = head.substr(0, 8);
  a.status = std::stoi(std::string(head.substr(9, 3)));
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty()) {
    const auto end = head.find("\r\n"), colon = head.find(": ");
    a.headers[lower(std::string(head.substr(0, colon)))] = head.substr(colon + 2, end - colon - 2);
    head.remove_prefix(end + 2);
  }
  return a;
}

}  // namespace

std::string answer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

client::client() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval limit{patience.count(), 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

client::client(std::uint16_t port, int receive_buffer) : client() {
  if (receive_buffer > 0)
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  connect(port);
}

client::client(client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)), reset_(other.reset_) {}

client::~client() {
  if (fd_ >= 0) close(fd_);
}

void client::connect(std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    throw connect_refused();
}

bool client::send(std::string_view text) {
  while (!text.empty()) {
    const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) throw std::runtime_error("the server takes nothing");
    if (sent < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool client::fill() {
  char bytes[16 * 1024];
  const auto got = recv(fd_, bytes, sizeof bytes, 0);
  if (got < 0 && errno == EAGAIN) throw std::runtime_error("the server says nothing");
  if (got < 0) reset_ = true;
  if (got <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

answer client::receive(bool head) {
  const std::string top = until("\r\n\r\n");
  if (!top.ends_with("\r\n\r\n")) return {};
  answer a = parse_head(std::string_view(top).substr(0, top.size() - 2));
  const auto length = a.header("content-length");
  if (head || length.empty()) return a;
  const auto wanted = std::stoul(length);
  while (buffer_.size() < wanted)
    if (!fill()) return {};
  a.body = buffer_.substr(0, wanted);
  buffer_.erase(0, wanted);
  return a;
}

answer client::ask(std::string_view text) {
  send(text);
  return receive();
}

std::string client::rest() {
  while (fill()) continue;
  return std::exchange(buffer_, {});
}

std::string client::until(std::string_view text) {
  std::size_t at = 0;
  while ((at = buffer_.find(text)) == std::string::npos)
    if (!fill()) return std::exchange(buffer_, {});
  std::string found = buffer_.substr(0, at + text.size());
  buffer_.erase(0, at + text.size());
  return found;
}

bool client::ends_within(int milliseconds) {
  const auto until_then =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  do {
    pollfd p{fd_, POLLIN, 0};
    const auto left = until_then - std::chrono::steady_clock::now();
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    if (poll(&p, 1, static_cast<int>(std::max<long>(wait, 0))) > 0 && !fill()) return true;
  } while (std::chrono::steady_clock::now() < until_then);
  return false;
}

void client::reset() {
  const linger at_once{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(std::exchange(fd_, -1));
}

void client::half_close() {
  shutdown(fd_, SHUT_WR);
}

bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);  // The pace of asking; nothing relies on it.
  }
  return true;
}

int open_descriptors() {
  return static_cast<int>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

std::string get(std::string_view path, std::string_view more_headers) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(more_headers) +
         "\r\n";
}

std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

double served::metric(const std::string& name, const std::string& more_labels) const {
  const std::string all = '\n' + registry.expose();
  const std::string series = '\n' + name + "{server=\"test\"" + more_labels + "} ";
  const auto at = all.find(series);
  if (at == std::string::npos) throw std::out_of_range("no metric " + series);
  return std::stod(all.substr(at + series.size()));
}
