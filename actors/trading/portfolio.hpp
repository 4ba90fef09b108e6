#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/order.hpp"
#include "actors/trading/order_life.hpp"
#include "actors/trading/portfolio_facts.hpp"
#include "actors/trading/verdict.hpp"

namespace troupe::trading {

/// What a fill costs its portfolio, without the fee; below 0 for sells: what it brings. Rounded to
/// 1e-8 against the portfolio.
money cost_of(const fill& f);

/// One symbol's holding, netting. All money in units of 1e-8.
struct holding {
  fixed quantity;      // Signed: short positions are negative.
  money cost = 0;      // What the open quantity cost; negative for a short: what it brought.
  money realised = 0;  // Profit of what has been closed, less all fees.
  money fees = 0;
  money bought = 0, sold = 0;  // Values of all fills: turnover.
  std::int64_t fills = 0;

  /// Rounded to nearest 1e-8; 0 when flat.
  fixed entry_price() const;
  /// Its value at a price, less what it cost.
  money unrealised(fixed price) const;
  bool operator==(const holding&) const = default;
};

struct order {
  std::int64_t number = 0;  // Its id is `portfolio-number`.
  venue_order terms;        // What the venue has been told, with the newest quantity.
  symbol_index symbol;
  std::string session;       // Who asked for it, and with which number; both empty for children
  std::int64_t request = 0;  // of a bracket, which carry their entry's.
  std::int64_t verdict = 0;  // 0: a child.
  order_status status = order_status::pending;
  bool cancel_asked = false;
  fixed filled;
  money value = 0;  // Of its fills.
  money fees = 0;
  fixed reserve_price;
  fixed quantity_told;           // The greatest that the venue was ever told: fills up to it count.
  std::string reason;            // Of its end.
  time_point updated{};          // Of the last report.
  fixed take_profit, stop_loss;  // An entry of a bracket: prices of its children.
  std::int64_t entry = 0;        // A child of a bracket: its entry's number.
  std::int64_t take_profit_order = 0, stop_loss_order = 0;  // An entry: its children's numbers.
  fixed children_filled;  // An entry: what all its children have filled so far.
  /// An entry: the fill by which its children were placed or enlarged last. Should the venue be too
  /// late to enlarge them, those that are placed anew follow from it, too.
  decision_point children_at;
  std::int64_t children_to_come = 0;  // An entry: how many it may place. Follows from the rest.
  std::vector<std::string> fill_ids;

  fixed remaining() const {
    return fixed::from_raw(std::max<std::int64_t>(0, terms.quantity.raw() - filled.raw()));
  }
  bool operator==(const order&) const = default;
};

/// A child of a bracket, as strategies see it.
struct own_order;
own_order child_of(const order& o);

/// Why a portfolio does not take a report, a fill or a cancel. Stored by name. In order of
/// precedence.
enum class portfolio_refusal : std::uint8_t {
  none = 0,
  unknown_order = 1,    // Never placed here.
  forgotten_order = 2,  // Ended long ago; see portfolio_settings::ended_max.
  malformed_fill = 3,  // Quantity or price not above 0, or another symbol or side than its order's.
  repeated = 4,        // Known already, as this fill id: no effect.
  already_final = 5,
  beyond_quantity = 6,  // The fill would take its order beyond its quantity.
};

enum class cancel_scope : std::uint8_t {
  all = 0,
  opening = 1,  // Reduce-only orders stay: what can only close a position, such as its stop.
};

struct portfolio_settings {
  std::string name;
  fixed cash;  // At the beginning.
  /// How many ended orders are kept for late reports; older ones are forgotten. Of those that no
  /// report can change, most of all, no more than `portfolio::closed_max`: they are kept so that
  /// repeated reports are known as such.
  std::int64_t ended_max = 1000;
  bool operator==(const portfolio_settings&) const = default;
};

/// Hears what follows from an input, in order. Must not call the portfolio back.
class portfolio_listener {
 public:
  virtual ~portfolio_listener() = default;
  /// The venue is to get `o.terms`.
  virtual void order_placed(const order& o) = 0;
  /// The venue is to cancel it.
  virtual void cancel_asked(const order& o, const decision_point& decided) = 0;
  /// The venue is to change its quantity to `o.terms.quantity`, counted from its beginning.
  virtual void quantity_changed(const order& o) = 0;
  /// A fill was booked, exactly once; the order stands as after it.
  virtual void order_filled(const order& o, const fill& f) = 0;
  /// Status, reason or cancel_asked changed; after order_filled, too.
  virtual void order_changed(const order& o) = 0;
};

/// Orders, fills, positions and cash of one portfolio: a pure function of its inputs.
///
/// - A fill's value is quantity * price rounded to 1e-8 against the portfolio: buys up, sells down.
///   cash = initial - sum of signed values - sum of fees, exactly.
/// - Closing part of a position releases the same part of its cost, rounded towards zero to 1e-8;
/// the
///   rest stays with what is open, so realised + unrealised = equity - initial, exactly. A fill
///   that turns a position is split the same way: the closing part first.
/// - A fill of one order of an OCO group asks to cancel the others of its group (of its session, in
///   any symbol); reduce-only ones shrink by its quantity instead, and are canceled when nothing is
///   left.
/// - A bracket: when its entry fills, a limit order (take profit) and a stop order (stop loss)
/// against
///   it are placed, reduce-only, as one OCO group. They grow with every further fill of the entry,
///   and are placed anew if both have ended by then, or before they could be enlarged.
/// - Reservations end with the order alone: what may still be at the venue counts as open.
class portfolio {
 public:
  explicit portfolio(portfolio_settings settings);

