#include "app/backtest/bar_file.hpp"

#include <algorithm>
#include <map>

#include "app/failure.hpp"
#include "app/feed/fields.hpp"
#include "app/feed/parsers.hpp"
#include "app/feed/text_time.hpp"

namespace troupe::app {

namespace {

using market::market_event;
using market::ohlcv;
using trading::symbol_data;

constexpr std::int64_t ms_end = 4'102'444'800'000;  // 2100.

/// What a line holds.
struct bar_line {
  std::string_view symbol;  // Empty: there is no such column.
  std::int64_t time = 0;
  ohlcv values;
};

class bar_reader {
 public:
  explicit bar_reader(const std::string& path) : lines_(path) {
    std::string_view header;
    if (!lines_.next(header)) throw unusable_file(path + ": is empty");
    columns_.emplace(header);
    by_date_ = columns_->has({"date"});
    const std::string_view time = time_name();
    time_ = columns_->index(time);
    if (columns_->has({"symbol"})) symbol_ = columns_->index("symbol");
    const auto twice = columns_->twice({time, "symbol", "open", "high", "low", "close", "volume"});
    if (!twice.empty())
      throw unusable_file(place() + "the header has the column " + std::string(twice) + " twice");
  }

  bool by_date() const { return by_date_; }
  bool has_symbols() const { return symbol_.has_value(); }
  std::string_view time_name() const { return by_date_ ? "date" : "ts_ms"; }
  std::string place() const { return lines_.path() + ':' + std::to_string(lines_.number()) + ": "; }

  /// False: the end. `wrong` says what keeps the line from being a bar; empty: `to` is it.
  bool next(bar_line& to, std::string& wrong) {
    std::string_view line;
    if (!lines_.next(line)) return false;
    wrong.clear();
    read(line, to, wrong);
    return true;
  }

 private:
  void read(std::string_view line, bar_line& to, std::string& wrong) {
    if (line.size() > feed::line_source::line_max) {
      wrong = feed::line_source::too_long;
      return;
    }
    feed::split(line, fields_);
    if (fields_.size() != columns_->count()) {
      wrong = feed::wrong_count(fields_.size(), columns_->count());
      return;
    }
    auto& x = to.values;
    if (!read_time(to.time, wrong) || !read_symbol(to.symbol, wrong) ||
        !read_price("open", x.open, wrong) || !read_price("high", x.high, wrong) ||
        !read_price("low", x.low, wrong) || !read_price("close", x.close, wrong))
      return;
    const auto text = fields_[columns_->index("volume")];
    const auto volume = parse_wide(text);
    if (!volume || *volume < 0) {
      wrong = feed::no_volume("volume", text);
      return;
    }
    x.volume = *volume;
    if (x.low > x.open || x.low > x.close || x.high < x.open || x.high < x.close)
      wrong = "open and close must lie between low and high";
  }

  bool read_time(std::int64_t& to, std::string& wrong) {
    const auto text = fields_[time_];
    if (by_date_) {
      const auto day = text.size() == 10 ? feed::parse_time(text) : std::nullopt;
      if (!day) wrong = feed::no_date(text);
      to = day.value_or(0);
    } else {
      const auto ms = times_.read(text);
      if (!ms) wrong = times_.why();
      to = ms.value_or(0) * feed::us_per_ms;
    }
    return wrong.empty();
  }

  bool read_symbol(std::string_view& to, std::string& wrong) const {
    if (!symbol_) return true;
    to = fields_[*symbol_];
    if (!feed::good_symbol(to)) wrong = feed::no_symbol(to);
    return wrong.empty();
  }

  bool read_number(std::string_view name, fixed& to, std::string& wrong) const {
    const auto text = fields_[columns_->index(name)];
    const auto value = parse_fixed(text);
    if (!value || *value < fixed()) wrong = feed::no_number(name, text);
    to = value.value_or(fixed());
    return wrong.empty();
  }

  bool read_price(std::string_view name, fixed& to, std::string& wrong) const {
    if (!read_number(name, to, wrong)) return false;
    if (to == fixed()) wrong = std::string(name) + ": a price must be above 0";
    return wrong.empty();
  }

