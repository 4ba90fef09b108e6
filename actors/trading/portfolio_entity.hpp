#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "actors/trading/messages.hpp"
#include "actors/trading/notices.hpp"
#include "actors/trading/portfolio.hpp"
#include "actors/trading/risk_entity.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

/// Where a portfolio's orders go.
enum class venue_choice : std::uint8_t {
  paper = 0,   // The entity paper_venue/SYMBOL.
  orders = 1,  // The topic `orders`: an external gateway, which answers on `fills`.
};

/// A portfolio.
///
/// - `open_portfolio` `{cash, venue, session}`, from operators and sessions: only before its first
/// order; `venue`: paper, orders; the session is told which it is (`portfolio_opened`), whoever
/// opened it
/// - `place_order` (placement), from the risk check: `new_order` to the venue, `order_approved` to
/// the session
/// - `cancel_order` `{order, decided}`, from sessions and clients, and `cancel_orders` `{session,
/// scope, decided}`, from the risk check: `cancel_order` to the venue; without a session all. Who
/// decides on no event says no time either: it is the clock's
/// - `order_reports` `{reports, symbol}`, from the venue: each taken once; sessions hear
/// `order_filled`, `order_changed`, and of what they lead to in brackets and groups `child_placed`,
/// `order_resized`; what is refused goes to the dead-letter topic
/// - `show`, from anyone: the state
///
/// Questions of sessions to the paper venue (`await_effects`) and its answers (`effects_known`) go
/// through it, so that they overtake nothing.
///
/// Whatever changes is told to the risk check in the same unit (`portfolio_changed`), with a time
/// where something was filled: equity changes by nothing else, and a time of anything else would
/// let a day begin that no decision has seen.
class portfolio_entity final : public entity {
 public:
  /// `fill_channels`: which channels hear of fills.
  explicit portfolio_entity(const entity_id& id, std::vector<std::string> fill_channels = {})
      : core_({id.key, {}, 1000}), fill_channels_(std::move(fill_channels)) {}

  void load(std::string_view state, int schema) override;
  std::string save() const override;
  void handle(const message& what, const context& where, effects& out) override;

 private:
  class outlet;
  void open(const message& what, const context& where, effects& out);
  void place(const message& what, const context& where, effects& out);
  void cancel(const message& what, const context& where, effects& out);
  void cancel_many(const message& what, const context& where, effects& out);
  void take_reports(const message& what, const context& where, effects& out);
  void pass_question(const message& what, effects& out);
  void pass_answer(const message& what, effects& out);
  void tell_risk(const context& where, const decision_point& filled, effects& out);

  portfolio core_;
  const std::vector<std::string> fill_channels_;
  venue_choice venue_ = venue_choice::paper;
  std::int64_t changes_ = 0;  // Of all orders: numbers their rows.
  /// Sessions and symbols whose venue has been told something of orders that the session paces,
  /// since its last question, or will be, should the risk check say so.
  std::set<std::pair<std::string, std::string>> unsettled_;
  std::set<std::uint32_t> touched_;  // Symbols whose facts changed in this message.
};

kind_def make_portfolio_kind(std::vector<std::string> fill_channels = {});

template <>
struct names_of<venue_choice> {
  static constexpr std::array<std::string_view, 2> list{"paper", "orders"};
};

}  // namespace troupe::trading
