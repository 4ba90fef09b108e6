#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/market/symbol.hpp"
#include "actors/trading/order.hpp"
#include "actors/trading/parameters.hpp"
#include "actors/trading/state_fields.hpp"

namespace troupe::trading {

/// A symbol's market as it was after the event that a decision is made on.
struct market_view {
  std::string symbol;
  instrument rules;
  decision_point now;  // The event: offset, time, last price, best bid and ask (0: none).
};

/// An order of this session and symbol that has not ended.
struct own_order {
  std::int64_t number = 0;  // Of the request.
  std::string id;           // `portfolio-N`; empty: not approved yet.
  trading::side side = side::buy;
  order_type type = order_type::market;
  fixed limit, stop;  // As in the request.
  fixed quantity;     // As sized by the risk check; 0 before.
  fixed filled;
  order_status status = order_status::pending;
  /// Of a bracket: placed against what the order of this number has filled.
  bool child = false;
};

/// What a session asks of the rest: cancels are meant before requests.
struct session_effects {
  std::vector<std::string> cancels;  // Ids of orders.
  std::vector<order_request> requests;
};

/// The decision under way, given by the session.
struct decision {
  const std::string& session;
  bool paced;  // As order_request::paced.
  const market_view& view;
  std::int64_t& last_number;
  double volatility;  // One day's standard deviation of returns, percent; 0: not measured.
  session_effects& out;
};

/// What a strategy trades with: one symbol of one session. Requests go through the risk check, and
/// fills come from events behind the one that was decided on.
class orders {
 public:
  /// How many to trade where the strategy does not say.
  struct size {
    sizing by = sizing::quantity;
    fixed amount = fixed::from_raw(fixed::scale);
  };

  /// Net quantity that this session has traded; below 0: sold short.
  fixed position() const { return position_; }
  const std::vector<own_order>& open() const { return open_; }
  size usual_size() const { return size_; }
  /// False while the session is paused: nothing is placed or canceled then.
  bool active() const { return active_; }

  /// Each returns the request's number, or 0 when nothing was asked for.
  /// A market order of the usual size.
  std::int64_t buy() { return market(side::buy); }
  std::int64_t sell() { return market(side::sell); }
  /// A market order against the whole position, reduce-only; 0 when there is none.
  std::int64_t close_position();
  /// Any order. Session, number, symbol and decision point are filled in; an `amount` of 0 means
  /// the usual size. Nothing is asked for while the size goes by a volatility that is not measured
  /// yet.
  std::int64_t place(order_request wish);

  /// The order of this request; once that has ended, the children of its bracket. False: none of
  /// them is open, or not active.
  bool cancel(std::int64_t number);
  void cancel_all();  // Children, too.

  /// The nearest price of the instrument's price step; `up`: not below, else not above.
  static fixed price_near(const instrument& rules, double price, bool up);

 private:
  friend class session;
  std::int64_t market(side s);
  void ask_cancel(const own_order& order);

  fixed position_;
  std::vector<own_order> open_;
  size size_;
  bool active_ = false;

  decision* now_ = nullptr;
};

/// Decides what to trade in one symbol, from what the market does. One file implements it:
/// docs/strategies.md shows how. It knows no clock, no I/O and no random numbers, so that the same
/// code gives the same orders live, on paper and in a back-test.
class strategy {
 public:
  virtual ~strategy() = default;

  /// A bar of the session's period has closed.
  virtual void on_bar(const market_view&, const market::price_bar&, orders&) {}
  /// A trade has happened; bars that it closed came first.
  virtual void on_trade(const market_view&, const market::market_event&, orders&) {}
  /// The best prices have changed.
  virtual void on_quote(const market_view&, const market::top_of_book&, orders&) {}

  /// Shows every member that changes after construction; it is saved and loaded by this.
  virtual void state(state_fields&) {}
};

/// A strategy as sessions know it.
struct strategy_def {
  std::string name;
  std::string summary;
  std::vector<parameter_def> parameters;
  std::function<std::unique_ptr<strategy>(const parameter_values&)> make;
  /// What is wrong between parameters that are each allowed; empty: nothing.
  std::function<std::string(const parameter_values&)> conflict;
  bool needs_ticks = false;  // Bars alone tell it nothing.
};

/// All there are: those of strategies/catalog.cpp, and what a program has added before its first
/// session. Requires of `add_strategy`: a name that none has.
const std::vector<strategy_def>& all_strategies();
void add_strategy(strategy_def one);
/// nullptr: there is none of that name.
const strategy_def* find_strategy(std::string_view name);
/// `sma_cross, ema_cross, ...`.
std::string strategy_names();

/// All that is wrong with parameters, each with what is allowed; empty: nothing.
std::vector<std::string> parameter_violations(const strategy_def& of,
                                              const given_parameters& given);
/// Requires: no violations.
std::unique_ptr<strategy> make_strategy(const strategy_def& of, const given_parameters& given);

}  // namespace troupe::trading
