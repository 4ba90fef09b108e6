#pragma once

#include <set>
#include <string>
#include <string_view>

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
/// - `open_portfolio` `{cash, venue}`, from operators: only before its first order; `venue`: paper,
/// orders
/// - `place_order` (placement), from the risk check: `new_order` to the venue, `order_approved` to
/// the session
/// - `cancel_order` `{order, decided}`, from sessions and clients, and `cancel_orders` `{session,
/// scope, decided}`, from the risk check: `cancel_order` to the venue; without a session all
/// - `order_reports` `{reports, symbol}`, from the venue: each taken once; sessions hear
/// `order_filled`, `order_changed`; what is refused goes to the dead-letter topic
/// - `show`, from anyone: the state
///
/// Questions of sessions to the paper venue (`await_effects`) and its answers (`effects_known`) go
/// through it, so that they overtake nothing.
///
/// Whatever changes is told to the risk check in the same unit (`portfolio_changed`).
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
  void tell_fill(const order_report& filled, const context& where, effects& out);
  void pass_question(const message& what, effects& out);
  void pass_answer(const message& what, effects& out);
  void tell_risk(const context& where, time_point time, effects& out);

  portfolio core_;
  const std::vector<std::string> fill_channels_;
  venue_choice venue_ = venue_choice::paper;
  std::int64_t changes_ = 0;  // Of all orders: numbers their rows.
  /// Symbols whose venue has been told something since the last question of a session, or will be,
  /// should the risk check say so.
  std::set<std::string, std::less<>> unsettled_;
  std::set<std::uint32_t> touched_;  // Symbols whose facts changed in this message.
};

kind_def make_portfolio_kind(std::vector<std::string> fill_channels = {});

template <>
struct names_of<venue_choice> {
  static constexpr std::array<std::string_view, 2> list{"paper", "orders"};
};

}  // namespace troupe::trading
