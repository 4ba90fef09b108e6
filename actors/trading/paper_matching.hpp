#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "actors/trading/paper_book.hpp"

namespace troupe::trading {

/// One event among the orders of a paper book; the rules stand at `paper_book`.
class paper_matching {
 public:
  paper_matching(paper_book& book, const market::market_event& e, const market::ohlcv* bar,
                 paper_book::reports& out)
      : book_(book),
        event_(e),
        bar_(e.kind == market::event_kind::bar ? bar : nullptr),
        out_(out) {}

  void run();

 private:
  /// A price that an order could trade at, and how much is there; 0: nobody knows.
  struct offer {
    fixed price;
    fixed size;
  };
  enum class role : bool { taker, maker };
  static constexpr fixed all = fixed::from_raw(INT64_MAX);

  bool counts(const paper_order& o) const;
  void end_overdue();
  void meet_quote_or_trade(paper_order& o);
  void meet_open(paper_order& o);
  void meet_range_as_stop(paper_order& o);
  void meet_range_as_limit(paper_order& o);

  std::optional<offer> offer_for(const paper_order& o) const;
  void meet(paper_order& o, const offer& there);
  void meet_market(paper_order& o, const offer& there);
  void meet_limit(paper_order& o, const offer& there);
  void meet_stop(paper_order& o, const offer& there);
  void trigger(paper_order& o, const offer& there);
  void follow(paper_order& o, fixed price);
  void watch_queue(paper_order& o);
  std::optional<fixed> pass_queue(paper_order& o, const offer& there) const;
  fixed shown(const offer& there) const;

  void take(paper_order& o, const offer& there);
  void make(paper_order& o, fixed price, fixed most);
  void fill_order(paper_order& o, fixed price, fixed quantity, role as);
  fixed fillable(const paper_order& o, fixed most) const;
  void tell_group(const paper_order& o, fixed quantity);
  void end(paper_order& o, std::string_view why);

  paper_book& book_;
  const market::market_event& event_;
  const market::ohlcv* bar_;
  paper_book::reports& out_;
};

}  // namespace troupe::trading
