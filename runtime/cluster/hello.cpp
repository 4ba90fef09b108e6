#include "runtime/cluster/hello.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "runtime/codec/json.hpp"

namespace troupe::cluster {

namespace {

using nlohmann::json;

// Fixed, padded with NUL: neither end has to believe a length. A later protocol begins with
// another number and may look different behind it, but is as long.
constexpr std::string_view protocol = "troupe/2 ";
constexpr std::size_t hello_size = 1024;

std::string to_text(const hello& h) {
  return std::string(protocol) + json{{"from", to_uri(h.from)},
                                      {"life", h.life.value()},
                                      {"to", h.to},
                                      {"token", h.token},
                                      {"refusal", h.refusal}}
                                     .dump(-1, ' ', true, json::error_handler_t::replace);
}

hello from_text(std::string_view text) {
  if (!text.starts_with(protocol)) {
    const auto word = text.substr(0, std::min<std::size_t>(text.find(' '), 16));
    if (text.starts_with("troupe/"))
      throw unknown_protocol("another protocol version: " + std::string(word) + ", this is " +
                             std::string(protocol.substr(0, protocol.size() - 1)));
    throw unknown_protocol("another protocol");
  }
  text.remove_prefix(protocol.size());
  const auto it = parse_json_object(text).value;
  const auto word = [&](const char* name) {
    const auto found = it.find(name);
    return found != it.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!it.is_object()) throw unknown_protocol("a hello without sense");
  const auto from = security::parse_identity(word("from"));
  const auto life = it.find("life");
  if (!from || life == it.end() || !life->is_number_integer())
    throw unknown_protocol("a hello without sense");
  return {*from, incarnation(life->get<std::int64_t>()), word("to"), word("token"),
          word("refusal")};
}

}  // namespace

void send_hello(link_socket& to, const hello& what, deadline until) {
  std::array<char, hello_size> bytes{};
  const auto text = to_text(what);
  if (text.size() >= bytes.size()) throw link_error("a hello that is too long");
  std::ranges::copy(text, bytes.begin());
  to.write_all({bytes.data(), bytes.size()}, until);
}

hello read_hello(link_socket& from, deadline until) {
  std::array<char, hello_size> bytes{};
  from.read_all(bytes.data(), bytes.size(), until);
  bytes.back() = 0;
  return from_text(bytes.data());
}

}  // namespace troupe::cluster
