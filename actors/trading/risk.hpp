#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/portfolio_facts.hpp"
#include "actors/trading/risk_limits.hpp"
#include "actors/trading/verdict.hpp"

namespace troupe::trading {

enum class trading_state : std::uint8_t {
  active = 0,
  reducing = 1,  // Only what closes positions.
  halted = 2,    // Nothing but cancels.
};

/// The risk check of one portfolio: validates and sizes every order before it exists.
///
/// A verdict depends on the limits, this state, the portfolio's facts and the request alone; its
/// time is request.decided.time. Approved orders that are not in the facts yet (facts.placed) count
/// as open, so no order of messages between risk check and portfolio breaks a limit. Open orders
/// count in their worst direction: all buys filled and no sell, or the other way round. Limits are
/// judged so that what makes a breach smaller always passes. Cancels need no verdict.
class risk {
 public:
  explicit risk(risk_limits limits);

  /// Requires facts of the same portfolio at every call.
  verdict decide(const order_request& request, const portfolio_facts& facts);
  /// Folds equity into its peak. Returns whether the drawdown limit halted trading by this; the
  /// caller then cancels what is open, as after a verdict that did (halted_by_drawdown before and
  /// after): portfolio::cancel_all of cancel_scope::opening.
  bool observe(const portfolio_facts& facts);

  void set_limits(risk_limits limits);
  /// `by_drawdown` stays until an operator sets a state; all but halted also forget the peak.
  void set_state(trading_state to);

  const risk_limits& limits() const { return limits_; }
  trading_state state() const { return state_; }
  bool halted_by_drawdown() const { return by_drawdown_; }
  std::int64_t verdicts() const { return verdicts_; }

  /// Before 2: orders counted in windows at multiples of their length. Before 3: one day for all.
  static constexpr int schema = 3;
  /// The state as JSON text, limits included, and back; throws bad_state.
  std::string save() const;
  static risk load(std::string_view state, int schema = risk::schema);

 private:
  friend class risk_loader;
  friend class risk_hearing;
  /// An approved order that the facts do not tell of yet.
  struct reservation {
    std::int64_t verdict = 0;
    std::string symbol;
    trading::side side = side::buy;
    fixed quantity;  // 0: it can only reduce.
    fixed price;
    money cash = 0;
    std::int64_t children = 0;  // That its bracket may place.
  };

  /// What is kept of those who ask: sessions, and people under names of their own.
  struct asker {
    std::int64_t newest = 0;          // Number.
    std::optional<std::int64_t> day;  // UTC, days since 1970; of its decisions; grows only.
  };

  void forget_placed(std::int64_t placed);
  bool observe_equity(money equity);
  void enter_day(asker& who, time_point decided, money equity);
  void count_order(time_point time);
  bool rate_is_full(time_point time) const;

  risk_limits limits_;
  trading_state state_ = trading_state::active;
  bool by_drawdown_ = false;
  std::int64_t verdicts_ = 0;
  std::map<std::string, asker, std::less<>> sessions_;
  std::vector<reservation> in_flight_;
  /// Where there is an order rate: the times of the decisions whose orders were approved last, in
  /// the order of their approval; microseconds. Symbols are read at places of their own, and people
  /// trade at other times than logs: a late time says nothing of the next.
  std::deque<std::int64_t> approvals_;
  static constexpr std::int64_t approvals_kept = 4;  // Times orders_max.
  /// Equity at the first decision of each day that a session is in. Logs are read each at its own
  /// pace, and people decide today: the day of one is not the day of another.
  std::map<std::int64_t, money> days_;
  std::optional<money> peak_;
};

template <>
struct names_of<trading_state> {
  static constexpr std::array<std::string_view, 3> list{"active", "reducing", "halted"};
};

}  // namespace troupe::trading
