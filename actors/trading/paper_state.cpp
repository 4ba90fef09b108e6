#include <nlohmann/json.hpp>

#include "actors/trading/messages.hpp"
#include "actors/trading/paper_book.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

constexpr fixed least = fixed::from_raw(-INT64_MAX);

[[noreturn]] void damaged(const std::string& what) {
  throw bad_state("paper venue: " + what);
}

}  // namespace

json json_of(const paper_options& o) {
  return {
      {"maker_fee_bps", to_string(o.maker_fee_bps)}, {"taker_fee_bps", to_string(o.taker_fee_bps)},
      {"slippage_bps", to_string(o.slippage_bps)},   {"latency_micros", o.latency_micros},
      {"displayed_size", o.displayed_size},          {"queue_position", o.queue_position}};
}

void read(field_reader& from, paper_options& to) {
  constexpr std::int64_t longest = 86'400'000'000;
  const auto whole = fixed::from_raw(10'000 * fixed::scale);
  from.decimal("maker_fee_bps", to.maker_fee_bps, fixed::from_raw(-whole.raw()), presence::optional)
      .decimal("taker_fee_bps", to.taker_fee_bps, fixed::from_raw(-whole.raw()), presence::optional)
      .decimal("slippage_bps", to.slippage_bps, fixed{}, presence::optional)
      .whole("latency_micros", to.latency_micros, 0, longest, presence::optional)
      .flag("displayed_size", to.displayed_size)
      .flag("queue_position", to.queue_position);
  for (const auto& [name, value] :
       {std::pair{"maker_fee_bps", to.maker_fee_bps}, std::pair{"taker_fee_bps", to.taker_fee_bps},
        std::pair{"slippage_bps", to.slippage_bps}})
    if (value > whole) from.refuse(name, "must not be above 10000");
}

/// Reads what `save` wrote.
class paper_book_loader {
 public:
  explicit paper_book_loader(const json& from) : fields_(from, "", wrong_) {}

  paper_book load() {
    std::string symbol;
    paper_options options;
    fields_.name("symbol", symbol);
    read_member(fields_, "options", options);
    paper_book made(symbol, options);
    read_accounts(made);
    read_orders(made);
    fields_.finish();
    if (!wrong_.empty()) damaged(to_string(wrong_));
    made.set_alarm();
    return made;
  }

 private:
  void read_accounts(paper_book& made) {
    const auto* holdings = fields_.member("holdings", presence::required);
    if (holdings == nullptr) return;
    field_reader each(*holdings, "holdings", wrong_);
    for (const auto& [portfolio, holding] : each.object().items())
      each.decimal(portfolio, made.accounts_[made.account_of(portfolio)].holding, least);
  }

  void read_orders(paper_book& made) {
    const auto* list = fields_.member("orders", presence::required);
    if (list == nullptr) return;
    if (!list->is_array()) return fields_.refuse("orders", "must be a list");
    for (std::size_t i = 0; i < list->size(); ++i)
      read_order(made, (*list)[i], "orders[" + std::to_string(i) + ']');
  }

  void read_order(paper_book& made, const json& one, const std::string& path) {
    field_reader fields(one, path, wrong_);
    paper_order o;
    fields.whole("fills", o.fills, 0, INT64_MAX)
        .decimal("filled", o.filled, fixed{})
        .flag("met", o.met, presence::required)
        .flag("triggered", o.triggered, presence::required)
        .decimal("best", o.best, fixed{})
        .whole("behind", o.behind, -1, INT64_MAX)
        .whole("known", o.known, INT64_MIN, INT64_MAX, presence::optional)
        .whole("clock_end", o.clock_end, INT64_MIN, INT64_MAX, presence::optional)
        .whole("cancel_after", o.cancel_after, INT64_MIN, INT64_MAX, presence::optional)
        .whole("clock_cancel", o.clock_cancel, INT64_MIN, INT64_MAX, presence::optional);
    if (fields.object().contains("ahead")) {
      fixed ahead;
      fields.decimal("ahead", ahead, fixed{});
      o.ahead = ahead;
    }
    read_member(fields, "terms", o.terms);
    fields.finish();
    if (!wrong_.empty()) return;
    if (!made.fits(o) || made.find(o.terms.id) != nullptr)
      damaged(path + " does not hold together");
    made.add(std::move(o));
  }

  faults wrong_;
  field_reader fields_;
};

std::string paper_book::save() const {
  json out{{"symbol", symbol_},
           {"options", json_of(options_)},
           {"holdings", json::object()},
           {"orders", json::array()}};
  for (const auto& a : accounts_) out["holdings"][a.portfolio] = to_string(a.holding);
  for (const auto& o : orders_) {
    json one{{"terms", trading::json_of(o.terms)},
             {"fills", o.fills},
             {"filled", to_string(o.filled)},
             {"met", o.met},
             {"triggered", o.triggered},
             {"best", to_string(o.best)},
             {"behind", o.behind},
             {"known", known_to(o)}};
    if (o.ahead) one["ahead"] = to_string(*o.ahead);
    if (o.clock_end != paper_order::never) one["clock_end"] = o.clock_end;
    if (o.cancel_after != paper_order::never) one["cancel_after"] = o.cancel_after;
    if (o.clock_cancel != paper_order::never) one["clock_cancel"] = o.clock_cancel;
    out["orders"].push_back(std::move(one));
  }
  return out.dump();
}

paper_book paper_book::load(std::string_view state) {
  const auto from = json::parse(state, nullptr, false);
  if (!from.is_object()) damaged("not a JSON object");
  return paper_book_loader(from).load();
}

}  // namespace troupe::trading
