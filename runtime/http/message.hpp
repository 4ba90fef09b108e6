#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::http {

/// In the order of the message; names are compared without case.
using headers = std::vector<std::pair<std::string, std::string>>;
using parameters = std::map<std::string, std::string, std::less<>>;

struct request {
  std::string method;     // As sent: GET, POST ...
  std::string target;     // As sent: /payments/7?full=yes
  std::string path;       // Without query, not decoded.
  parameters query;       // Decoded; of a name given twice the last counts.
  parameters path_parts;  // What the route's {names} stand for, decoded.
  http::headers headers;
  std::string body;

  /// The first header of that name.
  std::optional<std::string_view> header(std::string_view name) const;
};

struct response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  http::headers headers;
  std::string body;
};

/// An answer in plain words, with a line feed after them; no words give the status's own name.
response plain(int status, std::string_view words = {});
/// `body` must be JSON.
response json(int status, std::string body);
/// The name that goes with a status: `Not Found`.
std::string_view status_name(int status);

/// Answers one request: the first call counts, from whatever thread; later calls, and calls after
/// the request's deadline or the server's end, do nothing. Copies answer the same request.
class reply {
 public:
  explicit reply(std::function<void(response)> send);
  void operator()(response r) const;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

/// Runs on the server's only thread: it must not block, and hands the reply on when the answer
/// takes time. Throwing answers 500.
using handler = std::function<void(request, reply)>;

/// Fills path and query from the target. Returns false when the target is malformed.
bool parse_target(request& r);
/// Resolves %XX. Returns nothing when malformed or when it would hide a NUL.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace troupe::http
