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
        .whole("verdicts", made_.verdicts_, 0, INT64_MAX);
    read_sessions();
    read_in_flight();
    read_approvals();
    schema_ < 3 ? read_one_day() : read_days();
    read_peak();
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
    if (!sessions->is_object()) return fields_.refuse("sessions", "must be an object");
    for (const auto& [name, one] : sessions->items()) {
      auto& who = made_.sessions_[name];
      if (schema_ < 3) {
        field_reader(*sessions, "sessions", wrong_).whole(name, who.newest, 0, INT64_MAX);
        continue;
      }
      field_reader fields(one, "sessions." + name, wrong_);
      fields.whole("newest", who.newest, 0, INT64_MAX);
      read_optional(fields, "day", who.day);
      fields.finish();
    }
  }

  static void read_optional(field_reader& from, std::string_view name,
                            std::optional<std::int64_t>& to) {
    if (!from.object().contains(name)) return;
    std::int64_t value = 0;
    from.whole(name, value, INT64_MIN, INT64_MAX);
    to = value;
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
          .amount("cash", r.cash)
          .whole("children", r.children, 0, INT64_MAX, presence::optional);
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

  /// Nobody is said to have been in it: who decides in it next finds it.
  void read_one_day() {
    std::optional<std::int64_t> day;
    money equity = 0;
    read_optional(fields_, "day", day);
    fields_.amount("day_equity", equity);
    if (day) made_.days_[*day] = equity;
  }

  void read_days() {
    const auto* days = fields_.member("days", presence::required);
    if (days == nullptr) return;
    if (!days->is_array()) return fields_.refuse("days", "must be a list");
    for (const auto& one : *days) {
      std::int64_t day = 0;
      money equity = 0;
      field_reader fields(one, "days", wrong_);
      fields.whole("day", day, INT64_MIN, INT64_MAX).amount("equity", equity).finish();
      made_.days_[day] = equity;
    }
    for (const auto& [name, who] : made_.sessions_)
      if (who.day && !made_.days_.contains(*who.day))
        fields_.refuse("days", "must have the day of session " + name);
  }

  void read_peak() {
    money peak = 0;
    if (!fields_.object().contains("peak")) return;
    fields_.amount("peak", peak);
    made_.peak_ = peak;
  }

  const int schema_;
  faults wrong_;
  field_reader fields_;
  risk made_;
};

std::string risk::save() const {
  json out{{"limits", to_json(limits_)},  {"trading_state", name_of(state_)},
           {"by_drawdown", by_drawdown_}, {"verdicts", verdicts_},
           {"approvals", approvals_},     {"days", json::array()},
           {"sessions", json::object()},  {"in_flight", json::array()}};
  for (const auto& [name, who] : sessions_) {
    out["sessions"][name] = {{"newest", who.newest}};
    if (who.day) out["sessions"][name]["day"] = *who.day;
  }
  for (const auto& [day, equity] : days_)
    out["days"].push_back({{"day", day}, {"equity", to_string(equity)}});
  for (const auto& r : in_flight_)
    out["in_flight"].push_back({{"verdict", r.verdict},
                                {"symbol", r.symbol},
                                {"side", name_of(r.side)},
                                {"quantity", to_string(r.quantity)},
                                {"price", to_string(r.price)},
                                {"cash", to_string(r.cash)},
                                {"children", r.children}});
  if (peak_) out["peak"] = to_string(*peak_);
  return out.dump();
}

risk risk::load(std::string_view state, int saved_as) {
  const auto from = json::parse(state, nullptr, false);
  if (!from.is_object()) damaged("not a JSON object");
  return risk_loader(from, saved_as).load();
}

}  // namespace troupe::trading
