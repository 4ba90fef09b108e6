#pragma once

// For server.cpp alone: brings Beast. Between its messages and ours.

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <string_view>

#include "runtime/http/connection.hpp"

namespace troupe::http {

namespace beast = boost::beast;
namespace wire = boost::beast::http;

using parser = wire::request_parser<wire::string_body>;
using wire_response = wire::response<wire::string_body>;

/// What reading a request came to.
struct received {
  enum { complete, refused, gone } is = gone;
  http::request request;  // The handler takes it.
  std::string path;       // Of the request, for the log.
  response refusal;
  unsigned version = 11;
  bool head = false;  // The method was HEAD.
  bool keep_alive = false;
};

/// The client's bytes are wrong, rather than the client gone.
inline bool is_protocol_error(const error_code& ec) {
  return ec.category() == wire::make_error_code(wire::error::bad_method).category() &&
         ec != wire::error::end_of_stream;
}

inline int refusal_status(const error_code& ec) {
  if (ec == wire::error::body_limit) return 413;
  if (ec == wire::error::header_limit || ec == wire::error::buffer_overflow) return 431;
  return 400;
}

inline http::request to_request(wire::request<wire::string_body>&& message) {
  http::request r;
  r.method = message.method_string();
  r.target = message.target();
  for (const auto& field : message) r.headers.emplace_back(field.name_string(), field.value());
  r.body = std::move(message.body());
  return r;
}

inline bool names_its_host(const wire::request<wire::string_body>& message) {
  return message.version() < 11 || message.count(wire::field::host) == 1;
}

inline bool expects_continue(const parser& p) {
  return !p.is_done() && p.get().version() == 11 &&
         equal_ignoring_case(p.get()[wire::field::expect], "100-continue");
}

inline bool is_header_safe(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

/// A handler's slip must neither split the answer in two nor end the server.
inline bool is_sendable(const response& r) {
  return r.status >= 200 && r.status <= 599 && is_header_safe(r.content_type) &&
         std::all_of(r.headers.begin(), r.headers.end(), [](const auto& h) {
           return !h.first.empty() && is_header_safe(h.first) && is_header_safe(h.second);
         });
}

/// The answer to `in`; `keep`: the connection goes on.
inline wire_response to_wire(response&& r, const received& in, bool keep) {
  wire_response out{static_cast<wire::status>(r.status), in.version};
  for (const auto& [name, value] : r.headers) out.insert(name, value);
  for (auto framing : {wire::field::content_length, wire::field::transfer_encoding})
    out.erase(framing);
  out.keep_alive(keep);
  if (r.status == 204 || r.status == 304) return out;  // Without body by definition.
  out.set(wire::field::content_type, r.content_type);
  out.body() = std::move(r.body);
  out.prepare_payload();
  if (in.head) out.body().clear();  // The length stays.
  return out;
}

}  // namespace troupe::http
