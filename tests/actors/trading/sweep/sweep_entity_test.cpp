#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <random>
#include <set>

#include "actors/trading/backtest_job.hpp"
#include "actors/trading/backtest_sweep.hpp"
#include "actors/trading/messages.hpp"
#include "actors/trading/run_figures.hpp"
#include "actors/trading/sweep_tables.hpp"
#include "tests/actors/trading/sweep/sweep_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

const std::string sweep_key = "s-1";

/// One sweep and its jobs: every message goes to an entity that was just loaded.
class world {
 public:
  explicit world(std::uint32_t jobs_max = 4) {
    auto o = std::make_shared<sweep_options>();
    o->jobs_max = jobs_max;
    kinds_["backtest_sweep"] = make_backtest_sweep_kind(o);
    kinds_["backtest_job"] = make_backtest_job_kind(o);
  }

  json give(const entity_id& to, const std::string& type, const json& body = json::object()) {
    auto answer = handle(to, {type, body});
    while (!told_.empty()) {
      const auto [target, what] = std::move(told_.front());
      told_.pop_front();
      handle(target, what);
    }
    return answer;
  }
  json submit(const json& order) { return give({"backtest_sweep", sweep_key}, "submit", order); }
  json show() { return give({"backtest_sweep", sweep_key}, "show"); }
  json job(const std::string& key) { return give({"backtest_job", key}, "show"); }

  /// The service answers a call.
  void answer(const effects::called& what, const json& how) {
    give({"backtest_job", what.id}, "call_answered",
         {{"service", what.service}, {"id", what.id}, {"answer", how}});
  }
  /// The timer of each job that has one fires.
  void fire() {
    const auto due = timers_;
    for (const auto& key : due) give({"backtest_job", key}, "ask");
  }

  std::vector<effects::called> calls;  // Not yet answered.
  std::map<std::string, int> rows;     // `status number`: how often.
  std::vector<std::string> reasons;
  const std::set<std::string>& timers() const { return timers_; }

 private:
  json handle(const entity_id& to, const message& what) {
    const auto& kind = kinds_.at(to.kind);
    const auto core = kind.make(to);
    auto& saved = saved_[to.kind + '/' + to.key];
    if (!saved.empty()) core->load(saved, kind.schema);
    effects out;
    core->handle(what, {to, now_}, out);
    if (!out.read_only) saved = core->save();
    for (auto& t : out.tells) told_.emplace_back(std::move(t.to), std::move(t.what));
    for (auto& c : out.calls) calls.push_back(std::move(c));
    for (const auto& t : out.timers)
      t.due ? (void)timers_.insert(to.key) : (void)timers_.erase(to.key);
    for (const auto& block : out.blocks) keep(block);
    return out.answer.value_or(json());
  }
  void keep(const row_block& block) {
    REQUIRE(&block.table() == &backtest_run_table);
    for (std::size_t i = 0; i < block.rows(); ++i) {
      const auto number = std::get<std::int64_t>(block.column(1)[i]);
      const auto status = std::get<std::string>(block.column(3)[i]);
      ++rows[status + ' ' + std::to_string(number)];
      reasons.push_back(std::get<std::string>(block.column(4)[i]));
    }
  }

  std::map<std::string, kind_def> kinds_;
  std::map<std::string, std::string> saved_;
  std::deque<std::pair<entity_id, message>> told_;
  std::set<std::string> timers_;
  time_point now_ = from_micros(1'700'000'000'000'000);
};

json done() {
  return {
      {"outcome", "done"}, {"node", "n1"}, {"seconds", 0.5}, {"metrics", json_of(run_metrics())}};
}
json failed(const std::string& why) {
  return {{"outcome", "failed"}, {"node", "n1"}, {"reason", why}};
}

/// Answers all that is asked until nothing is.
void finish(world& w, const json& how) {
  while (!w.calls.empty()) {
    const auto what = w.calls.front();
    w.calls.erase(w.calls.begin());
    w.answer(what, how);
  }
}

const json sixteen = json_of(crosses("data"));

}  // namespace

