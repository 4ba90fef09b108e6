#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/messages.hpp"
#include "actors/trading/paper_book.hpp"
#include "actors/trading/risk_entity.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

/// The paper venue of one symbol, which is its key.
///
/// | message | from | then |
/// |---|---|---|
/// | `new_order` (venue_order) | portfolios | `order_reports` to the portfolio |
/// | `cancel_order` (venue_cancel), `change_order` (venue_change) | portfolios | the same |
/// | `show` | anyone | the state |
///
/// It follows its symbol while orders are open. An order that was decided on an event which the
/// venue has gone past sets it back to behind that event: the log gives the events again, and the
/// orders that have seen them do not see them twice. After each stretch of the log every portfolio
/// with an order here hears its reports and `until`, the offset up to which it has heard all.
class paper_venue_entity final : public entity {
 public:
  paper_venue_entity(const entity_id& id, paper_options options) : book_(id.key, options) {}

  void load(std::string_view state, int schema) override;
  std::string save() const override;
  void handle(const message& what, const context& where, effects& out) override;
  std::vector<followed> follows() const override;
  void absorb_feed(const feed_span& what, std::size_t& done, const context& where,
                   effects& out) override;

 private:
  void take(const message& what, effects& out);
  void cancel(const message& what, effects& out);
  void change(const message& what, effects& out);
  void go_back_to(const decision_point& decided);
  void rest_if_idle();
  std::vector<std::string> portfolios() const;
  void tell(const std::string& portfolio, const paper_book::reports& reports, std::int64_t until,
            effects& out) const;

  paper_book book_;
  position next_ = feed_from_now;  // Of the symbol's log.
};

kind_def make_paper_venue_kind(const paper_options& options);

}  // namespace troupe::trading
