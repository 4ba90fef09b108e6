#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/model/market_event.hpp"
#include "actors/trading/money.hpp"
#include "actors/trading/order.hpp"

namespace troupe::trading {

/// When an event is known: a bar's is when it closes, or when it opens while it is still forming.
inline std::int64_t known_at(const market::market_event& e) {
  const bool closed =
      e.kind == market::event_kind::bar && (e.flags & market::market_event::forming) == 0;
  return closed ? e.time + length_of(e.length) : e.time;
}

struct paper_options {
  fixed maker_fee_bps, taker_fee_bps;  // Of a fill's value; negative: a rebate.
  fixed slippage_bps;                  // Takers pay so much more, or get so much less.
  std::int64_t latency_micros = 0;     // From a decision to the venue.
  bool displayed_size = false;         // Fills take at most what the quote or trade shows.
  bool queue_position = false;         // Limit orders wait behind what was displayed before them.
  bool operator==(const paper_options&) const = default;
};

/// An order at the paper venue.
struct paper_order {
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t always = std::numeric_limits<std::int64_t>::min();

  venue_order terms;
  std::int64_t fills = 0;
  fixed filled;
  bool met = false;        // An event has met it: limit orders rest from now on.
  bool triggered = false;  // Stops: the price has been reached.
  bool ended = false;
  bool resting_soon = false;  // Triggered within this bar: rests from the next event on.
  std::uint32_t account = 0;
  fixed best;                      // trailing_stop: best price so far; 0: none yet.
  std::optional<fixed> ahead;      // queue_position: what must trade first; nothing: not known yet.
  std::int64_t behind = -1;        // Only events behind this offset count.
  std::int64_t live_after = 0;     // Only later events count, microseconds.
  std::int64_t known = always;     // It has met what was known until then: no bar from before.
  std::int64_t expires = never;    // Not at or after, microseconds.
  std::int64_t clock_end = never;  // As `expires`, by the clock; for `advance`.
  std::int64_t cancel_after = never;  // Later events find it canceled, microseconds.
  std::int64_t clock_cancel = never;  // As `cancel_after`, by the clock.

  fixed remaining() const { return fixed::from_raw(terms.quantity.raw() - filled.raw()); }
  bool operator==(const paper_order&) const = default;
};

/// The paper venue for one symbol. What happens to an order follows from the order, its cancels and
/// the events behind its decision alone: orders do not take liquidity from each other, and nothing
/// is remembered of the market. Only reduce-only orders and OCO groups know of other orders.
///
/// Which events count for an order
/// - Those behind its decision: a higher offset than decided.offset, where that is given; and not
///   earlier than decided.time, later than decided.time + latency where there is a latency or no
///   offset. A bar's time is its open.
/// - A bar tells of a time, and counts only if that lies wholly ahead: it opens no earlier than the
///   decision, and than whatever the order has met. So in a log with trades and bars, or with bars
///   of several lengths, an order that works by the one is not filled by the past of the other.
/// - Trades, quotes and closed bars. Tickers and forming bars never count.
/// - Expiry comes first: at or after good_till (GTD) or the end of decided's UTC day (DAY). Then
///   cancels.
///
/// Prices
/// - Market orders: if the market had a quote of the side they take from when they were decided,
/// they
///   wait for the next quote of that side and fill at its price; otherwise the first event fills
///   them: a quote at that side's price, a trade at its price, a bar at its open.
/// - Limit orders that the first event can fill are takers at that event's price, as market orders
///   are (post-only ones are canceled). Otherwise they rest, and fill as makers at their limit:
///   when the other side's quote reaches it, a trade is at or through it, or a bar's range holds it
///   (at the bar's open, where that is better: only there can a price jump past a resting order).
/// - Stops are reached by a trade, by the quote of the side that they take from, or in a bar. They
///   fill at once: at that quote or trade, at the bar's open if that is at or beyond the stop,
///   otherwise at the stop.
/// - Stop-limits become limit orders then: if the price that reached the stop is within the limit
/// they
///   fill at it as takers, otherwise they rest from the next event on.
/// - Trailing stops follow trades, the quote of the side that they take from and bars from
/// decided.last
///   on. Within a bar: the open moves the stop, then the low (sell) is held against it, and only
///   then does the high move it.
/// - Within a bar: the open before all else, then stops before limits. In any event, older orders
/// come
///   first.
/// - Takers' prices are worse by slippage_bps, rounded against them to 1e-8, never beyond their
/// limit.
///
/// Sizes
/// - displayed_size: a fill takes no more than the quote or trade shows (0: not known, all); the
/// rest
///   waits for the next event. Bars fill all.
/// - queue_position: a limit order that rests has the size ahead of it that the first quote of its
/// own
///   side with its price shows (a better price: nothing). Trades at its limit use that up before
///   they fill it; a smaller displayed size shortens it. Trades through the limit fill it in any
///   case; in bars the price must go through the limit.
/// - IOC: what the first event does not fill is canceled. FOK: if it cannot fill all, nothing is.
/// - reduce_only: at most what its portfolio holds here against it; nothing to reduce: canceled.
/// - A fill cancels the others of its group; reduce-only ones shrink by its quantity instead.
///
/// Fees: bps of price * quantity, rounded to 1e-8 in the venue's favour. Fill ids are `ORDER.n`.
class paper_book {
 public:
  explicit paper_book(std::string symbol, paper_options options = {});

