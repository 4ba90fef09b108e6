#include "app/backtest/market_files.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "actors/market/market_decoder.hpp"
#include "app/backtest/bar_file.hpp"
#include "app/failure.hpp"
#include "app/feed/fields.hpp"
#include "app/feed/merge.hpp"
#include "app/feed/progress.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::app {

namespace {

using market::market_event;
using market::ohlcv;
using trading::symbol_data;

struct named_file {
  std::string symbol;  // Empty: not said.
  std::string path;
};

named_file parse_name(const std::string& text) {
  const auto at = text.find('=');
  if (at == std::string::npos || std::filesystem::exists(text)) return {{}, text};
  return {text.substr(0, at), text.substr(at + 1)};
}

/// What a file's first line must be.
constexpr std::string_view allowed =
    "is no kind of data that can be read. The first line must be a header with the columns "
    "date,open,high,low,close,volume (daily bars), ts_ms,open,high,low,close,volume (bars), "
    "ts_ms,symbol,price,size (trades) or ts_ms,symbol,bid,bid_size,ask,ask_size (quotes), or "
    "already a record: `NANOSECONDS {frame}` or {\"type\":...}";

/// The bars of a symbol that one file had.
struct part {
  std::string path;
  symbol_data data;
};

/// What must be otherwise for a record to be taken.
std::string words_of(const market::decode_result& r, const market::market_options& limits) {
  using market::decode_refusal;
  const auto field = std::string(r.detail) + ": ";
  switch (r.refusal) {
    case decode_refusal::malformed_json:
      return "is not one JSON object in UTF-8";
    case decode_refusal::symbol_invalid:
      return field + "must be " + std::string(market::symbols_text);
    case decode_refusal::wrong_key:
      return field + "is another symbol than that of the stream";
    case decode_refusal::missing_field:
      return field + "is missing";
    case decode_refusal::price_out_of_range:
      return field + "must be above 0 and at most " + to_string(limits.price_max);
    case decode_refusal::size_out_of_range:
      return field + "must be 0 (of a trade: above 0) to " + to_string(limits.size_max) +
             "; volumes a million times that";
    case decode_refusal::time_out_of_range:
      return field + "must be of 1970 to 2099";
    default:
      return field + "is not what this field must be (docs/market-data.md)";
  }
}

class market_loader {
 public:
  explicit market_loader(const market_files& from) : from_(from) {}

  loaded_market load() {
    std::vector<std::string> ticks;
    for (const auto& text : from_.files) {
      const auto file = parse_name(text);
      if (is_bar_file(file.path))
        load_bars(file);
      else if (!file.symbol.empty())
        throw unusable_file(text + ": only files of bars are given a symbol; " + file.path +
                            " names its own");
      else
        add_ticks(file.path, ticks);
    }
    join_parts();
    if (!ticks.empty()) load_ticks(ticks);
    return finish();
  }

 private:
  static bool is_bar_file(const std::string& path) {
    feed::line_source lines(path);
    std::string_view line;
    if (!lines.next(line)) throw unusable_file(path + ": is empty");
    if (is_bar_header(line)) return true;
    if (!feed::kind_of(line))
      throw unusable_file(path + ':' + std::to_string(lines.number()) + ": " + feed::quoted(line) +
                          ' ' + std::string(allowed));
    return false;
  }

  static void add_ticks(const std::string& path, std::vector<std::string>& to) {
    std::error_code none;
    for (const auto& one : to)
      if (std::filesystem::equivalent(one, path, none))
        throw unusable_file(path + ": is given twice; each trade would count twice");
    to.push_back(path);
  }

  bool wanted(const std::string& symbol) const {
    return from_.symbols.empty() ||
           std::find(from_.symbols.begin(), from_.symbols.end(), symbol) != from_.symbols.end();
  }

  symbol_data& data_of(const std::string& symbol) {
    for (auto& one : all_.symbols)
      if (one.rules.symbol == symbol) return one;
    auto& made = all_.symbols.emplace_back();
    made.rules.symbol = symbol;
    return made;
  }

