#include "app/backtest/job_runner.hpp"

#include <sys/resource.h>

#include <chrono>

#include "actors/trading/messages.hpp"
#include "actors/trading/run_figures.hpp"
#include "actors/trading/sweep_order.hpp"
#include "runtime/store/store_error.hpp"

namespace troupe::app {

using nlohmann::json;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::size_t jobs_max = 10'000;  // Of a node; sweeps give out far fewer.
constexpr int niceness = 10;

/// The node stops.
struct given_up {};

json later(const std::string& why) {
  return {{"outcome", "later"}, {"detail", why}};
}

}  // namespace

std::size_t job_threads(const trading::sweep_options& options) {
  return options.threads > 0 ? options.threads
                             : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

job_runner::job_runner(std::string node, const trading::sweep_options& options,
                       recording_cache::loader load, metrics::registry& figures)
    : node_(std::move(node)),
      recordings_(std::size_t{options.data_max} << 20, std::move(load)),
      done_(figures.make_counter("troupe_backtest_runs_total", "Runs of sweeps that have ended.",
                                 {{"outcome", "done"}})),
      failed_(figures.make_counter("troupe_backtest_runs_total", "Runs of sweeps that have ended.",
                                   {{"outcome", "failed"}})),
      open_(figures.watch_gauge("troupe_backtest_runs_open",
                                "Runs of sweeps that this node has been given and not ended.", {},
                                [this] {
                                  const std::lock_guard lock(mutex_);
                                  return static_cast<double>(jobs_.size());
                                })) {
  for (std::size_t i = 0; i < job_threads(options); ++i) threads_.emplace_back([this] { work(); });
}

job_runner::~job_runner() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
}

void job_runner::call(const effects::called& what, answered done) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = jobs_.find(what.id);
    if (found != jobs_.end()) {
      found->second.done = std::move(done);
      return;
    }
    if (jobs_.size() < jobs_max) {
      jobs_.emplace(what.id, job{what.request, std::move(done)});
      waiting_.push_back(what.id);
      wake_.notify_one();
      return;
    }
  }
  done(later("this node has " + std::to_string(jobs_max) + " runs to do"));
}

void job_runner::work() {
  ::setpriority(PRIO_PROCESS, 0, niceness);  // Of this thread alone.
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
    if (stopped_) return;
    const auto id = std::move(waiting_.front());
    waiting_.pop_front();
    const auto order = jobs_.at(id).order;
    lock.unlock();
    json answer;
    try {
      answer = run(order);
    } catch (const given_up&) {
      return;
    }
    lock.lock();
    const auto done = std::move(jobs_.extract(id).mapped().done);
    lock.unlock();
    done(std::move(answer));
    lock.lock();
  }
}

json job_runner::failed(const std::string& reason) const {
  failed_.add();
  return {{"outcome", "failed"}, {"node", node_}, {"reason", reason}};
}

json job_runner::run(const json& order) {
  trading::faults wrong;
  const auto what = trading::parse<trading::run_order>(order, wrong);
  if (!what) return failed("malformed: " + trading::to_string(wrong));
  try {
    const auto data = recordings_.get(what->data);
    if (const auto why = trading::objection(what->settings, *data); !why.empty())
      return failed(why);
    const auto begin = clock_type::now();
    const auto result = trading::run_backtest(what->settings, *data, [this](std::int64_t) {
      if (stopped_) throw given_up();
    });
    const std::chrono::duration<double> took = clock_type::now() - begin;
    done_.add();
    return {{"outcome", "done"},
            {"node", node_},
            {"seconds", took.count()},
            {"metrics", trading::json_of(result.metrics)}};
  } catch (const store::unavailable_error& e) {
    return later(e.what());
  } catch (const std::exception& e) {
    return failed(e.what());
  }
}

}  // namespace troupe::app
