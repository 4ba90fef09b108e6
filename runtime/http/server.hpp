#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "runtime/http/routes.hpp"
#include "runtime/metrics/registry.hpp"

namespace troupe::http {

/// What one server grants its clients. Memory is at most about
/// connections_max * (body_bytes_max + 2 * header_bytes_max), and streams' events on top, which
/// readers share.
struct limits {
  /// Connections above it are closed at once. More lets more clients in; each costs a file
  /// descriptor and, busy, the memory above. Keep it well below the process's limit of file
  /// descriptors: other parts need theirs.
  std::size_t connections_max = 1024;
  /// Request line and headers; above: 431. Large cookies and tokens need more.
  std::uint32_t header_bytes_max = 8 * 1024;
  /// A request's body; above: 413.
  std::size_t body_bytes_max = 64 * 1024;

  /// How long a connection may wait for its next request. Longer saves clients reconnecting;
  /// shorter frees connections sooner.
  std::chrono::milliseconds idle{60'000};
  /// From a request's first byte to its last. Longer suits poor links; shorter frees what slow
  /// attackers hold.
  std::chrono::milliseconds receive{10'000};
  /// How long a handler may take to reply; after that the client gets 504 and the reply is ignored.
  std::chrono::milliseconds handle{10'000};
  /// How long a client may take to accept an answer, or one event of a stream.
  std::chrono::milliseconds send{10'000};
  /// How long a connection stays half-closed after its last answer: closing with unread input would
  /// destroy that answer on its way. Also how long an idle client may send one more request when
  /// draining.
  std::chrono::milliseconds linger{1'000};
  /// What is not finished so long after `drain` was called is cut.
  std::chrono::milliseconds drain{5'000};

  /// Events that wait for one reader of a stream; a reader further behind is cut off and may come
  /// again. More forgives short stalls; less frees memory sooner.
  std::size_t stream_events_max = 256;
  /// Published events that wait for the server's thread; above, `publish` refuses.
  std::size_t publish_events_max = 4096;
  /// The kernel's buffer for one reader. More hides a stalled reader for longer; less costs system
  /// calls.
  int stream_buffer_bytes = 32 * 1024;
  /// Silence after which a stream gets a comment line, which shows proxies life and shows us who
  /// has left.
  std::chrono::milliseconds heartbeat{15'000};
};

/// The server cannot listen; says on which address, why, and what to do.
struct listen_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// HTTP/1.1 over TCP, on one thread of its own. Keeps connections alive, answers pipelined requests
/// in order.
///
/// Refusals of its own: 400 malformed, 413 and 431 too large, 404 and 405 no route, 500 a handler
/// threw, 504 a handler was late. Counts into the registry as troupe_http_*, under the server's
/// name, and logs as component `http`.
class server {
 public:
  /// Requires: the registry outlives the server; no two servers of a process share a name.
  server(std::string name, routes r, metrics::registry& metrics, limits l = {});
  ~server();  // Stops.
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Listens and serves from when it returns. Port 0 takes any free one. Requires: called once.
  /// Returns the port. Throws listen_error.
  std::uint16_t start(const std::string& host, std::uint16_t port);
  /// 0 before `start`.
  std::uint16_t port() const;

  /// Sends an event to all readers of a channel, from any thread. Line ends of whatever kind arrive
  /// as line feeds. Returns false when the event was dropped because too many wait.
  bool publish(std::string_view channel, std::string_view data);

  /// Refuses new connections, answers what has been asked, tells clients to close, ends streams;
  /// returns when all are gone or `limits::drain` is over. Not from a handler.
  void drain();
  /// Cuts everything at once. Not from a handler. Does nothing when already stopped or drained.
  void stop();

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace troupe::http
