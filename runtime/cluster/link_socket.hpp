#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "runtime/security/identity.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace troupe::cluster {

/// A peer or an address that cannot be used; the text names it and the remedy.
struct link_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using deadline = std::chrono::steady_clock::time_point;

/// A connected TCP socket, with TLS on it or without. Never blocks beyond a deadline.
class link_socket {
 public:
  explicit link_socket(int fd);  // Owns it from now on.
  ~link_socket();
  link_socket(link_socket&& other) noexcept;
  link_socket& operator=(link_socket&&) = delete;

  /// Connects within the deadline. Throws link_error.
  static link_socket connect(const std::string& host, std::uint16_t port, deadline until);

  int fd() const { return fd_; }
  /// What was sent may stay unacknowledged for so long; at first it is three seconds.
  void be_patient(std::chrono::milliseconds unacknowledged_max);
  /// `10.0.0.7:34512`.
  std::string peer_address() const;

  /// The first byte that the peer sends, without taking it; nothing when none comes in time.
  std::optional<unsigned char> peek(deadline until) const;
  /// Shakes hands. Throws link_error with the reason.
  void secure(const std::shared_ptr<ssl_ctx_st>& context, bool accepting, deadline until);
  bool secured() const { return tls_ != nullptr; }
  /// Whom the peer's certificate names; nothing without TLS.
  std::optional<security::identity> peer_identity() const;

  /// SHA-256 of the peer's certificate; empty without TLS.
  std::string peer_fingerprint() const;

  /// Both throw link_error with the reason: the deadline, a broken connection, an alert of TLS.
  void write_all(std::string_view bytes, deadline until);
  void read_all(char* to, std::size_t size, deadline until);

  /// What one attempt has come to: bytes, or what to wait for, or the end.
  struct progress {
    std::size_t bytes = 0;
    short wait = 0;  // POLLIN or POLLOUT on `fd`; 0 with no bytes: the connection is over.
  };
  progress read_some(char* to, std::size_t size);
  progress write_some(const char* from, std::size_t size);
  /// Says goodbye as far as that is possible at once.
  void close();
  /// Says goodbye and waits until the peer has, too: closing with unread input would destroy the
  /// last answer on its way.
  void close_gently(deadline until);

 private:
  std::string failure_of_tls(int result) const;
  progress tls_progress(int result, std::size_t bytes);

  int fd_;
  ssl_st* tls_ = nullptr;
  std::string failure_;  // Why the connection is over, as far as TLS knows.
};

/// Listens. Waits a little for a predecessor's port. Throws link_error.
int listen_on(const std::string& host, std::uint16_t port);

}  // namespace troupe::cluster
