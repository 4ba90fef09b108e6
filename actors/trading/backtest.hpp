#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "actors/trading/metrics.hpp"
#include "actors/trading/paper_book.hpp"
#include "actors/trading/portfolio.hpp"
#include "actors/trading/risk.hpp"
#include "actors/trading/session.hpp"

namespace troupe::trading {

/// The recorded events of one symbol, in the order in which they are replayed; offsets grow.
struct symbol_data {
  instrument rules;
  std::vector<market::market_event> events;
  std::vector<market::ohlcv> details;  // Of bars, by `detail`.
};

struct backtest_settings {
  session_settings session;
  fixed cash = fixed::from_raw(100'000 * fixed::scale);
  risk_limits limits;
  paper_options venue;
  int days_per_year = 252;
};

/// What became of a request.
struct order_row {
  order_request request{};  // Children of brackets: their terms as a request of number 0.
  std::string id{};         // Empty: denied.
  risk_refusal refused = risk_refusal::none;
  std::string detail{};  // Of the refusal, or the reason of the order's end.
  order_status status = order_status::pending;
  fixed quantity{};  // Approved.
  fixed filled{};
  money value = 0;  // Of its fills.
  money fees = 0;
};

struct backtest_result {
  std::int64_t events = 0;
  /// Of them: what the market's rules refuse, by market::refusal. No strategy has seen those.
  std::array<std::int64_t, market::refusal_count> refused{};
  std::vector<order_row> orders;
  std::vector<fill> fills;
  std::vector<round_trip> trips;
  std::vector<equity_point> curve;
  run_metrics metrics;
  money cash = 0;
  std::vector<fixed> positions;  // By symbol.
};

/// Runs one session over recorded events: the same strategy, session, risk check, portfolio and
/// paper venue as live, one event after the other on one thread, so that equal input gives equal
/// output. Each event first meets the orders that are at the venue, and only then the strategy.
class backtest final : portfolio_listener {
 public:
  /// Requires: session settings that `check` lets through.
  explicit backtest(const backtest_settings& settings);
  ~backtest() override;

  /// Makes room for the orders of so many events: only what is used of it costs memory.
  void expect(std::size_t events);
  /// The next event of a symbol (by its place in the session). Requires: offsets that grow.
  void take(std::size_t symbol, const market::market_event& e, const market::ohlcv& detail);
  /// Requires: called once, at the end.
  backtest_result finish();

 private:
  void order_placed(const order& o) override;
  void cancel_asked(const order& o, const decision_point& decided) override;
  void quantity_changed(const order& o) override;
  void order_filled(const order& o, const fill& f) override;
  void order_changed(const order& o) override;

  void settle_reports();
  void settle(const order_report& report);
  void carry_out(std::size_t symbol);
  void ask(order_request&& wish);
  void cancel_opening(const decision_point& at);
  void mark(std::size_t symbol, const market::market_event& e);
  order_row& row_of(const order& o) { return result_.orders[rows_[index_of(o)]]; }
  static std::size_t index_of(const order& o) { return static_cast<std::size_t>(o.number); }

  session session_;
  risk risk_;
  portfolio portfolio_;
  std::vector<paper_book> books_;
  performance performance_;
  backtest_result result_;
  session_effects wishes_;
  paper_book::reports reports_;    // Not settled yet.
  paper_book::reports told_;       // Being settled.
  std::vector<std::size_t> rows_;  // By the order's number.
  std::vector<wide> values_;       // Of the positions, by symbol, units of 1e-16.
  wide held_ = 0;                  // Their sum.
  std::int64_t time_ = std::numeric_limits<std::int64_t>::min();
};

/// Replays the data of several symbols by the time at which events are known; at equal times the
/// symbol that stands first in `data` goes first. Within a symbol the order is the data's own.
/// `watch`, if given, is told now and then how many events have been replayed.
backtest_result run_backtest(const backtest_settings& settings, std::span<const symbol_data> data,
                             const std::function<void(std::int64_t)>& watch = {});

}  // namespace troupe::trading
