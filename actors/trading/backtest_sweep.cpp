#include "actors/trading/backtest_sweep.hpp"

#include <algorithm>
#include <array>

#include "actors/trading/backtest_job.hpp"
#include "actors/trading/messages.hpp"
#include "actors/trading/strategy.hpp"

namespace troupe::trading {

using nlohmann::json;

namespace {

constexpr int schema = 1;
constexpr std::array<std::string_view, 4> phases{"none", "running", "done", "stopped"};

bool allowed(const sweep_order& order, std::int64_t number) {
  return parameter_violations(*find_strategy(order.settings.session.strategy),
                              order.parameters(number))
      .empty();
}

/// How many combinations the strategy allows.
std::int64_t count_allowed(const sweep_order& order) {
  std::int64_t runs = 0;
  for (std::int64_t i = 0; i < count_combinations(order.axes); ++i) runs += allowed(order, i);
  return runs;
}

/// What is wrong with an order that has the right form; empty: nothing. Judged by its first allowed
/// combination; when there is none, by the first of all.
std::string objection_to(const sweep_order& order, std::int64_t runs) {
  std::int64_t first = 0;
  while (runs > 0 && !allowed(order, first)) ++first;
  auto one = order.settings.session;
  one.parameters = order.parameters(first);
  return check(one).detail;
}

void read_numbers(field_reader& from, std::string_view name, std::vector<std::int64_t>& to) {
  const auto* list = from.member(name, presence::required);
  if (list == nullptr) return;
  if (!list->is_array()) return from.refuse(name, "must be a list");
  for (const auto& one : *list) {
    if (!one.is_number_integer()) return from.refuse(name, "must be whole numbers");
    to.push_back(one.get<std::int64_t>());
  }
}

void refuse(effects& out, const char* error, const std::string& detail) {
  out.unchanged();
  out.reply({{"error", error}, {"detail", detail}});
}

}  // namespace

void backtest_sweep::load(std::string_view state, int version) {
  if (version != schema)
    throw bad_state("backtest_sweep: schema " + std::to_string(version) + " is not known");
  faults wrong;
  const auto stored = json::parse(state, nullptr, false);
  field_reader from(stored, "", wrong);
  std::string name;
  from.text("phase", name)
      .text("reason", reason_)
      .time("submitted_at", submitted_)
      .time("ended_at", ended_);
  for (const auto& [key, value] : {std::pair{"runs", &runs_},
                                   {"left_out", &left_out_},
                                   {"next", &next_},
                                   {"open", &open_},
                                   {"done", &done_}})
    from.whole(key, *value, 0, combinations_max);
  read_numbers(from, "again", again_);
  read_numbers(from, "failed", failed_);
  read_member(from, "order", order_);
  const auto found = std::find(phases.begin(), phases.end(), name);
  if (found == phases.end()) from.refuse("phase", "must be a phase of a sweep");
  if (find_strategy(order_.settings.session.strategy) == nullptr)
    from.refuse("order", "must be of a strategy that there is");
  if (!wrong.empty()) throw bad_state("backtest_sweep: " + to_string(wrong));
  phase_ = static_cast<phase>(found - phases.begin());
  written_ = stored.at("order");
}

std::string backtest_sweep::save() const {
  const json state{{"phase", phases[static_cast<std::size_t>(phase_)]},
                   {"order", written_},
                   {"runs", runs_},
                   {"left_out", left_out_},
                   {"next", next_},
                   {"again", again_},
                   {"open", open_},
                   {"done", done_},
                   {"failed", failed_},
                   {"reason", reason_},
                   {"submitted_at", to_micros(submitted_)},
                   {"ended_at", to_micros(ended_)}};
  return state.dump(-1, ' ', false, json::error_handler_t::replace);
}

void backtest_sweep::handle(const message& what, const context& where, effects& out) {
  if (what.type == "submit") return submit(what, where, out);
  if (phase_ == phase::none && (what.type == "show" || what.type == "stop"))
    return refuse(out, "unknown_sweep", "no sweep " + where.self.key + " was submitted");
  if (what.type == "show") {
    out.unchanged();
    return out.reply(shown(where));
  }
  if (what.type == "stop") {
    if (phase_ == phase::running) stop("stopped by an operator");
    settle(where, out);
    return out.reply(shown(where));
  }
  if (what.type == "job_ended") return job_ended(what, where, out);
  entity::handle(what, where, out);
}

void backtest_sweep::submit(const message& what, const context& where, effects& out) {
  if (phase_ == phase::none) {
    faults wrong;
    auto order = parse<sweep_order>(what.body, wrong);
    if (!order) return refuse(out, "malformed", to_string(wrong));
    if (find_strategy(order->settings.session.strategy) == nullptr)
      return refuse(out, "refused", "no strategy is called " + order->settings.session.strategy);
    const auto all = count_combinations(order->axes);
    if (all > runs_max)
      return refuse(out, "refused",
                    "more than " + std::to_string(runs_max) + " combinations in one sweep");
    const auto runs = count_allowed(*order);
    if (const auto wrong_with = objection_to(*order, runs); !wrong_with.empty())
      return refuse(out, "refused", wrong_with);
    order_ = std::move(*order);
    written_ = what.body;
    runs_ = runs;
    left_out_ = all - runs;
    submitted_ = where.now;
  } else if (what.body != written_) {
    return refuse(out, "other_sweep", "this key belongs to a sweep with other settings");
  }
  again_.insert(again_.end(), failed_.begin(), failed_.end());
  failed_.clear();
  reason_.clear();
  phase_ = phase::running;
  settle(where, out);
  out.reply(shown(where));
}

void backtest_sweep::job_ended(const message& what, const context& where, effects& out) {
  faults wrong;
  std::string reason;
  std::int64_t number = 0;
  field_reader from(what.body, "", wrong);
  from.whole("number", number, 0, combinations_max).text("reason", reason);
  if (!wrong.empty() || open_ == 0) return refuse(out, "malformed", to_string(wrong));
  --open_;
  if (reason.empty())
    ++done_;
  else
    failed_.push_back(number);
  if (failed_.size() >= failures_max && phase_ == phase::running)
    stop(std::to_string(failures_max) + " runs failed, the last one: " + reason);
  settle(where, out);
}

void backtest_sweep::stop(std::string why) {
  phase_ = phase::stopped;
  reason_ = std::move(why);
}

void backtest_sweep::settle(const context& where, effects& out) {
  while (phase_ == phase::running && open_ < static_cast<std::int64_t>(options_->jobs_max)) {
    const auto number = next();
    if (!number) break;
    ++open_;
    give_out(*number, where, out);
  }
  if (open_ > 0) {
    ended_ = {};
    return;
  }
  if (phase_ == phase::running) phase_ = phase::done;
  if (ended_ == time_point()) ended_ = where.now;
}

std::optional<std::int64_t> backtest_sweep::next() {
  if (!again_.empty()) {
    const auto number = again_.back();
    again_.pop_back();
    return number;
  }
  const auto all = count_combinations(order_.axes);
  while (next_ < all)
    if (const auto number = next_++; allowed(order_, number)) return number;
  return std::nullopt;
}

void backtest_sweep::give_out(std::int64_t number, const context& where, effects& out) {
  const json order{{"data", order_.data},
                   {"settings", written_.at("settings")},
                   {"parameters", order_.parameters(number)}};
  out.tell({std::string(backtest_job_kind), where.self.key + '-' + std::to_string(number)},
           {"run", {{"sweep", where.self.key}, {"number", number}, {"order", order}}});
}

json backtest_sweep::shown(const context& where) const {
  return {{"sweep", where.self.key},
          {"phase", phases[static_cast<std::size_t>(phase_)]},
          {"runs", runs_},
          {"done", done_},
          {"failed", failed_.size()},
          {"open", open_},
          {"left_out", left_out_},
          {"reason", reason_}};
}

kind_def make_backtest_sweep_kind(std::shared_ptr<const sweep_options> options) {
  kind_def kind;
  kind.name = backtest_sweep_kind;
  kind.schema = schema;
  kind.make = [options = std::move(options)](const entity_id&) {
    return std::make_unique<backtest_sweep>(options);
  };
  return kind;
}

}  // namespace troupe::trading