TEST_CASE("a sweep gives out its runs a few at a time, and is done when all have ended") {
  world w;
  const auto begun = w.submit(sixteen);
  CHECK(begun["runs"] == 16);
  CHECK(begun["left_out"] == 4);
  CHECK(begun["open"] == 4);
  REQUIRE(w.calls.size() == 4);
  CHECK(w.calls[0].service == "backtest");
  CHECK(w.calls[0].id == "s-1-0");
  CHECK(w.calls[0].request["parameters"] == json{{"fast", 2.0}, {"slow", 5.0}});
  CHECK(w.calls[0].request["data"] == "data");
  CHECK(w.calls[0].request["settings"] == sixteen["settings"]);
  w.answer(w.calls[1], done());
  CHECK(w.calls.size() == 5);
  CHECK(w.show()["done"] == 1);
  CHECK(w.show()["open"] == 4);
  CHECK(w.job("s-1-1")["phase"] == "done");
  CHECK_FALSE(w.job("s-1-1").contains("order"));
  w.calls.erase(w.calls.begin() + 1);
  finish(w, done());
  CHECK(w.show()["phase"] == "done");
  CHECK(w.show()["done"] == 16);
  CHECK(w.rows.size() == 16);
  CHECK(w.timers().empty());
}

TEST_CASE("a sweep that is done is not run again, whoever submits it") {
  world w;
  w.submit(sixteen);
  finish(w, done());
  const auto before = w.rows;
  CHECK(w.submit(sixteen)["phase"] == "done");
  CHECK(w.calls.empty());
  CHECK(w.rows == before);
  auto other = sixteen;
  other["settings"]["cash"] = "5";
  CHECK(w.submit(other)["error"] == "other_sweep");
}

TEST_CASE("work that got lost is asked for again, and what comes twice counts once") {
  world w(100);
  w.submit(sixteen);
  REQUIRE(w.timers().size() == 16);
  const auto lost = std::exchange(w.calls, {});  // The node died with it.
  w.fire();
  REQUIRE(w.calls.size() == 16);
  CHECK(w.job("s-1-0")["asked"] == 2);
  finish(w, done());
  for (const auto& late : lost) w.answer(late, failed("too late"));
  w.fire();
  CHECK(w.calls.empty());
  CHECK(w.rows.size() == 16);
  for (const auto& [row, times] : w.rows) CHECK_MESSAGE(times == 1, row);
  CHECK(w.show()["done"] == 16);
}

TEST_CASE("a service that cannot now is asked again by the timer") {
  world w(100);
  w.submit(sixteen);
  finish(w, {{"outcome", "later"}});
  CHECK(w.rows.empty());
  CHECK(w.show()["open"] == 16);
  w.fire();
  CHECK(w.calls.size() == 16);
}

TEST_CASE("a failed run has its reason, and is run again when the sweep is submitted again") {
  world w(100);
  w.submit(sixteen);
  w.answer(w.calls[0], failed("missing_data: no recording"));
  w.answer(w.calls[2], {{"outcome", "done"}, {"node", "n1"}, {"metrics", 5}});
  w.calls.erase(w.calls.begin() + 2);
  w.calls.erase(w.calls.begin());
  finish(w, done());
  CHECK(w.show()["phase"] == "done");
  CHECK(w.show()["failed"] == 2);
  CHECK(w.reasons[0] == "missing_data: no recording");
  CHECK(w.reasons[1].find("metrics") != std::string::npos);
  CHECK(w.job("s-1-0")["phase"] == "failed");
  CHECK(w.submit(sixteen)["open"] == 2);
  REQUIRE(w.calls.size() == 2);
  finish(w, done());
  CHECK(w.show()["failed"] == 0);
  CHECK(w.show()["done"] == 16);
  CHECK(w.rows["done 0"] == 1);
}

