#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "actors/trading/messages.hpp"
#include "actors/trading/notices.hpp"
#include "actors/trading/risk.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

inline constexpr std::string_view risk_kind = "risk";
inline constexpr std::string_view portfolio_kind = "portfolio";
inline constexpr std::string_view session_kind = "session";
inline constexpr std::string_view paper_venue_kind = "paper_venue";

/// The risk check of the portfolio of the same key, in the same shard.
///
/// - `submit_order` (order_request), from sessions: a verdict, which is a row, the answer, and
/// `place_order` to the portfolio or `order_denied` to the session
/// - `submit_order_by_hand`, from people: the same, under a name that no session has (is_by_hand)
/// - `portfolio_changed` (facts_change), from the portfolio: what the next verdict goes by; the
/// drawdown limit may halt trading, and then cancels all orders that could open positions
/// - `set_limits` `{limits, by, reason}`, from operators: `limits` is laid over those in force,
/// member by member; null takes one away
/// - `set_state` `{state, by, reason, cancel_orders}`, from operators: active, reducing, halted;
/// with `cancel_orders` true the portfolio asks to cancel all open orders, otherwise they stay.
/// Answers with the state and how many orders are open
/// - `show`, from anyone: the state
class risk_entity final : public entity {
 public:
  /// `rules`: which channels hear of denials and halts.
  explicit risk_entity(risk_limits limits, notice_rules rules = {})
      : risk_(std::move(limits)), rules_(std::move(rules)) {}

  void load(std::string_view state, int schema) override;
  std::string save() const override;
  void handle(const message& what, const context& where, effects& out) override;

 private:
  void submit(const message& what, const context& where, effects& out);
  void follow(const message& what, const context& where, effects& out);
  void halt_by_drawdown(trading_state before, const decision_point& at, const context& where,
                        effects& out);
  void set_limits(const message& what, const context& where, effects& out);
  void set_state(const message& what, const context& where, effects& out);
  void audit(const context& where, std::string_view what, const std::string& before,
             const std::string& after, const nlohmann::json& order, effects& out);

  risk risk_;
  const notice_rules rules_;
  portfolio_facts facts_;
  std::int64_t changes_ = 0;  // Of limits and state.
};

/// Refuses whatever is said to a portfolio, or its risk check, that can have no such name. Returns
/// whether it did.
bool refuse_portfolio_name(const context& where, effects& out);

/// `limits` gives a portfolio's limits when its risk check begins.
kind_def make_risk_kind(std::function<risk_limits(std::string_view portfolio)> limits,
                        notice_rules rules = {});

}  // namespace troupe::trading
