#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "runtime/http/server.hpp"

/// What came back. `status` 0: the connection ended, or was reset, before a whole answer.
struct answer {
  int status = 0;
  std::string version;
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;

  std::string header(const std::string& name) const;
};

/// A plain socket that speaks whatever it is told. Every wait ends after 20 seconds with
/// std::runtime_error.
class client {
 public:
  /// Connects; `receive_buffer` in bytes, 0 for the kernel's choice. Throws connect_refused.
  explicit client(std::uint16_t port, int receive_buffer = 0);
  /// Only opens the socket.
  client();
  client(client&& other) noexcept;
  ~client();

  struct connect_refused {};
  void connect(std::uint16_t port);

  /// Returns false when the other side is gone.
  bool send(std::string_view text);
  answer receive(bool head = false);
  answer ask(std::string_view text);
  /// All until the end or a reset.
  std::string rest();
  /// Reads until the text has come; returns all up to and with it, or what came before the end.
  std::string until(std::string_view text);
  /// Whether the other side ends within so many milliseconds. Throws what arrives away.
  bool ends_within(int milliseconds);
  /// Whether the other side ended it with a reset.
  bool was_reset() const { return reset_; }
  /// Sends a reset instead of a proper end.
  void reset();
  void half_close();

 private:
  bool fill();

  int fd_ = -1;
  std::string buffer_;
  bool reset_ = false;
};

/// Waits up to 20 seconds.
bool eventually(const std::function<bool()>& holds);
int open_descriptors();

std::string get(std::string_view path, std::string_view more_headers = {});
std::string post(std::string_view path, std::string_view body);

/// A server with its registry, started on a free port.
struct served {
  explicit served(troupe::http::routes r, troupe::http::limits l = {})
      : server("test", std::move(r), registry, l), port(server.start("127.0.0.1", 0)) {}

  /// The value of a metric of this server.
  double metric(const std::string& name, const std::string& more_labels = {}) const;

  troupe::metrics::registry registry;
  troupe::http::server server;
  std::uint16_t port;
};
