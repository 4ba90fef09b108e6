#include "actors/trading/backtest_job.hpp"

#include "actors/trading/backtest_sweep.hpp"
#include "actors/trading/messages.hpp"
#include "actors/trading/run_figures.hpp"
#include "actors/trading/sweep_order.hpp"
#include "actors/trading/sweep_tables.hpp"

namespace troupe::trading {

using nlohmann::json;

namespace {

constexpr int schema = 1;
constexpr std::array<std::string_view, 4> phases{"none", "waiting", "done", "failed"};
constexpr std::string_view timer = "ask";

given_parameters parameters_of(const json& order) {
  faults ignored;
  const auto run = parse<run_order>(order, ignored);
  return run ? run->settings.session.parameters : given_parameters();
}

}  // namespace

void backtest_job::load(std::string_view state, int version) {
  if (version != schema)
    throw bad_state("backtest_job: schema " + std::to_string(version) + " is not known");
  faults wrong;
  const auto stored = json::parse(state, nullptr, false);
  field_reader from(stored, "", wrong);
  std::string name;
  from.text("phase", name)
      .text("sweep", sweep_)
      .whole("number", number_, 0, INT64_MAX)
      .whole("asked", asked_, 0, INT64_MAX)
      .text("reason", reason_);
  const auto found = std::find(phases.begin(), phases.end(), name);
  if (found == phases.end()) from.refuse("phase", "must be a phase of a job");
  if (const auto* order = from.member("order")) order_ = *order;
  if (!wrong.empty()) throw bad_state("backtest_job: " + to_string(wrong));
  phase_ = static_cast<phase>(found - phases.begin());
}

std::string backtest_job::save() const {
  json state{{"phase", phases[static_cast<std::size_t>(phase_)]},
             {"sweep", sweep_},
             {"number", number_},
             {"asked", asked_},
             {"reason", reason_}};
  if (phase_ == phase::waiting) state["order"] = order_;
  return state.dump(-1, ' ', false, json::error_handler_t::replace);
}

void backtest_job::handle(const message& what, const context& where, effects& out) {
  if (what.type == "run") return begin(what, where, out);
  if (what.type == "ask" && phase_ == phase::waiting) return ask(where, out);
  if (what.type == "call_answered" && phase_ == phase::waiting) {
    const auto answer = what.body.is_object() ? what.body.value("answer", json()) : json();
    return hear(answer, where, out);
  }
  if (what.type == "show") out.reply(json::parse(save()));
  if (what.type == "show" || what.type == "ask" || what.type == "call_answered")
    return out.unchanged();
  entity::handle(what, where, out);
}

void backtest_job::begin(const message& what, const context& where, effects& out) {
  faults wrong;
  std::string sweep;
  std::int64_t number = 0;
  field_reader from(what.body, "", wrong);
  from.text("sweep", sweep).whole("number", number, 0, INT64_MAX);
  const auto* order = from.member("order", presence::required);
  if (!wrong.empty()) {
    out.unchanged();
    return out.reply({{"error", "malformed"}, {"detail", to_string(wrong)}});
  }
  sweep_ = sweep;
  number_ = number;
  if (phase_ == phase::waiting) return out.unchanged();  // It will tell.
  if (phase_ == phase::done) return tell_sweep(out);
  order_ = *order;
  phase_ = phase::waiting;
  reason_.clear();
  ask(where, out);
}

void backtest_job::ask(const context& where, effects& out) {
  ++asked_;
  out.call(backtest_service, where.self.key, order_);
  out.set_timer(std::string(timer), where.now + options_->ask_again, {"ask", json::object()});
}

void backtest_job::hear(const json& answer, const context& where, effects& out) {
  faults wrong;
  field_reader from(answer, "answer", wrong);
  std::string outcome;
  from.text("outcome", outcome);
  if (outcome == "later") return out.unchanged();  // The timer asks again.
  ended_run row{sweep_, number_, parameters_of(order_), {}, {}, asked_, 0, where.now, {}};
  std::string node;
  reason_.clear();
  from.text("node", node);
  row.node = node;
  if (outcome == "done") {
    if (const auto* seconds = from.member("seconds"); seconds != nullptr && seconds->is_number())
      row.seconds = seconds->get<double>();
    read_member(from, "metrics", row.metrics);
  } else {
    from.text("reason", reason_);
  }
  if (!wrong.empty()) reason_ = to_string(wrong);
  row.reason = reason_;
  phase_ = reason_.empty() ? phase::done : phase::failed;
  order_ = nullptr;
  add_row(out.rows(backtest_run_table), row);
  out.cancel_timer(std::string(timer));
  tell_sweep(out);
}

void backtest_job::tell_sweep(effects& out) const {
  out.tell({std::string(backtest_sweep_kind), sweep_},
           {"job_ended", {{"number", number_}, {"reason", reason_}}});
}

kind_def make_backtest_job_kind(std::shared_ptr<const sweep_options> options) {
  kind_def kind;
  kind.name = backtest_job_kind;
  kind.schema = schema;
  kind.make = [options = std::move(options)](const entity_id&) {
    return std::make_unique<backtest_job>(options);
  };
  return kind;
}

}  // namespace troupe::trading
