#include <algorithm>
#include <nlohmann/json.hpp>

#include "actors/trading/fields.hpp"
#include "actors/trading/risk.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

[[noreturn]] void damaged(const std::string& what) {
  throw bad_state("risk: " + what);
}

}  // namespace

/// Reads what `save` wrote.
class risk_loader {
 public:
  risk_loader(const json& from, int schema)
      : schema_(schema), fields_(from, "", wrong_), made_({}) {}

  risk load() {
    read_limits();
    fields_.choice("trading_state", made_.state_)
        .flag("by_drawdown", made_.by_drawdown_, presence::required)
        .whole("verdicts", made_.verdicts_, 0, INT64_MAX)
        .amount("day_equity", made_.day_equity_);
    read_sessions();
    read_in_flight();
    read_approvals();
    read_day();
    fields_.finish();
    if (!wrong_.empty()) damaged(to_string(wrong_));
    return std::move(made_);
  }

 private:
  void read_limits() {
    const auto* limits = fields_.member("limits", presence::required);
    if (limits == nullptr) return;
    if (auto read = parse_limits(*limits, "limits", wrong_)) made_.limits_ = std::move(*read);
  }

  void read_sessions() {
    const auto* sessions = fields_.member("sessions", presence::required);
    if (sessions == nullptr) return;
    field_reader each(*sessions, "sessions", wrong_);
    for (const auto& [name, number] : each.object().items())
      each.whole(name, made_.sessions_[name], 0, INT64_MAX);
  }

  void read_in_flight() {
    const auto* list = fields_.member("in_flight", presence::required);
    if (list == nullptr) return;
    if (!list->is_array()) return fields_.refuse("in_flight", "must be a list");
    for (const auto& one : *list) {
      field_reader fields(one, "in_flight", wrong_);
      risk::reservation r;
      fields.whole("verdict", r.verdict, 1, INT64_MAX)
          .name("symbol", r.symbol)
          .choice("side", r.side)
          .decimal("quantity", r.quantity, fixed{})
          .decimal("price", r.price, fixed{})
          .amount("cash", r.cash);
      fields.finish();
      made_.in_flight_.push_back(std::move(r));
    }
  }

  /// What schema 1 counted is over within a window's length.
  void read_approvals() {
    if (schema_ == 1) {
      std::int64_t ignored = 0;
      fields_.whole("window", ignored, INT64_MIN, INT64_MAX)
          .whole("window_orders", ignored, 0, INT64_MAX);
      return;
    }
    const auto* list = fields_.member("approvals", presence::required);
    if (list == nullptr) return;
    if (!list->is_array()) return fields_.refuse("approvals", "must be a list");
    for (const auto& one : *list) {
      if (!one.is_number_integer()) return fields_.refuse("approvals", "must be whole numbers");
      made_.approvals_.push_back(one);
    }
  }

  void read_day() {
    std::int64_t day = 0;
    if (fields_.object().contains("day")) {
      fields_.whole("day", day, INT64_MIN, INT64_MAX);
      made_.day_ = day;
    }
    money peak = 0;
    if (fields_.object().contains("peak")) {
      fields_.amount("peak", peak);
      made_.peak_ = peak;
    }
  }

  const int schema_;
  faults wrong_;
  field_reader fields_;
  risk made_;
};

std::string risk::save() const {
  json out{{"limits", to_json(limits_)},  {"trading_state", name_of(state_)},
           {"by_drawdown", by_drawdown_}, {"verdicts", verdicts_},
           {"approvals", approvals_},     {"day_equity", to_string(day_equity_)},
           {"sessions", json::object()},  {"in_flight", json::array()}};
  for (const auto& [name, number] : sessions_) out["sessions"][name] = number;
  for (const auto& r : in_flight_)
    out["in_flight"].push_back({{"verdict", r.verdict},
                                {"symbol", r.symbol},
                                {"side", name_of(r.side)},
                                {"quantity", to_string(r.quantity)},
                                {"price", to_string(r.price)},
                                {"cash", to_string(r.cash)}});
  if (day_) out["day"] = *day_;
  if (peak_) out["peak"] = to_string(*peak_);
  return out.dump();
}

risk risk::load(std::string_view state, int schema) {
  const auto from = json::parse(state, nullptr, false);
  if (!from.is_object()) damaged("not a JSON object");
  return risk_loader(from, schema).load();
}

}  // namespace troupe::trading