  feed::line_source lines_;
  std::optional<feed::columns> columns_;
  bool by_date_ = false;
  std::size_t time_ = 0;
  std::optional<std::size_t> symbol_;
  feed::ms_column times_{ms_end};
  std::vector<std::string_view> fields_;
};

std::optional<market::period> period_of(std::int64_t micros) {
  for (std::size_t i = 0; i < market::period_count; ++i)
    if (length_of(static_cast<market::period>(i)) == micros) return static_cast<market::period>(i);
  return std::nullopt;
}

/// The length of bars by their open times: two of a symbol that follow each other without a gap
/// tell it.
market::period length_of_bars(const bar_file& from, const std::vector<symbol_data>& symbols) {
  std::optional<std::int64_t> least;
  for (const auto& one : symbols)
    for (std::size_t i = 1; i < one.events.size(); ++i)
      least = std::min(least.value_or(INT64_MAX), one.events[i].time - one.events[i - 1].time);
  const auto told = [&] { return std::to_string(*least / feed::us_per_ms) + " ms"; };
  if (from.length && least && *least < length_of(*from.length))
    throw unusable_file(from.path + ": two bars open " + told() + " apart; of " +
                        std::string(name_of(*from.length)) + " (--period) they would overlap");
  if (from.length) return *from.length;
  const auto found = least ? period_of(*least) : std::nullopt;
  if (!found)
    throw unusable_file(from.path + ": the least time between two bars (" +
                        (least ? told() : "there is one") +
                        ") is not the length of bars; say --period");
  return *found;
}

/// Sorts a file's bars by symbols.
class bar_collector {
 public:
  bar_collector(const bar_file& from, const std::function<bool(const std::string&)>& wanted)
      : from_(from), wanted_(wanted), reader_(from.path) {}

  bars_of_file read() {
    const auto symbol = only_symbol();
    if (!symbol.empty() && !wanted_(symbol)) return {};
    bar_line line;
    for (std::string wrong; reader_.next(line, wrong); ++lines_) {
      if (wrong.empty()) wrong = take(line, symbol.empty() ? line.symbol : symbol);
      if (!wrong.empty()) skip(wrong);
    }
    if (lines_ == 0) throw unusable_file(from_.path + ": has a header and no bars");
    if (lines_ == all_.bad_lines)
      throw unusable_file(from_.path + ": none of its " + std::to_string(lines_) +
                          " lines is a bar; the first: " + first_);
    if (!reader_.by_date() && !all_.symbols.empty())
      all_.length = length_of_bars(from_, all_.symbols);
    for (auto& one : all_.symbols)
      for (auto& e : one.events) e.length = all_.length;
    return std::move(all_);
  }

 private:
  /// That of all bars; empty: each line says its own.
  std::string only_symbol() const {
    if (reader_.has_symbols()) {
      if (from_.symbol.empty()) return {};
      throw unusable_file(from_.path +
                          ": has a column symbol, so it is given none; --symbol chooses some of "
                          "its symbols");
    }
    const auto symbol = from_.symbol.empty() ? feed::symbol_of_file(from_.path) : from_.symbol;
    if (!feed::good_symbol(symbol))
      throw unusable_file(from_.path + ": " + symbol + " is no symbol; say SYMBOL=FILE");
    return symbol;
  }

  /// Returns why not.
  std::string take(const bar_line& line, std::string_view symbol) {
    auto* const to = data_of(symbol);
    if (to == nullptr) return {};
    if (!to->events.empty() && line.time <= to->events.back().time)
      return std::string(reader_.time_name()) + ": not later than the bar before it";
    market_event e;
    e.kind = market::event_kind::bar;
    e.time = line.time;
    e.offset = static_cast<std::int64_t>(to->events.size());
    e.detail = static_cast<std::uint32_t>(to->details.size());
    to->events.push_back(e);
    to->details.push_back(line.values);
    return {};
  }

  void skip(const std::string& wrong) {
    if (!from_.skip_bad_lines)
      throw unusable_file(reader_.place() + wrong + std::string(skip_hint));
    if (++all_.bad_lines == 1) first_ = reader_.place() + wrong;
  }

  /// nullptr: it is not wanted.
  symbol_data* data_of(std::string_view symbol) {
    if (last_ < all_.symbols.size() && all_.symbols[last_].rules.symbol == symbol)
      return &all_.symbols[last_];
    auto found = places_.find(symbol);
    if (found == places_.end()) {
      const std::string name(symbol);
      const bool taken = wanted_(name);
      found = places_.emplace(name, taken ? all_.symbols.size() : none).first;
      if (taken) all_.symbols.emplace_back().rules.symbol = name;
    }
    if (found->second == none) return nullptr;
    last_ = found->second;
    return &all_.symbols[last_];
  }

  static constexpr std::size_t none = SIZE_MAX;
  const bar_file& from_;
  const std::function<bool(const std::string&)>& wanted_;
  bar_reader reader_;
  bars_of_file all_;
  std::map<std::string, std::size_t, std::less<>> places_;
  std::size_t last_ = 0;
  std::uint64_t lines_ = 0;
  std::string first_;  // What is wrong with the first bad line.
};

}  // namespace

bool is_bar_header(std::string_view line) {
  const feed::columns columns(line);
  return columns.has({"open", "high", "low", "close", "volume"}) &&
         (columns.has({"date"}) || columns.has({"ts_ms"}));
}

bars_of_file read_bars(const bar_file& from,
                       const std::function<bool(const std::string&)>& wanted) {
  return bar_collector(from, wanted).read();
}

}  // namespace troupe::app
