#include "tests/chaos/trading_history.hpp"

#include <algorithm>
#include <deque>

#include "runtime/base/fixed.hpp"

namespace troupe::test {

using nlohmann::json;

namespace {

constexpr auto triggers = R"sql(
create table history (
  n    bigserial primary key,
  tx   xid8 not null default pg_current_xact_id(),
  what text not null,
  row  json not null
);
create function keep() returns trigger language plpgsql as $$
begin
  insert into history(what, row)
    select tg_table_name, json_object_agg(key, value) from json_each_text(to_json(new));
  return null;
end $$;
create function keep_books() returns trigger language plpgsql as $$
begin
  insert into history(what, row)
    values ('books', json_build_object('portfolio', new.key, 'cash', new.state ->> 'cash',
      'positions', (select json_object_agg(s ->> 'symbol', s ->> 'quantity')
                      from json_array_elements(new.state -> 'symbols') s)));
  return null;
end $$;
create trigger keep after insert or update on risk_verdict for each row execute function keep();
create trigger keep after insert or update on trading_order for each row execute function keep();
create trigger keep after insert or update on trading_fill for each row execute function keep();
create trigger keep after insert or update on entity for each row when (new.kind = 'portfolio')
  execute function keep_books();
)sql";

std::string text(const json& row, const char* name) {
  const auto& value = row.at(name);
  return value.is_null() ? "" : value.get<std::string>();
}

std::int64_t count(const json& row, const char* name) {
  return std::stoll(text(row, name));
}

/// Units of 1e-8; nothing stored: 0.
std::int64_t units(const json& row, const char* name) {
  const auto written = text(row, name);
  if (written.empty()) return 0;
  const auto value = parse_fixed(written);
  if (!value) throw std::runtime_error(std::string(name) + " is " + written);
  return value->raw();
}

wide product(std::int64_t a, std::int64_t b) {
  const wide whole = wide{a} * b;
  return whole / fixed::scale;
}

/// What a decision says of the market: its last trade, or the middle of its quote.
std::int64_t price_of(const json& asked) {
  const auto& decided = asked.at("decided");
  const auto part = [&](const char* name) {
    return parse_fixed(decided.value(name, std::string("0"))).value_or(fixed()).raw();
  };
  if (part("last") != 0) return part("last");
  if (part("bid") == 0 || part("ask") == 0) return std::max(part("bid"), part("ask"));
  return (part("bid") + part("ask")) / 2;
}

/// The steps of an order's life at a venue that tells things in their order; one commit may hold
/// several of them.
bool may_follow(const std::string& before, const std::string& after) {
  static const std::map<std::string, std::set<std::string>> next{
      {"pending",
       {"pending", "working", "partially_filled", "filled", "canceled", "expired", "rejected"}},
      {"working", {"working", "partially_filled", "filled", "canceled", "expired"}},
      {"partially_filled", {"partially_filled", "filled", "canceled", "expired"}},
      {"filled", {"filled"}},
      {"canceled", {"canceled"}},
      {"expired", {"expired"}},
      {"rejected", {"rejected"}}};
  return next.at(before).contains(after);
}

bool is_final(const std::string& status) {
  return status != "pending" && status != "working" && status != "partially_filled";
}

struct seen_order {
  std::int64_t changes = 0, verdict = 0;
  std::string status, symbol, side, terms;
  bool reduce_only = false;
  std::int64_t quantity = 0, filled = 0;
  std::int64_t fills = 0;  // The sum of those that there are.
  std::int64_t reserve_price = 0;
};

struct seen_verdict {
  bool approved = false;
  std::int64_t quantity = 0, reserve_price = 0;
  std::int64_t orders = 0;  // Made of it.
};

/// One portfolio as its rows tell it.
class portfolio_replay {
 public:
  portfolio_replay(std::string name, const portfolio_limits& limits,
                   trading_history::findings& found)
      : name_(std::move(name)), limits_(limits), found_(found), cash_(limits.cash) {}

  void take(const std::string& tx, const std::string& what, const json& row) {
    if (tx != tx_) {
      end_commit();
      if (!txs_.insert(tx).second) wrong("a commit is in two parts");
      tx_ = tx;
    }
    if (what == "risk_verdict") return take_verdict(row);
    if (what == "trading_order") return take_order(row);
    if (what == "trading_fill") return take_fill(row);
    books_ = row;
  }

  void end_commit() {
    if (tx_.empty()) return;
    ++found_.commits;
    check_lives();
    check_books();
    check_positions();
    check_cash();
    check_exposure();
    for (const auto& [symbol, price] : std::exchange(prices_, {})) marks_[symbol] = price;
    worst_ = worst();
    touched_.clear();
    books_ = nullptr;
  }

 private:
  void wrong(const std::string& what) {
    if (found_.wrong.size() < 100) found_.wrong.push_back(name_ + ", commit " + tx_ + ": " + what);
  }

