#include "runtime/http/message.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>

namespace troupe::http {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::optional<char> decode_hex(std::string_view digits) {
  unsigned value = 0;
  const auto end = digits.data() + digits.size();
  if (digits.size() != 2 || std::from_chars(digits.data(), end, value, 16).ptr != end || value == 0)
    return std::nullopt;
  return static_cast<char>(value);
}

/// Adds one `name=value` of a query.
bool add_parameter(parameters& query, std::string_view pair) {
  const auto equals = std::min(pair.find('='), pair.size());
  const auto name = percent_decode(pair.substr(0, equals), true);
  const auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
  if (!name || !value) return false;
  query.insert_or_assign(*name, *value);
  return true;
}

bool parse_query(parameters& query, std::string_view text) {
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    if (end > 0 && !add_parameter(query, text.substr(0, end))) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

/// A proxy's client names the whole URL; what stands before the path is of no use here.
std::string_view without_authority(std::string_view target) {
  for (std::string_view scheme : {"http://", "https://"})
    if (target.starts_with(scheme))
      return target.substr(std::min(target.find('/', scheme.size()), target.size()));
  return target;
}

}  // namespace

std::optional<std::string_view> request::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& h) {
    return equal_ignoring_case(h.first, name);
  });
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

response plain(int status, std::string_view words) {
  response r;
  r.status = status;
  r.body = std::string(words.empty() ? status_name(status) : words) + '\n';
  return r;
}

response json(int status, std::string body) {
  response r;
  r.status = status;
  r.content_type = "application/json";
  r.body = std::move(body);
  return r;
}

struct reply::state {
  std::atomic<bool> answered = false;
  std::function<void(response)> send;
};

reply::reply(std::function<void(response)> send) : state_(std::make_shared<state>()) {
  state_->send = std::move(send);
}

void reply::operator()(response r) const {
  if (!state_->answered.exchange(true)) state_->send(std::move(r));
}

bool parse_target(request& r) {
  const std::string_view local = without_authority(r.target);
  const auto end = std::min(local.find('?'), local.size());
  r.path = local.substr(0, end);
  return r.path.starts_with('/') &&
         parse_query(r.query, local.substr(std::min(end + 1, local.size())));
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const auto c = decode_hex(text.substr(i + 1, 2));
      if (!c) return std::nullopt;
      out.push_back(*c);
      i += 2;
    } else {
      out.push_back(text[i] == '+' && plus_is_space ? ' ' : text[i]);
    }
  }
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace troupe::http
