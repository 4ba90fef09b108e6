#include "app/backtest/sweep_watch.hpp"

#include <unistd.h>

#include <iostream>
#include <regex>

#include "actors/trading/backtest_job.hpp"
#include "actors/trading/backtest_sweep.hpp"
#include "app/commands/entity_command.hpp"
#include "runtime/store/status_reader.hpp"
#include "runtime/store/store_error.hpp"

namespace troupe::app {

using nlohmann::json;

namespace {

template <class List, class Text>
std::string joined(const List& all, Text text, const char* between = "; ") {
  std::string whole;
  for (const auto& one : all) (whole += whole.empty() ? "" : between) += text(one);
  return whole;
}

constexpr auto remedy =
    "; mend the cause, then restart the node: the sweep goes on by itself, and the same command "
    "shows its end";

}  // namespace

entity_id sweep_entity(const std::string& id) {
  return {std::string(trading::backtest_sweep_kind), id};
}

std::uint64_t ended_runs(const json& state) {
  return state.at("done").get<std::uint64_t>() + state.at("failed").get<std::uint64_t>();
}

bool is_over(const json& state) {
  return state.at("open") == 0 && state.at("phase") != "running";
}

std::vector<lost_shard> lost_shards(const json& shards) {
  std::vector<lost_shard> all;
  for (const auto& s : shards)
    if (s.is_object() && s.contains("stopped"))
      all.push_back({s.at("shard").get<std::uint32_t>(),
                     "shard " + s.at("shard").dump() + " on " + text_of(s.at("node")) +
                         " was given up: " + text_of(s.at("stopped"))});
  return all;
}

sweep_watch::sweep_watch(const settings& all, std::string id) : all_(all), id_(std::move(id)) {}

json sweep_watch::ask(const json& request) {
  if (!client_) client_ = std::make_unique<client>(all_);
  return client_->ask(request);
}

std::optional<json> sweep_watch::look() {
  try {
    auto state = ask({{"verb", "ask"},
                      {"entity", to_string(sweep_entity(id_))},
                      {"type", "show"},
                      {"body", json::object()}});
    if (!state.contains("error")) {
      heard(state);
      return state;
    }
    const auto detail = text_of(state.value("detail", json("")));
    last_error_ = text_of(state.at("error")) + ": " + detail;
    if (state.at("error") == "shard_given_up")
      throw failure("shard_given_up",
                    "sweep " + id_ + " itself waits: " + detail + "; then the same command goes on",
                    {{"sweep_id", id_}});
  } catch (const client_error& e) {
    last_error_ = e.what();
    client_.reset();
  }
  if (clock::now() - answered_ > nobody_answers_max)
    throw failure("node_unavailable",
                  "nobody has answered for 30 s (" + last_error_ +
                      "); the sweep goes on in the cluster: run the same command again");
  return std::nullopt;
}

void sweep_watch::heard(const json& state) {
  answered_ = clock::now();
  if (const auto ended = ended_runs(state); ended != ended_) {
    ended_ = ended;
    moved_ = looked_ = answered_;
    hopeless_ = false;
    told_.clear();
  }
  if (is_over(state) || answered_ - looked_ < stalled_after) return;
  looked_ = answered_;
  try {
    look_for_reasons(state);
  } catch (const store::unavailable_error&) {  // It will come back, and the nodes wait for it, too.
    tell("PostgreSQL is out of reach");
  }
}

void sweep_watch::look_for_reasons(const json& state) {
  const auto status = ask({{"verb", "status"}});
  tell(joined(status.value("problems", json::array()),
              [](const json& one) { return text_of(one); }));
  const auto lost = lost_shards(ask({{"verb", "shards"}}));
  // Twice in a row: a run that was given out a moment ago has no row yet.
  const bool hopeless =
      !lost.empty() && state.at("open").get<std::int64_t>() > 0 && runs_elsewhere(lost) == 0;
  if (!std::exchange(hopeless_, hopeless) || !hopeless) return;
  const auto where = joined(lost, [](const lost_shard& one) { return one.text; });
  throw failure("shard_given_up",
                state.at("open").dump() + " runs of sweep " + id_ +
                    " wait, and none is at work: " + where + remedy,
                {{"sweep_id", id_},
                 {"sweep_phase", state.at("phase")},
                 {"sweep_reason", nullptr},
                 {"done", state.at("done")},
                 {"failed", state.at("failed")},
                 {"open", state.at("open")}});
}

std::int64_t sweep_watch::runs_elsewhere(const std::vector<lost_shard>& lost) const {
  const auto numbers = joined(
      lost, [](const lost_shard& one) { return std::to_string(one.number); }, ",");
  store::status_reader reader(all_.cluster.postgres.dsn);
  const auto rows = json::parse(reader.read_json(
      "select count(*) as runs from entity where kind = " +
      sql_text(std::string(trading::backtest_job_kind)) + " and state ->> 'sweep' = " +
      sql_text(id_) + " and state ->> 'phase' = 'waiting' and shard not in (" + numbers + ")"));
  return rows.at(0).at("runs");
}

/// Once, and again when it has changed.
void sweep_watch::tell(const std::string& what) {
  static const std::regex age("[0-9]+ s");
  const auto lasting = std::regex_replace(what, age, "");
  if (what.empty() || std::exchange(told_, lasting) == lasting) return;
  const auto waited = std::chrono::duration_cast<std::chrono::seconds>(clock::now() - moved_);
  std::cerr << (::isatty(STDERR_FILENO) == 1 ? "\r\x1b[K" : "") << "no run has ended for "
            << waited.count() << " s; the cluster tells: " << what << std::endl;
}

}  // namespace troupe::app