  using reports = std::vector<order_report>;

  /// Takes an order and acknowledges it, or rejects it by name: `duplicate_order`, `wrong_symbol`,
  /// `not_positive`. `now`: the clock, where there is one; an order whose end lies ahead of it ends
  /// by the clock, too.
  void take(const venue_order& order, reports& out, time_point now = time_point::max());
  /// Cancels from events behind `decided` on; at once without latency, or where that is no event of
  /// the log: so people cancel. `now` as for `take`: later by the latency the clock cancels it,
  /// too. Refused: `unknown_order`.
  void cancel(std::string_view id, const decision_point& decided, reports& out,
              time_point now = time_point::max());
  /// Sets an order's quantity, counted from its beginning; it is canceled when nothing is left.
  /// Refused: `unknown_order`.
  void change_quantity(std::string_view id, fixed quantity, time_point time, reports& out);
  /// Meets the orders with one event; `bar` is its ohlcv when it is a bar, and not looked at
  /// otherwise.
  void apply(const market::market_event& e, const market::ohlcv* bar, reports& out) {
    if (orders_.empty()) return;
    if (wakes(e)) match(e, bar, out);
    if (counts(e)) known_ = std::max(known_, known_at(e));
  }
  /// Whether an event is one that orders can meet.
  static bool counts(const market::market_event& e) {
    return e.kind != market::event_kind::ticker && (e.flags & market::market_event::forming) == 0;
  }
  /// What is open has seen all events up to here: read again, they do not count for it any more.
  void seen(std::int64_t offset);
  /// Ends what has expired or is canceled by the clock, where no event says so: as much later than
  /// its end as it was taken later than its decision. The caller knows that the log is silent.
  void advance(time_point now, reports& out);
  /// When the clock ends the first one; `never`: none.
  std::int64_t clock_end() const;

  const std::string& symbol() const { return symbol_; }
  const paper_options& options() const { return options_; }
  /// Open ones, oldest first.
  const std::vector<paper_order>& orders() const { return orders_; }
  bool has(std::string_view order) const;
  fixed holding(std::string_view portfolio) const;
  /// Another book has filled orders of this portfolio, too.
  void hold(std::string_view portfolio, fixed holding);

  static constexpr int schema = 1;
  /// The state as JSON text, options included, and back; throws bad_state.
  std::string save() const;
  static paper_book load(std::string_view state);

 private:
  friend class paper_book_loader;
  friend class paper_matching;
  struct account {
    std::string portfolio;
    fixed holding;  // Signed.
  };
  static constexpr fixed greatest = fixed::from_raw(INT64_MAX);
  static constexpr fixed least = fixed::from_raw(INT64_MIN);
  /// What an event must bring so that any order could care.
  struct alarm {
    bool any = false;  // Every event.
    std::int64_t time = paper_order::never;
    fixed buy_limit = least, sell_stop = least;        // At or below.
    fixed sell_limit = greatest, buy_stop = greatest;  // At or above.
  };

  bool wakes(const market::market_event& e) const {
    if (alarm_.any || e.time >= alarm_.time) return true;
    if (e.kind == market::event_kind::quote)
      return e.ask <= alarm_.buy_limit || e.price <= alarm_.sell_stop ||
             e.price >= alarm_.sell_limit || e.ask >= alarm_.buy_stop;
    if (e.kind != market::event_kind::trade) return true;
    return e.price <= alarm_.buy_limit || e.price <= alarm_.sell_stop ||
           e.price >= alarm_.sell_limit || e.price >= alarm_.buy_stop;
  }
  void match(const market::market_event& e, const market::ohlcv* bar, reports& out);
  std::uint32_t account_of(std::string_view portfolio);
  bool fits(const paper_order& o) const;
  void add(paper_order&& o);
  paper_order* find(std::string_view id);
  std::int64_t known_to(const paper_order& o) const { return std::max(o.known, known_); }
  void close(paper_order& o, report_kind how, std::string_view why, std::int64_t time,
             reports& out);
  void sweep();
  void set_alarm();
  void add_to_alarm(const paper_order& o);

  std::string symbol_;
  paper_options options_;
  std::vector<paper_order> orders_;
  std::vector<account> accounts_;
  alarm alarm_;
  /// All orders have met what was known until then, since the last one was added.
  std::int64_t known_ = paper_order::always;
};

}  // namespace troupe::trading