  void load_bars(const named_file& file) {
    auto read = read_bars({file.path, file.symbol, from_.bars, from_.skip_bad_lines},
                          [this](const std::string& symbol) { return wanted(symbol); });
    all_.bad_lines += read.bad_lines;
    if (read.symbols.empty()) return;
    const std::string length(name_of(read.length));
    if (bars_ && *bars_ != read.length)
      throw unusable_file(file.path + ": its bars are of " + length + ", those before of " +
                          std::string(name_of(*bars_)));
    if (from_.bars && *from_.bars != read.length)
      throw unusable_file(file.path + ": its bars are of " + length + ", and --period says " +
                          std::string(name_of(*from_.bars)));
    bars_ = read.length;
    for (auto& one : read.symbols) parts_.push_back({file.path, std::move(one)});
  }

  /// A symbol's bars may be spread over files, given in any order.
  void join_parts() {
    std::vector<std::string> symbols;
    for (const auto& one : parts_)
      if (const auto& symbol = one.data.rules.symbol;
          std::find(symbols.begin(), symbols.end(), symbol) == symbols.end())
        symbols.push_back(symbol);
    std::stable_sort(parts_.begin(), parts_.end(), [](const part& a, const part& b) {
      return a.data.events.front().time < b.data.events.front().time;
    });
    for (const auto& symbol : symbols) {
      const part* before = nullptr;
      auto& to = data_of(symbol);
      for (auto& one : parts_)
        if (one.data.rules.symbol == symbol) append(to, one, std::exchange(before, &one));
    }
    parts_.clear();
    of_bar_files_ = all_.symbols.size();
  }

  static void append(symbol_data& to, part& one, const part* before) {
    auto& from = one.data;
    if (before != nullptr && from.events.front().time < trading::known_at(to.events.back()))
      throw unusable_file(one.path + ": its bars of symbol " + from.rules.symbol +
                          " overlap those of " + before->path);
    if (before == nullptr) {
      to.events = std::move(from.events);
      to.details = std::move(from.details);
      return;
    }
    for (const auto& e : from.events) add(to, e, from.details[e.detail]);
  }

  static void add(symbol_data& to, market_event e, const ohlcv& x) {
    e.offset = static_cast<std::int64_t>(to.events.size());
    if (e.kind == market::event_kind::bar) {
      e.detail = static_cast<std::uint32_t>(to.details.size());
      to.details.push_back(x);
    }
    to.events.push_back(e);
  }

  void load_ticks(const std::vector<std::string>& paths) {
    feed::merger from(feed::open_all(paths));
    feed::progress shown;
    market::record_reader reader{limits_};
    for (std::uint64_t rows = 0; const auto* const r = from.next(); ++rows) {
      take(*r, reader, from);
      if (rows % 1024 == 0) shown.at(rows, from.share());
    }
    shown.done();
    for (const auto& file : from.files()) check_lines(*file);
  }

  void take(const feed::record& r, market::record_reader& reader, const feed::merger& from) {
    if (!wanted(r.key)) return;
    market_event e;
    ohlcv x;
    const record_view view{r.key, r.payload, 0, r.timestamp_ms.value_or(-1)};
    const auto read = reader.read(view, e, x);
    if (read.refusal == market::decode_refusal::unknown_type) return void(++all_.left_out);
    if (read.refusal != market::decode_refusal::none) return refuse(r, read, from);
    const bool is_bar = e.kind == market::event_kind::bar;
    if (is_bar && !bars_) bars_ = from_.bars.value_or(e.length);
    const bool other = is_bar && e.length != *bars_;
    if (other) other_length_ = e.length;
    if (other || e.kind == market::event_kind::ticker) return void(++all_.left_out);
    auto& to = data_of(r.key);
    if (is_bar && static_cast<std::size_t>(&to - all_.symbols.data()) < of_bar_files_)
      throw unusable_file(place_of(from) + "symbol " + r.key +
                          " has bars of another file; give one of them");
    add(to, e, x);
  }

