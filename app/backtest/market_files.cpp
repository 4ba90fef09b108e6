#include "app/backtest/market_files.hpp"

#include <algorithm>
#include <filesystem>

#include "actors/market/market_decoder.hpp"
#include "app/backtest/bar_file.hpp"
#include "app/failure.hpp"
#include "app/feed/merge.hpp"
#include "app/feed/progress.hpp"

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
    if (!ticks.empty()) load_ticks(ticks);
    return finish();
  }

 private:
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
    const auto symbol = file.symbol.empty() ? feed::symbol_of_file(file.path) : file.symbol;
    if (!feed::good_symbol(symbol))
      throw unusable_file(file.path + ": " + symbol + " is no symbol; say SYMBOL=FILE");
    if (!wanted(symbol)) return;
    auto& to = data_of(symbol);
    if (!to.events.empty())
      throw unusable_file(file.path + ": symbol " + symbol + " has bars already");
    const auto length = read_bars(file.path, from_.bars, to);
    if (bars_ && *bars_ != length)
      throw unusable_file(file.path + ": its bars are of " + std::string(name_of(length)) +
                          ", those before of " + std::string(name_of(*bars_)));
    if (from_.bars && *from_.bars != length)
      throw unusable_file(file.path + ": its bars are of " + std::string(name_of(length)) +
                          ", and --period says " + std::string(name_of(*from_.bars)));
    bars_ = length;
  }

  void load_ticks(const std::vector<std::string>& paths) {
    feed::merger from(feed::open_all(paths));
    feed::progress shown;
    market::record_reader reader{market::market_options{}};
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
    if (read.refusal == market::decode_refusal::unknown_type) return void(++all_.skipped);
    if (read.refusal != market::decode_refusal::none) {
      if (from_.skip_bad_lines) return void(++all_.skipped);
      throw unusable_file(place_of(from) + std::string(name_of(read.refusal)) + ": " +
                          std::string(read.detail) + " in " + r.payload.substr(0, 120));
    }
    const bool is_bar = e.kind == market::event_kind::bar;
    if (is_bar && !bars_) bars_ = from_.bars.value_or(e.length);
    if (e.kind == market::event_kind::ticker || (is_bar && e.length != *bars_))
      return void(++all_.skipped);
    auto& to = data_of(r.key);
    e.offset = static_cast<std::int64_t>(to.events.size());
    if (is_bar) {
      e.detail = static_cast<std::uint32_t>(to.details.size());
      to.details.push_back(x);
    }
    to.events.push_back(e);
  }

  /// Of several files nobody knows which one gave the record.
  static std::string place_of(const feed::merger& from) {
    if (from.files().size() > 1) return {};
    const auto& source = from.files()[0]->source();
    return source.path() + ':' + std::to_string(source.number()) + ": ";
  }

  void check_lines(const feed::record_reader& file) {
    all_.skipped += file.bad();
    if (file.bad() == 0 || from_.skip_bad_lines) return;
    const auto& first = file.bad_lines().front();
    throw unusable_file(file.source().path() + ':' + std::to_string(first.number) + ": " +
                        std::string(first.why) + " (" + std::to_string(file.bad()) +
                        " such lines; --skip-bad-lines goes on without them)");
  }

  loaded_market finish() {
    all_.bars = bars_.value_or(from_.bars.value_or(market::period::m1));
    for (const auto& symbol : from_.symbols)
      if (data_of(symbol).events.empty())
        throw unusable_file("the data has nothing of symbol " + symbol + " (--symbol)");
    if (all_.symbols.empty())
      throw unusable_file(
          "the data holds no events: nothing but headers, or kinds of records that no strategy "
          "sees");
    for (const auto& one : all_.symbols) {
      all_.events += one.events.size();
      const auto is_bar = [](const market_event& e) { return e.kind == market::event_kind::bar; };
      const auto bars = std::count_if(one.events.begin(), one.events.end(), is_bar);
      if (bars > 0 && bars < static_cast<std::ptrdiff_t>(one.events.size()))
        throw unusable_file("symbol " + one.rules.symbol +
                            " has both bars and ticks; give one of them");
    }
    if (!from_.symbols.empty()) sort_as_asked();
    return std::move(all_);
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
};

}  // namespace

loaded_market load_market(const market_files& from) {
  return market_loader(from).load();
}

}  // namespace troupe::app
