#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/session_messages.hpp"
#include "actors/trading/trading_options.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

/// A trading session as an entity: the mailbox of `session`.
///
/// Commands (`create`, `start`, `pause`, `resume`, `stop`, `delete`) are answered with the session
/// and its phase, or refused by name; either is told on `session.events`, too. While it runs or is
/// paused it follows the logs of its symbols.
///
/// It tells `risk/PORTFOLIO` its requests (`submit_order`) and `portfolio/PORTFOLIO` its cancels
/// (`cancel_order`), and with the paper venue `await_effects` for the next event that it wants to
/// take. It is told `portfolio_opened` with the venue of its portfolio, before which it takes no
/// event, `order_approved` or `order_denied`, `child_placed`, `order_resized`, `order_changed`,
/// `order_filled` and `effects_known`.
class session_entity final : public entity {
 public:
  session_entity(std::string name, std::shared_ptr<const trading_options> environment);

  void load(std::string_view state, int schema) override;
  std::string save() const override;
  void handle(const message& what, const context& where, effects& out) override;
  std::vector<followed> follows() const override;
  void absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                   effects& out) override;

 private:
  using hearing = void (session_entity::*)(const nlohmann::json& body, effects& out);
  static hearing hearing_of(std::string_view type);

  void create(const message& what, const context& where, effects& out);
  void command(const message& what, const context& where, effects& out);
  void settle(const message& what, std::string_view event, const context& where, effects& out);
  void refuse(const message& what, std::string_view error, const std::string& detail,
              const context& where, effects& out) const;

  void hear_venue(const nlohmann::json& body, effects& out);
  void hear_approval(const nlohmann::json& body, effects& out);
  void hear_denial(const nlohmann::json& body, effects& out);
  void hear_child(const nlohmann::json& body, effects& out);
  void hear_size(const nlohmann::json& body, effects& out);
  void hear_change(const nlohmann::json& body, effects& out);
  void hear_fill(const nlohmann::json& body, effects& out);
  void hear_effects(const nlohmann::json& body, effects& out);

  void tell_missing(const feed_span& what, const context& where, effects& out) const;
  void carry_out(const session_effects& wishes, effects& out) const;
  void ask_no_more(effects& out);
  void await_effects(std::size_t symbol, std::int64_t offset, effects& out);
  const decision_point& view_of_order(std::string_view id) const;

  const std::string name_;
  const std::shared_ptr<const trading_options> environment_;
  std::unique_ptr<session> core_;  // Null: there is no such session yet.
  time_point created_{}, commanded_{};
  bool venue_known_ = true;         // Whether the portfolio has told where its orders go.
  std::vector<bool> from_now_;      // By symbol: it begins with whatever comes next.
  std::vector<std::int64_t> asks_;  // By symbol: number of the last question for effects.
  /// By symbol: effects have been asked for up to here. Not state: to ask again does no harm.
  std::vector<std::int64_t> awaited_;
};

/// The kind for the catalog.
kind_def make_session_kind(std::shared_ptr<const trading_options> environment);

}  // namespace troupe::trading