  void refuse(const feed::record& r, const market::decode_result& why, const feed::merger& from) {
    constexpr std::size_t shown_max = 120;
    if (from_.skip_bad_lines) return void(++all_.bad_lines);
    throw unusable_file(place_of(from) + words_of(why, limits_) + " in " +
                        printable(cut(r.payload, shown_max)) + std::string(skip_hint));
  }

  static std::string place_of(const feed::merger& from) {
    const auto& source = from.file().source();
    return source.path() + ':' + std::to_string(source.number()) + ": ";
  }

  void check_lines(const feed::record_reader& file) {
    all_.bad_lines += file.bad();
    if (file.bad() == 0 || from_.skip_bad_lines) return;
    const auto& first = file.bad_lines().front();
    throw unusable_file(file.source().path() + ':' + std::to_string(first.number) + ": " +
                        first.why + " (" + std::to_string(file.bad()) +
                        " such lines; --skip-bad-lines goes on without them)");
  }

  loaded_market finish() {
    choose_bars_or_ticks();
    refuse_if_nothing();
    all_.bars = bars_.value_or(from_.bars.value_or(market::period::m1));
    for (const auto& one : all_.symbols) all_.events += one.events.size();
    if (!from_.symbols.empty()) sort_as_asked();
    return std::move(all_);
  }

  /// Records may hold both: --period asks for the bars of that length, otherwise the ticks are
  /// taken.
  void choose_bars_or_ticks() {
    const auto is_bar = [](const market_event& e) { return e.kind == market::event_kind::bar; };
    bool has_bars = false;
    for (std::size_t i = 0; i < all_.symbols.size(); ++i) {
      auto& one = all_.symbols[i];
      const auto bars = std::count_if(one.events.begin(), one.events.end(), is_bar);
      const bool both = bars > 0 && bars < static_cast<std::ptrdiff_t>(one.events.size());
      if (both && i < of_bar_files_)
        throw unusable_file("symbol " + one.rules.symbol +
                            " has both bars and ticks; give one of them");
      if (both) keep(one, from_.bars.has_value());
      has_bars = has_bars || (both ? from_.bars.has_value() : bars > 0);
    }
    if (!has_bars) bars_.reset();
  }

  void keep(symbol_data& of, bool bars) {
    symbol_data kept{of.rules, {}, {}};
    for (const auto& e : of.events) {
      const bool is_bar = e.kind == market::event_kind::bar;
      if (is_bar == bars)
        add(kept, e, is_bar ? of.details[e.detail] : ohlcv());
      else
        ++all_.left_out;
    }
    of = std::move(kept);
  }

  void refuse_if_nothing() {
    if (all_.symbols.empty() && other_length_)
      throw unusable_file("the data has bars of " + std::string(name_of(*other_length_)) +
                          ", and --period says " + std::string(name_of(*from_.bars)));
    for (const auto& symbol : from_.symbols)
      if (data_of(symbol).events.empty())
        throw unusable_file("the data has nothing of symbol " + symbol + " (--symbol)");
    if (all_.symbols.empty() && all_.bad_lines > 0)
      throw unusable_file("the data holds no events: all lines were skipped (--skip-bad-lines)");
    if (all_.symbols.empty())
      throw unusable_file(
          "the data holds no events: nothing but headers, or kinds of records that no strategy "
          "sees");
  }

  void sort_as_asked() {
    const auto place = [this](const symbol_data& one) {
      return std::find(from_.symbols.begin(), from_.symbols.end(), one.rules.symbol);
    };
    std::sort(all_.symbols.begin(), all_.symbols.end(),
              [&](const auto& a, const auto& b) { return place(a) < place(b); });
  }

  const market_files& from_;
  loaded_market all_;
  std::optional<market::period> bars_;
  std::optional<market::period> other_length_;  // Of bars that were left out.
  const market::market_options limits_;
  std::vector<part> parts_;
  std::size_t of_bar_files_ = 0;  // The first symbols: their bars are of CSV files.
};

}  // namespace

loaded_market load_market(const market_files& from) {
  return market_loader(from).load();
}

}  // namespace troupe::app