  /// Makes an order of an approved request. Requires a verdict of a higher number than any before.
  const order& place(const order_request& request, const verdict& approved,
                     portfolio_listener& out);
  /// Takes what the venue says of an order.
  portfolio_refusal take(const order_report& report, portfolio_listener& out);
  /// Asks the venue to cancel an order.
  portfolio_refusal cancel(std::int64_t number, const decision_point& decided,
                           portfolio_listener& out);
  /// Cancels every open order, or those of one session. Returns how many it asked for.
  std::int64_t cancel_all(std::string_view session, const decision_point& decided,
                          portfolio_listener& out, cancel_scope scope = cancel_scope::all);

  const portfolio_settings& settings() const { return settings_; }
  const portfolio_facts& facts() const { return facts_; }
  money cash() const { return facts_.cash; }
  /// By symbol_index.
  std::span<const holding> positions() const { return positions_; }
  symbol_index index_of(std::string_view symbol);  // Resolve once; made when new.
  const holding& position_of(symbol_index i) const { return positions_[i.value()]; }
  const order* find(std::int64_t number) const;
  /// Numbers of the open ones, ascending.
  std::span<const std::int64_t> open_orders() const { return open_; }
  /// Open ones and the newest ended ones, by number.
  const std::map<std::int64_t, order>& orders() const { return orders_; }

  /// Cash and all positions, each at its price in `prices` (by symbol_index) rounded down.
  money equity(std::span<const fixed> prices) const;
  /// Sum of the positions' values without their signs.
  money gross_exposure(std::span<const fixed> prices) const;
  /// Net of all fees.
  money realised() const;
  money unrealised(std::span<const fixed> prices) const;

  std::string id_of(std::int64_t number) const;
  /// The number of an id of this portfolio.
  std::optional<std::int64_t> number_of(std::string_view id) const;

  static constexpr std::int64_t closed_max = 20;
  static constexpr int schema = 1;
  /// The state as JSON text, and back; throws bad_state.
  std::string save() const;
  static portfolio load(std::string_view state);

 private:
  friend class portfolio_loader;
  order& add(order&& o);
  void reserve(const order& o, int sign);
  void settle(order& o, const fill& f);
  portfolio_refusal take_fill(order& o, const order_report& r, portfolio_listener& out);
  portfolio_refusal take_change(order& o, const order_report& r, portfolio_listener& out);
  portfolio_refusal follow_venue(order& o, const order_report& r, portfolio_listener& out);
  void follow_child(const order& child, const fill& f);
  void follow_group(const order& o, fixed quantity, const decision_point& at,
                    portfolio_listener& out);
  void follow_entry(order& entry, const decision_point& at, portfolio_listener& out);
  void set_quantity(order& o, fixed quantity, portfolio_listener& out);
  std::int64_t place_child(const order& entry, order_type type, fixed price,
                           const decision_point& at, portfolio_listener& out);
  void ask_cancel(order& o, const decision_point& decided, portfolio_listener& out);
  void set_status(order& o, order_status to);
  void count_children(order& entry);
  bool is_open(std::int64_t number) const;
  void note_end(const order& o);
  void forget();
  void forget(std::deque<std::int64_t>& of, std::int64_t most);
  const std::string& text_of_ended(const order& o) const;

  portfolio_settings settings_;
  portfolio_facts facts_;
  std::vector<holding> positions_;
  std::map<std::int64_t, order> orders_;
  std::vector<std::int64_t> open_;   // Ascending.
  std::deque<std::int64_t> ended_;   // Those that late reports may still change, oldest end first.
  std::deque<std::int64_t> closed_;  // All others.
  /// Ended orders as the state has them. They hardly ever change again, and there are many more of
  /// them than open ones in each state that is saved.
  mutable std::map<std::int64_t, std::string> ended_text_;
  std::int64_t last_number_ = 0;
};

template <>
struct names_of<cancel_scope> {
  static constexpr std::array<std::string_view, 2> list{"all", "opening"};
};
template <>
struct names_of<portfolio_refusal> {
  static constexpr std::array<std::string_view, 7> list{
      "none",     "unknown_order", "forgotten_order", "malformed_fill",
      "repeated", "already_final", "beyond_quantity"};
};

}  // namespace troupe::trading
