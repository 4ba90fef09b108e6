#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "runtime/http/message.hpp"

namespace troupe::http {

/// A POST to somebody else's server.
struct outgoing {
  std::string url;  // http:// or https://; certificates are checked against the system's.
  http::headers headers;
  std::string body;
  std::chrono::milliseconds timeout{10'000};  // From the call to the answer's last byte.
};

/// How it ended. `status` 0: no answer, `error` says why; whether it arrived is then unknown.
struct outcome {
  int status = 0;
  std::string error;
};

/// Sends requests on a thread of its own, many at a time. Redirects are not followed, answers'
/// bodies are not kept.
class client {
 public:
  /// So many under way at most.
  explicit client(std::size_t in_flight_max);
  ~client();  // Cuts what is under way: nothing is called back any more.
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// From any thread; returns at once. `done` is called on the client's thread, must not block or
  /// throw. Returns false, and calls nothing, when too many are under way.
  bool post(outgoing what, std::function<void(outcome)> done);

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace troupe::http
