#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/market/indicators/indicator_set.hpp"
#include "actors/market/market_options.hpp"
#include "actors/model/bar.hpp"
#include "actors/model/market_event.hpp"

namespace troupe::market {

/// Why a symbol does not take an event. Stored by name. In order of precedence within a kind of
/// event.
enum class refusal : std::uint8_t {
  out_of_order = 0,  // Trade: its id is below the last one's.
  duplicate = 1,     // Trade: its id is the last one's.
  late = 2,          // Trade: the bar it belongs to has been closed.
  stale_quote = 3,   // Update id not above the last; without one, time before the last quote's.
  stale_ticker = 4,  // Time before the last ticker's.
  period_not_configured = 5,     // Bar of a period that nobody asked for.
  period_from_other_source = 6,  // Bar of a period that this symbol makes from its trades.
  stale_bar = 7,                 // Bar not newer than the last closed one of its period.
};
inline constexpr std::size_t refusal_count = 8;
std::string_view name_of(refusal r);

/// What all symbols have in common; made once from the options.
struct symbol_rules {
  /// Requires: periods and indicators that the options' check has let through.
  explicit symbol_rules(const market_options& options);

  std::vector<period> periods;  // Ascending, each once.
  std::int64_t lateness_max;    // Microseconds.
  indicator_plan indicators;
  std::int64_t plan_id;  // Of the indicators' names in their order: equal names, equal id.
};

/// Best bid and ask. A price of 0: not known, or that side is empty.
struct top_of_book {
  fixed bid, bid_size, ask, ask_size;
  bool operator==(const top_of_book&) const = default;
};

/// Hears what a symbol brings forth.
class symbol_listener {
 public:
  virtual ~symbol_listener() = default;
  /// `values` in the order of the plan's names, NaN where an indicator has none yet.
  virtual void bar_closed(period length, const price_bar& closed,
                          std::span<const double> values) = 0;
  /// The best prices at the end of a second that had a quote.
  virtual void second_ended(std::int64_t second, const top_of_book& last) = 0;
};

struct last_trade {
  fixed price, size;
  std::int64_t time = 0;
};

struct quote_state {
  static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::min();
  top_of_book top;
  std::int64_t time = none;    // Watermark: never goes back.
  std::int64_t second = none;  // The open second.
  std::int64_t id = market_event::no_id;
};

/// The UTC day of the newest trade.
struct session_state {
  price_bar day;
  wide notional = 0;  // Sum of price times size, units of 1e-16; stays at its greatest value.
};

struct ticker_state {
  std::int64_t time = 0;
  ohlcv window;
};

/// Who makes the bars of a period: whichever came first.
enum class bar_source : std::uint8_t { none = 0, trades = 1, bars = 2 };

struct period_state {
  period_state(period p, const indicator_plan& plan) : length(p), indicators(plan) {}

  period length;
  bar_source source = bar_source::none;
  std::int64_t last_closed = std::numeric_limits<std::int64_t>::min();  // Its open time.
  std::vector<price_bar> open;                                          // By open time.
  indicator_set indicators;
};

/// What is kept of a period that is no longer configured, so that no bar comes twice if it is
/// again.
struct dormant_period {
  period length;
  bar_source source;
  std::int64_t last_closed;
};

struct symbol_counters {
  std::array<std::int64_t, event_kind_count> received{};  // = applied + what was refused, always.
  std::array<std::int64_t, event_kind_count> applied{};
  std::array<std::int64_t, refusal_count> refused{};
};

/// Everything known about one symbol: a pure function of its events and the rules.
class symbol {
 public:
  /// `rules` must outlive it.
  explicit symbol(const symbol_rules& rules);

  /// Folds events from index `done` on, which counts them as they are finished.
  void apply(const market_batch& events, std::size_t& done, symbol_listener& out);
  /// Folds one event; `detail` is looked at for bars and tickers. Nothing: it was taken.
  std::optional<refusal> apply(const market_event& e, const ohlcv& detail, symbol_listener& out);

  /// The state as JSON text; what it holds is described in docs/market-data.md.
  std::string save() const;
  /// Restores what `save` wrote. Periods that are no longer configured lose their open bars, new
  /// ones start empty, and changed indicators start anew. Throws bad_state; then the symbol is of
  /// no use.
  void load(std::string_view state);

  const symbol_counters& counters() const { return counters_; }
  const std::optional<last_trade>& last() const { return last_; }
  const std::optional<session_state>& session() const { return session_; }
  const quote_state& quote() const { return quote_; }
  const std::vector<period_state>& periods() const { return periods_; }

 private:
  friend class symbol_loader;
  using verdict = std::optional<refusal>;
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::min();

  verdict take(const market_event& e, const ohlcv& detail, symbol_listener& out);
  verdict take_trade(const market_event& e, symbol_listener& out);
  verdict take_quote(const market_event& e, symbol_listener& out);
  verdict take_ticker(const market_event& e, const ohlcv& window);
  verdict take_bar(const market_event& e, const ohlcv& values, symbol_listener& out);

  void claim_for_trades();
  void fold_session(const market_event& trade);
  void advance(std::int64_t newest, symbol_listener& out);
  void close(period_state& of, const price_bar& closed, symbol_listener& out);
  std::int64_t watermark(std::int64_t newest) const;
  void restore_watermark();

  const symbol_rules* rules_;
  std::vector<period_state> periods_;
  std::vector<dormant_period> dormant_;
  symbol_counters counters_;
  std::int64_t trade_id_ = market_event::no_id;
  wide volume_ = 0;
  std::optional<last_trade> last_;  // The newest by time.
  std::optional<session_state> session_;
  quote_state quote_;
  std::optional<ticker_state> ticker_;
  std::int64_t late_before_ = never;  // Trades before this are late.

  // Follow from the above.
  bool unclaimed_ = true;            // A period may still have no source.
  std::int64_t unit_ = day_micros;   // Shortest period made from trades; all others are multiples.
  std::int64_t next_close_ = never;  // No bar can close before a trade of this time.
};

}  // namespace troupe::market
