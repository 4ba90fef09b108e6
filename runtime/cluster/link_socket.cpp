#include "runtime/cluster/link_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

namespace troupe::cluster {

namespace {

using namespace std::chrono_literals;

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    throw link_error(host + ": not an IPv4 address");
  return address;
}

void set_options(int fd) {
  const int on = 1, idle = 1, interval = 1, count = 3;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

bool wait_for(int fd, short events, deadline until) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  pollfd p{fd, events, 0};
  return left.count() > 0 && ::poll(&p, 1, static_cast<int>(left.count())) == 1;
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

constexpr const char* too_late = "no answer in time";
constexpr const char* closed = "the peer has closed the connection";

}  // namespace

link_socket::link_socket(int fd) : fd_(fd) {
  set_options(fd);
  be_patient(3000ms);
}

link_socket::link_socket(link_socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      tls_(std::exchange(other.tls_, nullptr)),
      failure_(std::move(other.failure_)) {}

link_socket::~link_socket() {
  if (tls_ != nullptr) SSL_free(tls_);
  if (fd_ >= 0) ::close(fd_);
}

link_socket link_socket::connect(const std::string& host, std::uint16_t port, deadline until) {
  const auto where = host + ':' + std::to_string(port);
  const auto address = address_of(host, port);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw link_error("cannot make a socket: " + std::string(std::strerror(errno)));
  link_socket s(fd);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS)
    throw link_error("cannot reach a node at " + where + ": " + std::strerror(errno));
  if (!wait_for(fd, POLLOUT, until)) throw link_error("no answer from " + where);
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0)
    throw link_error("cannot reach a node at " + where + ": " + std::strerror(error) +
                     " (is it running?)");
  return s;
}

