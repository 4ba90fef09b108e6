#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/http/message.hpp"

namespace troupe::http {

/// Which handler answers which method and path.
///
/// A pattern is a path whose parts are literal or `{name}`, which stands for one non-empty part:
/// `/payments/{id}`. Where several match, the one added first answers. Without a match: 404;
/// without one for the method: 405 that names the allowed ones. HEAD is answered by GET's handler
/// and sent without its body.
class routes {
 public:
  /// Requires: the pattern begins with a slash and is new for the method.
  routes& on(std::string_view method, std::string_view pattern, handler h);
  routes& get(std::string_view pattern, handler h) { return on("GET", pattern, std::move(h)); }
  routes& post(std::string_view pattern, handler h) { return on("POST", pattern, std::move(h)); }

  /// GET of this path gives what `server::publish` sends to the channel from then on, as
  /// server-sent events.
  routes& stream(std::string_view pattern, std::string_view channel);

  /// Asked before any route: an answer of its own refuses the request. Its `path` is neither
  /// decoded nor known to lead anywhere.
  using guard_function = std::function<std::optional<response>(const request&)>;
  routes& guard(guard_function g);

  /// What is to be done with a request.
  struct to_handler {
    const handler* call;
  };
  struct to_channel {
    std::string_view channel;
  };
  using decision = std::variant<response, to_handler, to_channel>;

  /// Requires: `parse_target(r)` was true. Fills `r.path_parts`. The result refers to these routes.
  decision decide(request& r) const;

 private:
  using target = std::variant<handler, std::string>;  // A handler, or the name of a channel.
  struct route {
    std::string method;
    std::string pattern;
    std::vector<std::string> parts;
    target leads_to;
  };

  routes& add(std::string_view method, std::string_view pattern, target leads_to);

  std::vector<route> all_;
  guard_function guard_;
};

}  // namespace troupe::http
