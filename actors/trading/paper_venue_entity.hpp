#pragma once

#include <memory>

#include "actors/trading/paper_venue.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

/// The paper venue of the symbol of the same key, in the symbol's shard. While orders wait for
/// events it follows the symbol's log.
///
/// | message, from portfolios | then |
/// |---|---|
/// | `new_order` (venue_order) | it meets the log behind its decision |
/// | `cancel_order` (venue_cancel), `change_order` (venue_change) | |
/// | `await_effects` (effects_question) | `effects_known` when all orders have met that event |
///
/// A timer, the message `end_overdue`, ends orders that expire while the market is silent.
///
/// What happens to orders goes to their portfolio: `order_reports` `{reports, symbol}`.
class paper_venue_entity final : public entity {
 public:
  paper_venue_entity(const entity_id& id, const paper_options& options) : core_(id.key, options) {}

  void load(std::string_view state, int schema) override;
  std::string save() const override { return core_.save(); }
  void handle(const message& what, const context& where, effects& out) override;
  std::vector<followed> follows() const override;
  void absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                   effects& out) override;

 private:
  void send(paper_venue::output&& said, const context& where, effects& out);
  void set_alarm(const context& where, effects& out);

  paper_venue core_;
  std::optional<time_point> alarm_;  // The timer as it was last set; nothing: not set, not known.
};

kind_def make_paper_venue_kind(const paper_options& options);

}  // namespace troupe::trading
