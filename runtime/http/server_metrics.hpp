#pragma once

#include <array>
#include <chrono>
#include <string>

#include "runtime/metrics/registry.hpp"

namespace troupe::http {

/// What one server counts.
class server_metrics {
 public:
  server_metrics(metrics::registry& r, const metrics::labels& own)
      : answers_{answers(r, own, "1xx"), answers(r, own, "2xx"), answers(r, own, "3xx"),
                 answers(r, own, "4xx"), answers(r, own, "5xx")},
        connections(r.make_gauge("troupe_http_connections_open", "Connections open now.", own)),
        streams(r.make_gauge("troupe_http_streams_open", "Event streams open now.", own)),
        connections_refused(r.make_counter("troupe_http_connections_refused_total",
                                           "Connections closed because too many were open.", own)),
        connections_cut(r.make_counter("troupe_http_connections_cut_total",
                                       "Connections cut because a time limit was over.", own)),
        accept_failures(r.make_counter("troupe_http_accept_failures_total",
                                       "Connections the system could not hand over.", own)),
        replies_late(r.make_counter("troupe_http_replies_late_total",
                                    "Requests answered 504: the handler was late.", own)),
        streams_cut(r.make_counter("troupe_http_streams_cut_total",
                                   "Event streams cut because the reader was too slow.", own)),
        events_dropped(r.make_counter("troupe_http_events_dropped_total",
                                      "Published events dropped because too many waited.", own)),
        handling(r.make_histogram("troupe_http_request_seconds",
                                  "From a complete request to the reply.",
                                  metrics::latency_bounds(), own)) {}

  /// Requires: 100 <= status <= 599.
  void answered(int status) { answers_[static_cast<std::size_t>(status / 100 - 1)]->add(); }

 private:
  static metrics::counter* answers(metrics::registry& r, metrics::labels own, const char* family) {
    own.emplace("status", family);
    return &r.make_counter("troupe_http_requests_total", "Requests answered, by status.", own);
  }

  std::array<metrics::counter*, 5> answers_;

 public:
  metrics::gauge& connections;
  metrics::gauge& streams;
  metrics::counter& connections_refused;
  metrics::counter& connections_cut;
  metrics::counter& accept_failures;
  metrics::counter& replies_late;
  metrics::counter& streams_cut;
  metrics::counter& events_dropped;
  metrics::histogram& handling;
};

}  // namespace troupe::http