  void take_verdict(const json& row) {
    ++found_.verdicts;
    const auto number = count(row, "number");
    if (number != ++last_verdict_) wrong("verdict " + std::to_string(number) + " is not the next");
    if (!asked_.insert({text(row, "session"), count(row, "request")}).second)
      wrong("request " + text(row, "request") + " of " + text(row, "session") + " is judged twice");
    auto& v = verdicts_[number];
    v = {text(row, "verdict") == "approved", units(row, "quantity"), units(row, "reserve_price")};
    if (!v.approved) {
      ++found_.refusals[text(row, "code")];
      return;
    }
    ++found_.approved;
    const auto asked = json::parse(text(row, "asked"));
    see_price(text(row, "symbol"), price_of(asked));
    check_rate(asked.at("decided").at("time"));
  }

  /// No window of the decisions' time has more than may be, in whatever order they were made: among
  /// the last 4 * orders_max, as docs/orders.md says. Sessions that begin anew read old times
  /// again.
  void check_rate(std::int64_t decided) {
    if (!limits_.orders_max) return;
    approved_.push_back(decided);
    std::multiset<std::int64_t> times(approved_.begin(), approved_.end());
    const auto last = times.upper_bound(decided);
    for (auto first = times.upper_bound(decided - limits_.orders_window_us); first != last;
         ++first) {
      const auto end = times.lower_bound(*first + limits_.orders_window_us);
      if (std::distance(first, end) > *limits_.orders_max) wrong("more orders than may be");
    }
    if (std::ssize(approved_) > 4 * *limits_.orders_max) approved_.pop_front();
  }

  void take_order(const json& row) {
    const auto number = count(row, "number");
    const auto [at, fresh] = orders_.try_emplace(number);
    auto& o = at->second;
    if (fresh) begin_order(row, o);
    const auto status = text(row, "status");
    if (!may_follow(o.status, status))
      wrong("order " + text(row, "number") + " goes from " + o.status + " to " + status);
    if (count(row, "changes") <= o.changes) wrong("an older state of an order comes later");
    if (units(row, "filled") < o.filled) wrong("an order is filled less than before");
    if (terms_of(row) != o.terms) wrong("the terms of order " + text(row, "number") + " change");
    o.changes = count(row, "changes");
    o.status = status;
    touched_.insert(number);
    if (is_final(status))
      open_.erase(number);
    else
      open_.insert(number);
    o.filled = units(row, "filled");
  }

  static std::string terms_of(const json& row) {
    std::string all;
    for (const auto* name : {"session", "request", "verdict", "symbol", "side", "type", "quantity",
                             "limit_price", "decided", "reduce_only"})
      all += text(row, name) + '|';
    return all;
  }

  void begin_order(const json& row, seen_order& o) {
    ++found_.orders;
    o.status = "pending";
    o.verdict = count(row, "verdict");
    o.symbol = text(row, "symbol");
    o.side = text(row, "side");
    o.quantity = units(row, "quantity");
    o.reduce_only = text(row, "reduce_only") == "true";
    o.terms = terms_of(row);
    const auto by = verdicts_.find(o.verdict);
    if (by == verdicts_.end() || !by->second.approved)
      return wrong("order " + text(row, "number") + " has no approval");
    if (++by->second.orders != 1) wrong("an approval has two orders");
    if (by->second.quantity != o.quantity) wrong("an order is not as large as was approved");
    o.reserve_price = by->second.reserve_price;
  }

  void take_fill(const json& row) {
    ++found_.fills;
    const auto number = count(row, "number");
    if (!fills_.insert({number, text(row, "id")}).second)
      wrong("fill " + text(row, "id") + " of order " + text(row, "number") + " is there twice");
    const auto quantity = units(row, "quantity");
    const auto symbol = text(row, "symbol");
    filled_[number] += quantity;
    touched_.insert(number);
    positions_[symbol] += text(row, "side") == "buy" ? quantity : -quantity;
    cash_ -= units(row, "cost") + units(row, "fee");
    see_price(symbol, units(row, "price"));
  }

  void see_price(const std::string& symbol, std::int64_t price) {
    const auto [at, fresh] = prices_.try_emplace(symbol, price);
    if (!fresh) at->second = std::min(at->second, price);
  }

  void check_lives() {
    for (const auto number : touched_)
      if (const auto& o = orders_[number]; o.filled != filled_[number] || o.filled > o.quantity ||
                                           (o.status == "filled") != (o.filled == o.quantity))
        wrong("order " + std::to_string(number) + " is " + o.status + ", filled " +
              std::to_string(o.filled) + ", its fills are " + std::to_string(filled_[number]));
    for (auto at = verdicts_.upper_bound(checked_verdicts_); at != verdicts_.end(); ++at)
      if (at->second.orders != (at->second.approved ? 1 : 0))
        wrong("verdict " + std::to_string(at->first) + " has no order");
    checked_verdicts_ = last_verdict_;
  }

