#include "runtime/http/routes.hpp"

#include <algorithm>
#include <optional>

#include "runtime/base/ensure.hpp"

namespace troupe::http {

namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    parts.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

bool stands_for_any(std::string_view part) {
  return part.starts_with('{') && part.ends_with('}');
}

/// The values of the pattern's names, or nothing when the path does not match. Requires: `path` is
/// decoded.
std::optional<parameters> match(const std::vector<std::string>& pattern,
                                const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return std::nullopt;
  parameters found;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::string_view part = pattern[i];
    if (stands_for_any(part) && !path[i].empty())
      found.emplace(part.substr(1, part.size() - 2), path[i]);
    else if (part != path[i])
      return std::nullopt;
  }
  return found;
}

std::optional<std::vector<std::string>> decoded_parts(std::string_view path) {
  auto parts = split(path);
  for (auto& part : parts) {
    auto decoded = percent_decode(part);
    if (!decoded) return std::nullopt;
    part = std::move(*decoded);
  }
  return parts;
}

void add_method(std::string& allowed, std::string_view method) {
  if (!allowed.empty()) allowed += ", ";
  allowed += method;
  if (method == "GET") allowed += ", HEAD";
}

response not_allowed(std::string allowed) {
  auto r = plain(405);
  r.headers.emplace_back("Allow", std::move(allowed));
  return r;
}

/// HEAD of a stream gets what can be told without opening one.
routes::decision lead_to_channel(std::string_view channel, std::string_view method) {
  if (method == "HEAD") return response{200, "text/event-stream", {}, {}};
  return routes::to_channel{channel};
}

}  // namespace

routes& routes::on(std::string_view method, std::string_view pattern, handler h) {
  ensure(h != nullptr, "a route has a handler");
  return add(method, pattern, std::move(h));
}

routes& routes::stream(std::string_view pattern, std::string_view channel) {
  return add("GET", pattern, std::string(channel));
}

routes& routes::add(std::string_view method, std::string_view pattern, target leads_to) {
  ensure(pattern.starts_with('/'), "a route begins with a slash");
  for (const auto& r : all_)
    ensure(r.method != method || r.pattern != pattern, "a route is added once");
  all_.push_back({std::string(method), std::string(pattern), split(pattern), std::move(leads_to)});
  return *this;
}

routes& routes::guard(guard_function g) {
  guard_ = std::move(g);
  return *this;
}

routes::decision routes::decide(request& r) const {
  if (guard_)
    if (auto refusal = guard_(r)) return std::move(*refusal);
  const auto parts = decoded_parts(r.path);
  if (!parts) return plain(400, "malformed path");
  const std::string_view wanted = r.method == "HEAD" ? "GET" : std::string_view(r.method);
  std::string allowed;
  for (const auto& candidate : all_) {
    auto found = match(candidate.parts, *parts);
    if (!found) continue;
    if (candidate.method == wanted) {
      r.path_parts = std::move(*found);
      if (const auto* channel = std::get_if<std::string>(&candidate.leads_to))
        return lead_to_channel(*channel, r.method);
      return to_handler{&std::get<handler>(candidate.leads_to)};
    }
    add_method(allowed, candidate.method);
  }
  return allowed.empty() ? plain(404) : not_allowed(std::move(allowed));
}

}  // namespace troupe::http