void link_socket::be_patient(std::chrono::milliseconds unacknowledged_max) {
  const auto ms = static_cast<int>(unacknowledged_max.count());
  setsockopt(fd_, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

std::string link_socket::peer_address() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "?";
  std::array<char, INET_ADDRSTRLEN> host{};
  ::inet_ntop(AF_INET, &address.sin_addr, host.data(), host.size());
  return std::string(host.data()) + ':' + std::to_string(ntohs(address.sin_port));
}

std::optional<unsigned char> link_socket::peek(deadline until) const {
  unsigned char first = 0;
  while (wait_for(fd_, POLLIN, until)) {
    const auto n = ::recv(fd_, &first, 1, MSG_PEEK);
    if (n == 1) return first;
    if (n == 0 || !would_block()) return std::nullopt;
  }
  return std::nullopt;
}

std::string link_socket::failure_of_tls(int result) const {
  const auto code = ERR_peek_error();
  const long verdict = SSL_get_verify_result(tls_);
  std::string why = closed;
  if (code != 0 && ERR_GET_LIB(code) == ERR_LIB_SSL &&
      ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
    why = std::string("its certificate is refused: ") + X509_verify_cert_error_string(verdict);
  else if (code != 0 && ERR_GET_LIB(code) == ERR_LIB_SSL &&
           (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
            ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST))
    why = "it does not speak TLS";
  else if (code != 0 && ERR_reason_error_string(code) != nullptr)
    why = ERR_reason_error_string(code);
  else if (SSL_get_error(tls_, result) == SSL_ERROR_SYSCALL && errno != 0)
    why = std::strerror(errno);
  ERR_clear_error();
  return why;
}

void link_socket::secure(const std::shared_ptr<SSL_CTX>& context, bool accepting, deadline until) {
  tls_ = SSL_new(context.get());
  if (tls_ == nullptr || SSL_set_fd(tls_, fd_) != 1)
    throw link_error("TLS cannot begin: out of memory");
  accepting ? SSL_set_accept_state(tls_) : SSL_set_connect_state(tls_);
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(tls_);
    if (result == 1) return;
    const auto next = tls_progress(result, 0);
    if (next.wait == 0) throw link_error(failure_);
    if (!wait_for(fd_, next.wait, until)) throw link_error("no TLS handshake in time");
  }
}

std::optional<security::identity> link_socket::peer_identity() const {
  if (tls_ == nullptr) return std::nullopt;
  const auto* certificate = SSL_get0_peer_certificate(tls_);
  return certificate == nullptr ? std::nullopt : security::identity_of(certificate);
}

std::string link_socket::peer_fingerprint() const {
  const auto* certificate = tls_ == nullptr ? nullptr : SSL_get0_peer_certificate(tls_);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (certificate == nullptr || X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1)
    return {};
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

void link_socket::write_all(std::string_view bytes, deadline until) {
  while (!bytes.empty()) {
    const auto done = write_some(bytes.data(), bytes.size());
    bytes.remove_prefix(done.bytes);
    if (done.bytes > 0) continue;
    if (done.wait == 0) throw link_error(failure_);
    if (!wait_for(fd_, done.wait, until)) throw link_error(too_late);
  }
}

void link_socket::read_all(char* to, std::size_t size, deadline until) {
  while (size > 0) {
    const auto done = read_some(to, size);
    to += done.bytes;
    size -= done.bytes;
    if (done.bytes > 0) {
      // Whoever sends a byte now and then has no longer than the silent.
      if (size > 0 && std::chrono::steady_clock::now() > until) throw link_error(too_late);
      continue;
    }
    if (done.wait == 0) throw link_error(failure_);
    if (!wait_for(fd_, done.wait, until)) throw link_error(too_late);
  }
}

link_socket::progress link_socket::tls_progress(int result, std::size_t bytes) {
  if (result == 1) return {bytes, 0};
  switch (SSL_get_error(tls_, result)) {
    case SSL_ERROR_WANT_READ:
      return {0, POLLIN};
    case SSL_ERROR_WANT_WRITE:
      return {0, POLLOUT};
    default:
      failure_ = failure_of_tls(result);
      return {};
  }
}

link_socket::progress link_socket::read_some(char* to, std::size_t size) {
  errno = 0;
  if (tls_ != nullptr) {
    std::size_t bytes = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(tls_, to, size, &bytes);
    return tls_progress(result, bytes);
  }
  const auto n = ::recv(fd_, to, size, 0);
  if (n > 0) return {static_cast<std::size_t>(n), 0};
  if (n < 0 && would_block()) return {0, POLLIN};
  failure_ = n == 0 ? closed : std::strerror(errno);
  return {};
}

link_socket::progress link_socket::write_some(const char* from, std::size_t size) {
  errno = 0;
  if (tls_ != nullptr) {
    std::size_t bytes = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(tls_, from, size, &bytes);
    return tls_progress(result, bytes);
  }
  const auto n = ::send(fd_, from, size, MSG_NOSIGNAL);
  if (n > 0) return {static_cast<std::size_t>(n), 0};
  if (n < 0 && would_block()) return {0, POLLOUT};
  failure_ = std::strerror(errno);
  return {};
}

void link_socket::close() {
  if (tls_ != nullptr && SSL_is_init_finished(tls_) && failure_.empty()) {
    ERR_clear_error();
    SSL_shutdown(tls_);
    ERR_clear_error();
  }
  ::shutdown(fd_, SHUT_WR);
}

void link_socket::close_gently(deadline until) {
  close();
  std::array<char, 4096> unread{};
  while (wait_for(fd_, POLLIN, until) && ::recv(fd_, unread.data(), unread.size(), 0) > 0) {
  }
}

int listen_on(const std::string& host, std::uint16_t port) {
  const auto address = address_of(host, port);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto bound = [&] {
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
           ::listen(fd, 1024) == 0;
  };
  // A predecessor that was killed a moment ago may still be on its way out.
  const auto until = std::chrono::steady_clock::now() + 2s;
  bool fine = bound();
  while (!fine && errno == EADDRINUSE && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(20ms);
    fine = bound();
  }
  if (fine) return fd;
  const std::string why = std::strerror(errno);
  ::close(fd);
  throw link_error("cannot listen on " + host + ':' + std::to_string(port) + ": " + why +
                   " (is another node running? stop it, or set admin.port in the node's config)");
}

}  // namespace troupe::cluster
