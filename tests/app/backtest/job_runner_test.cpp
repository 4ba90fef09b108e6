#include "app/backtest/job_runner.hpp"

#include <doctest/doctest.h>

#include <condition_variable>
#include <future>
#include <nlohmann/json.hpp>

#include "actors/trading/messages.hpp"
#include "actors/trading/run_figures.hpp"
#include "runtime/store/store_error.hpp"
#include "tests/actors/trading/sweep/sweep_support.hpp"

using namespace troupe;
using namespace troupe::app;
using namespace troupe::trading;
using namespace troupe::trading::test;
using nlohmann::json;

namespace {

const std::vector<symbol_data> data{bars_of("X", 9, 300)};
const std::string bytes = encode_recording(data), name = name_of_recording(bytes);

sweep_options threads(std::uint32_t count) {
  sweep_options o;
  o.threads = count;
  return o;
}

effects::called call_of(const std::string& id, double fast, const std::string& recording = name) {
  return {"backtest",
          id,
          {{"data", recording},
           {"settings", json_of(crosses_of("X"))},
           {"parameters", {{"fast", fast}, {"slow", 20}}}}};
}

/// A recording that comes when the test lets it.
class gate {
 public:
  void open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    wake_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    wake_.notify_all();
    wake_.wait(lock, [this] { return open_; });
  }
  /// Returns once somebody waits.
  void met() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool open_ = false;
  int waiting_ = 0;
};

struct answers {
  service_port::answered take() {
    auto promise = std::make_shared<std::promise<json>>();
    all.push_back(promise->get_future());
    return [promise](json answer) { promise->set_value(std::move(answer)); };
  }
  std::vector<std::future<json>> all;
};

std::optional<std::string> stored(const std::string& wanted) {
  return wanted == name ? std::optional(bytes) : std::nullopt;
}

}  // namespace

TEST_CASE("a run's answer is what the same run comes to here, on any number of threads") {
  metrics::registry figures;
  job_runner runner("n1", threads(3), stored, figures);
  answers to;
  for (int fast = 1; fast <= 12; ++fast)
    runner.call(call_of("j" + std::to_string(fast), fast), to.take());
  for (int fast = 1; fast <= 12; ++fast) {
    const auto answer = to.all[static_cast<std::size_t>(fast - 1)].get();
    CHECK(answer["outcome"] == "done");
    CHECK(answer["node"] == "n1");
    auto settings = crosses_of("X");
    settings.session.parameters = {{"fast", fast}, {"slow", 20}};
    CHECK(answer["metrics"].dump() == json_of(run_backtest(settings, data).metrics).dump());
  }
  CHECK(figures.expose().find("troupe_backtest_runs_total{outcome=\"done\"} 12") !=
        std::string::npos);
}

TEST_CASE("a run that is asked for again while it is under way has one run, and the last answer") {
  metrics::registry figures;
  gate hold;
  answers to;
  bool first_was_told = false;
  {
    job_runner runner(
        "n1", threads(1),
        [&](const std::string& wanted) {
          hold.pass();
          return stored(wanted);
        },
        figures);
    runner.call(call_of("a", 5), [&](json) { first_was_told = true; });
    runner.call(call_of("b", 6), to.take());
    hold.met();
    runner.call(call_of("a", 5), to.take());
    runner.call(call_of("b", 6), to.take());
    CHECK(figures.expose().find("troupe_backtest_runs_open 2") != std::string::npos);
    hold.open();
    CHECK(to.all[1].get()["outcome"] == "done");
    CHECK(to.all[2].get()["outcome"] == "done");
  }
  CHECK_FALSE(first_was_told);
  CHECK(figures.expose().find("troupe_backtest_runs_total{outcome=\"done\"} 2") !=
        std::string::npos);
}

TEST_CASE("what cannot be run has its reason; a database that is away is no reason") {
  metrics::registry figures;
  bool away = true;
  job_runner runner(
      "n1", threads(1),
      [&](const std::string& wanted) {
        if (std::exchange(away, false)) throw store::unavailable_error("away");
        return stored(wanted);
      },
      figures);
  const auto answer_to = [&](const effects::called& what) {
    answers to;
    runner.call(what, to.take());
    return to.all[0].get();
  };
  CHECK(answer_to(call_of("a", 5))["outcome"] == "later");
  CHECK(answer_to(call_of("a", 5))["outcome"] == "done");
  const auto reason = [&](const effects::called& what) {
    const auto answer = answer_to(what);
    CHECK(answer["outcome"] == "failed");
    return answer.value("reason", "");
  };
  CHECK(reason(call_of("a", 30)).starts_with("bad_parameter: sma_cross: parameter fast is 30"));
  CHECK(reason(call_of("a", 5, "other")).starts_with("missing_data: "));
  CHECK(reason({"backtest", "a", {{"data", 5}}}).starts_with("malformed: "));
  auto wrong = call_of("a", 5);
  wrong.request["settings"]["instruments"][0]["symbol"] = "Y";
  CHECK(reason(wrong) == "wrong_data: where the run wants Y the recording has X");
  CHECK(answer_to(call_of("a", 5))["outcome"] == "done");
}

TEST_CASE("a runner that goes gives up what it has: nobody is told") {
  metrics::registry figures;
  gate hold;
  constexpr int calls = 9'000;
  std::atomic<int> told = 0;
  {
    job_runner runner(
        "n1", threads(1),
        [&](const std::string& wanted) {
          hold.pass();
          return stored(wanted);
        },
        figures);
    for (int i = 0; i < calls; ++i)
      runner.call(call_of("j" + std::to_string(i), 5), [&](json) { ++told; });
    hold.met();
    hold.open();
  }
  CHECK(told < calls);
}
