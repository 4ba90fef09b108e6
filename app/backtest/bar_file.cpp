#include "app/backtest/bar_file.hpp"

#include <algorithm>
#include <charconv>

#include "app/failure.hpp"
#include "app/feed/text_time.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::app {

namespace {

using market::market_event;
using market::ohlcv;

class bar_reader {
 public:
  explicit bar_reader(const std::string& path) : lines_(path) {
    std::string_view header;
    if (!lines_.next(header)) throw unusable_file(path + ": is empty");
    columns_.emplace(header);
    by_date_ = columns_->has({"date"});
    const std::string_view time = by_date_ ? "date" : "ts_ms";
    time_ = columns_->index(time);
    const auto twice = columns_->twice({time, "open", "high", "low", "close", "volume"});
    if (!twice.empty()) fail("", "the header has the column " + std::string(twice) + " twice");
  }

  bool by_date() const { return by_date_; }

  /// False: the end. `e` gets its time, `x` all but the counts.
  bool next(market_event& e, ohlcv& x) {
    std::string_view line;
    do {
      if (!lines_.next(line)) return false;
    } while (line.empty());
    feed::split(line, fields_);
    if (fields_.size() != columns_->count())
      fail("", std::to_string(fields_.size()) + " fields, and the header has " +
                   std::to_string(columns_->count()));
    e.time = time();
    x.open = price("open");
    x.high = price("high");
    x.low = price("low");
    x.close = price("close");
    x.volume = number("volume").raw();
    if (x.low > x.open || x.low > x.close || x.high < x.open || x.high < x.close)
      fail("", "open and close must lie between low and high");
    return true;
  }

  [[noreturn]] void fail(std::string_view field, const std::string& what) const {
    throw unusable_file(lines_.path() + ':' + std::to_string(lines_.number()) + ": " +
                        (field.empty() ? "" : std::string(field) + ": ") + what);
  }

 private:
  std::string_view field(std::string_view name) const { return fields_[columns_->index(name)]; }

  std::int64_t time() const {
    const auto text = fields_[time_];
    if (by_date_) {
      const auto day = text.size() == 10 ? feed::parse_time(text) : std::nullopt;
      if (!day) fail("date", '"' + std::string(text) + "\" is no date such as 2024-08-09");
      return *day;
    }
    std::int64_t ms = 0;
    constexpr std::int64_t ms_max = 4'102'444'800'000;  // 2100.
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (error != std::errc() || end != text.data() + text.size() || ms < 0 || ms >= ms_max)
      fail("ts_ms", '"' + std::string(text) + "\" is no time in milliseconds since 1970");
    return ms * feed::us_per_ms;
  }

  fixed number(std::string_view name) const {
    const auto text = field(name);
    constexpr std::size_t shown_max = 40;
    const auto value = parse_fixed(text);
    if (!value || *value < fixed())
      fail(name, '"' + std::string(cut(text, shown_max)) +
                     "\" is no number of 0 to 92233720368 with at most 8 decimals");
    return *value;
  }

  fixed price(std::string_view name) const {
    const auto value = number(name);
    if (value == fixed()) fail(name, "a price must be above 0");
    return value;
  }

  feed::line_source lines_;
  std::optional<feed::columns> columns_;
  bool by_date_ = false;
  std::size_t time_ = 0;
  std::vector<std::string_view> fields_;
};

std::optional<market::period> period_of(std::int64_t micros) {
  for (std::size_t i = 0; i < market::period_count; ++i)
    if (length_of(static_cast<market::period>(i)) == micros) return static_cast<market::period>(i);
  return std::nullopt;
}

/// The length of bars by their open times: two that follow each other without a gap tell it.
market::period length_of_bars(const bar_reader& reader, const std::string& path,
                              std::optional<market::period> said,
                              const std::vector<market_event>& events) {
  if (reader.by_date()) return market::period::d1;
  std::optional<std::int64_t> least;
  for (std::size_t i = 1; i < events.size(); ++i)
    least = std::min(least.value_or(INT64_MAX), events[i].time - events[i - 1].time);
  if (said && least && *least < length_of(*said))
    throw unusable_file(path + ": two bars open " + std::to_string(*least / feed::us_per_ms) +
                        " ms apart; of " + std::string(name_of(*said)) +
                        " (--period) they would overlap");
  if (said) return *said;
  const auto found = least ? period_of(*least) : std::nullopt;
  if (!found)
    throw unusable_file(
        path + ": the least time between two bars (" +
        (least ? std::to_string(*least / feed::us_per_ms) + " ms" : "there is one") +
        ") is not the length of bars; say --period");
  return *found;
}

}  // namespace

bool is_bar_file(const std::string& path) {
  feed::line_source lines(path);
  std::string_view header;
  if (!lines.next(header)) return false;
  const feed::columns columns(header);
  return columns.has({"open", "high", "low", "close", "volume"}) &&
         (columns.has({"date"}) || columns.has({"ts_ms"}));
}

market::period read_bars(const std::string& path, std::optional<market::period> length,
                         trading::symbol_data& to) {
  bar_reader reader(path);
  const auto first = to.events.size();
  market_event e;
  e.kind = market::event_kind::bar;
  for (ohlcv x; reader.next(e, x);) {
    if (!to.events.empty() && e.time <= to.events.back().time)
      reader.fail(reader.by_date() ? "date" : "ts_ms", "not later than the bar before it");
    e.offset = static_cast<std::int64_t>(to.events.size());
    e.detail = static_cast<std::uint32_t>(to.details.size());
    to.events.push_back(e);
    to.details.push_back(x);
  }
  if (to.events.size() == first) throw unusable_file(path + ": has a header and no bars");
  const auto found = length_of_bars(reader, path, length, to.events);
  for (auto i = first; i < to.events.size(); ++i) to.events[i].length = found;
  return found;
}

}  // namespace troupe::app