  void check_books() {
    if (books_.is_null()) return;
    if (units(books_, "cash") != cash_)
      wrong("cash is " + text(books_, "cash") + ", by the fills " + to_string(cash_));
    const auto held = books_.value("positions", json());
    for (const auto& [symbol, quantity] : positions_)
      if (!held.is_object() || units(held, symbol.c_str()) != quantity)
        wrong("the position of " + symbol + " is not the sum of its fills");
  }

  struct open_quantities {
    std::int64_t buys = 0, sells = 0;
  };
  std::map<std::string, open_quantities> open() const {
    std::map<std::string, open_quantities> all;
    for (const auto& [symbol, quantity] : positions_) all[symbol];
    for (const auto number : open_) {
      const auto& o = orders_.at(number);
      if (!o.reduce_only)
        (o.side == "buy" ? all[o.symbol].buys : all[o.symbol].sells) += o.quantity - o.filled;
    }
    return all;
  }

  /// What each symbol's holding would be at its worst.
  std::map<std::string, std::int64_t> worst() {
    std::map<std::string, std::int64_t> all;
    for (const auto& [symbol, open] : open())
      all[symbol] = std::max(positions_[symbol] + open.buys, open.sells - positions_[symbol]);
    return all;
  }

  void check_positions() {
    if (limits_.open_orders_max && std::ssize(open_) > *limits_.open_orders_max)
      wrong(std::to_string(open_.size()) + " open orders");
    for (const auto& [symbol, open] : open()) {
      const auto held = positions_[symbol];
      if (limits_.position_max && held + open.buys > *limits_.position_max)
        wrong("position of " + symbol + " and open buys: " + to_string(wide{held + open.buys}));
      if (limits_.short_max && open.sells - held > *limits_.short_max)
        wrong("short position of " + symbol + ": " + to_string(wide{open.sells - held}));
    }
  }

  void check_cash() {
    if (!limits_.cash_required) return;
    wide reserved = 0;
    for (const auto number : open_)
      if (const auto& o = orders_.at(number); !o.reduce_only && o.side == "buy")
        reserved += product(o.quantity - o.filled, o.reserve_price);
    if (cash_ < reserved) wrong("cash " + to_string(cash_) + ", reserved " + to_string(reserved));
  }

  /// Exposure is judged when an order is approved that adds to it; what prices do to it afterwards
  /// is no breach. At the least prices that the risk check may have gone by in this commit.
  void check_exposure() {
    if (!limits_.gross_exposure_max) return;
    bool added = false;
    wide sum = 0;
    for (const auto& [symbol, quantity] : worst()) {
      added |= quantity > (worst_.contains(symbol) ? worst_.at(symbol) : 0);
      auto price = marks_.contains(symbol) ? marks_.at(symbol) : INT64_MAX;
      if (prices_.contains(symbol)) price = std::min(price, prices_.at(symbol));
      if (price != INT64_MAX) sum += product(quantity, price);
    }
    if (added && sum > *limits_.gross_exposure_max) wrong("gross exposure " + to_string(sum));
  }

  const std::string name_;
  const portfolio_limits limits_;
  trading_history::findings& found_;
  std::string tx_;
  std::set<std::string> txs_;
  std::map<std::int64_t, seen_verdict> verdicts_;
  std::map<std::int64_t, seen_order> orders_;
  std::set<std::pair<std::string, std::int64_t>> asked_;
  std::set<std::pair<std::int64_t, std::string>> fills_;
  std::map<std::int64_t, std::int64_t> filled_;  // By order.
  std::map<std::string, std::int64_t> positions_;
  wide cash_;
  std::int64_t last_verdict_ = 0, checked_verdicts_ = 0;
  std::deque<std::int64_t> approved_;  // Times of the newest decisions that were approved.
  json books_;
  std::set<std::int64_t> touched_;  // Orders with rows or fills in this commit.
  std::set<std::int64_t> open_;     // Orders.
  /// The least prices of this commit, and of the newest one before it that had any.
  std::map<std::string, std::int64_t> prices_, marks_;
  std::map<std::string, std::int64_t> worst_;  // Before this commit.
};

}  // namespace

trading_history::trading_history(const trading_run& run) : run_(run) {
  run.sql(triggers);
}

trading_history::findings trading_history::replay(
    const std::map<std::string, portfolio_limits>& portfolios) const {
  findings found;
  std::map<std::string, portfolio_replay> replays;
  for (const auto& [name, limits] : portfolios) replays.try_emplace(name, name, limits, found);
  constexpr int each = 5000;
  for (std::int64_t from = 0;;) {
    const auto rows = run_.rows("select n, tx::text as tx, what, row from history where n > " +
                                std::to_string(from) + " order by n limit " + std::to_string(each));
    for (const auto& row : rows) {
      from = row.at("n");
      replays.at(text(row.at("row"), "portfolio"))
          .take(text(row, "tx"), text(row, "what"), row.at("row"));
    }
    if (rows.size() < each) break;
  }
  for (auto& [name, one] : replays) one.end_commit();
  return found;
}

}  // namespace troupe::test
