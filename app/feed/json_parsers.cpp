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

/// What stands between the quotes after `before`; empty if it is not there.
std::string_view text_after(std::string_view line, std::string_view before) {
  const auto at = line.find(before);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + before.size());
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
    const auto stream = text_after(line, R"("stream":")");
    const auto symbol =
        stream.empty() ? text_after(line, R"("s":")") : stream.substr(0, stream.find('@'));
    if (!good_symbol(symbol)) return no_name;
    to.key = upper(symbol);
    to.payload = line;
    to.time_us = *ns / 1'000;
    to.timestamp_ms = *ns / 1'000'000;
    return {};
  }
};

/// Troupe's own JSON, as `generate --out` writes it; goes on as it is.
class records_parser final : public line_parser {
  std::string_view parse(std::string_view line, record& to) override {
    constexpr std::string_view before = R"("time":)";
    const auto symbol = text_after(line, R"("symbol":")");
    if (!good_symbol(symbol)) return no_name;
    const auto at = line.find(before);
    std::size_t digits = 0;
    const auto time = at == std::string_view::npos
                          ? std::nullopt
                          : number_at(line.substr(at + before.size()), digits);
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