TEST_CASE("an answer that is none ends the run with a reason, so that nothing is stuck") {
  for (const auto& odd : {json(), json(5), json{{"outcome", "maybe"}}, json{{"node", 7}}}) {
    world w(1);
    w.submit(sixteen);
    w.answer(w.calls[0], odd);
    CHECK_MESSAGE(w.show()["failed"] == 1, odd.dump());
    CHECK_FALSE(w.reasons.at(0).empty());
  }
}

TEST_CASE("a hundred failures stop a sweep; it goes on when it is submitted again") {
  auto large = crosses("data");
  large.axes = {parse_axis("fast=1:20:1"), parse_axis("slow=21:40:1")};
  world w(7);
  w.submit(json_of(large));
  finish(w, failed("no luck"));
  CHECK(w.show()["phase"] == "stopped");
  CHECK(w.show()["reason"] == "100 runs failed, the last one: no luck");
  CHECK(w.show()["failed"] == 106);  // With those that were out.
  CHECK(w.submit(json_of(large))["phase"] == "running");
  finish(w, done());
  CHECK(w.show()["done"] == 400);
  CHECK(w.show()["failed"] == 0);
}

TEST_CASE("a sweep that is stopped begins no further runs, and goes on with its next submission") {
  world w;
  w.submit(sixteen);
  CHECK(w.give({"backtest_sweep", sweep_key}, "stop")["phase"] == "stopped");
  finish(w, done());
  CHECK(w.show()["done"] == 4);
  CHECK(w.show()["open"] == 0);
  w.submit(sixteen);
  finish(w, done());
  CHECK(w.show()["phase"] == "done");
  for (const auto& [row, times] : w.rows) CHECK_MESSAGE(times == 1, row);
  CHECK(w.rows.size() == 16);
}

TEST_CASE("what cannot be a sweep is refused by name and leaves nothing behind") {
  const auto refused = [](const json& what) {
    world w;
    auto answer = w.submit(what);
    CHECK(w.calls.empty());
    CHECK(w.show()["error"] == "unknown_sweep");
    return answer.at("error").get<std::string>() + ": " + answer.at("detail").get<std::string>();
  };
  CHECK(refused(5).starts_with("malformed: "));
  auto wrong = sixteen;
  wrong["settings"]["session"]["strategy"] = "smart";
  CHECK(refused(wrong) == "refused: no strategy is called smart");
  wrong = sixteen;
  wrong["axes"][0]["name"] = "fats";
  CHECK(refused(wrong).starts_with("refused: "));
  auto large = crosses("data");
  large.axes = {parse_axis("fast=1:400:1"), parse_axis("slow=1:400:1")};
  CHECK(refused(json_of(large)) == "refused: more than 100000 combinations in one sweep");
}

TEST_CASE("whatever gets lost, doubled or late: each run ends once, never too many are out") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    const auto window = static_cast<std::uint32_t>(1 + random() % 9);
    world w(window);
    w.submit(sixteen);
    std::vector<effects::called> late;
    for (int step = 0; step < 2'000 && w.show()["phase"] != "done"; ++step) {
      CHECK(w.show()["open"] <= window);
      if (w.calls.empty() || random() % 8 == 0) w.fire();
      if (random() % 16 == 0) w.submit(sixteen);
      if (w.calls.empty()) continue;
      const auto at = static_cast<std::ptrdiff_t>(random() % w.calls.size());
      const auto what = w.calls[static_cast<std::size_t>(at)];
      if (random() % 3 != 0) w.calls.erase(w.calls.begin() + at);  // Else: answered twice.
      if (random() % 4 != 0) w.answer(what, random() % 5 == 0 ? failed("bad luck") : done());
      if (w.show()["phase"] == "done" && w.show()["failed"] != 0) w.submit(sixteen);
    }
    CHECK_MESSAGE(w.show()["phase"] == "done", seed);
    CHECK_MESSAGE(w.show()["done"] == 16, seed);
    int once = 0;
    for (const auto& [row, times] : w.rows)
      if (row.starts_with("done")) {
        CHECK_MESSAGE(times == 1, seed, row);
        ++once;
      }
    CHECK(once == 16);
  }
}
