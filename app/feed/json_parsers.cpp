#include <algorithm>
#include <charconv>

#include "app/feed/parsers.hpp"
#include "app/feed/text_time.hpp"

namespace troupe::feed {

namespace {

constexpr std::string_view no_nanoseconds = "does not begin with a time in nanoseconds",
                           no_object = "no JSON object after the time",
                           no_micros = "time: none in microseconds since 1970",
                           no_name = "symbol: none of 1 to 32 characters";

std::string_view without_spaces_before(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

/// The line from the value of a field on, whose name is given with its quotes; empty: none.
std::string_view value_of(std::string_view line, std::string_view name) {
  for (;;) {
    const auto at = line.find(name);
    if (at == std::string_view::npos) return {};
    line = without_spaces_before(line.substr(at + name.size()));
    if (line.starts_with(':')) return without_spaces_before(line.substr(1));
  }
}

/// The text of a field; empty: none.
std::string_view text_of(std::string_view line, std::string_view name) {
  line = value_of(line, name);
  if (!line.starts_with('"')) return {};
  line.remove_prefix(1);
  const auto end = line.find('"');
  return end == std::string_view::npos ? std::string_view() : line.substr(0, end);
}

std::optional<std::int64_t> number_at(std::string_view text, std::size_t& length) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || value < 0) return std::nullopt;
  return value;
}

std::string upper(std::string_view text) {
  std::string to(text);
  std::transform(to.begin(), to.end(), to.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return to;
}

/// `LOCAL_NANOSECONDS {frame}`: the frame goes on as it came.
class frames_parser final : public line_parser {
  std::string_view parse(std::string_view line, record& to) override {
    std::size_t digits = 0;
    const auto ns = number_at(line, digits);
    if (!ns) return no_nanoseconds;
    line.remove_prefix(digits);
    if (!line.starts_with(" {")) return no_object;
    line.remove_prefix(1);
    const auto stream = text_of(line, R"("stream")");
    const auto symbol =
        stream.empty() ? text_of(line, R"("s")") : stream.substr(0, stream.find('@'));
    if (!good_symbol(symbol)) return no_name;
    to.key = upper(symbol);
    to.payload = line;
    to.time_us = *ns / 1'000;
    to.timestamp_ms = *ns / 1'000'000;
    return {};
  }
};

/// Troupe's own JSON; goes on as it is.
class records_parser final : public line_parser {
  std::string_view parse(std::string_view line, record& to) override {
    const auto symbol = text_of(line, R"("symbol")");
    if (!good_symbol(symbol)) return no_name;
    std::size_t digits = 0;
    auto text = value_of(line, R"("time")");
    if (text.starts_with('"')) text.remove_prefix(1);  // A number or a text of one.
    const auto time = number_at(text, digits);
    if (!time) return no_micros;
    to.key = symbol;
    to.payload = line;
    to.time_us = *time;
    to.timestamp_ms.reset();
    return {};
  }
};

}  // namespace

std::unique_ptr<line_parser> make_frames_parser() {
  return std::make_unique<frames_parser>();
}
std::unique_ptr<line_parser> make_records_parser() {
  return std::make_unique<records_parser>();
}

}  // namespace troupe::feed
