#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "actors/trading/sweep_options.hpp"
#include "app/backtest/recording_cache.hpp"
#include "runtime/entity/service_port.hpp"
#include "runtime/metrics/registry.hpp"

namespace troupe::app {

/// The service `backtest`: runs back-tests on threads of its own, which give way to all others of
/// the machine. What is asked again while it waits or runs has one run, and the last who asked gets
/// the answer.
class job_runner final : public service_port {
 public:
  /// `load`: as for the recording_cache; called by one thread at a time.
  job_runner(std::string node, const trading::sweep_options& options, recording_cache::loader load,
             metrics::registry& figures);
  /// What is running is given up, what waits is dropped.
  ~job_runner() override;

  void call(const effects::called& what, answered done) override;

 private:
  struct job {
    nlohmann::json order;
    answered done;
  };
  void work();
  nlohmann::json run(const nlohmann::json& order);
  nlohmann::json failed(const std::string& reason) const;

  const std::string node_;
  recording_cache recordings_;
  metrics::counter &done_, &failed_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::unordered_map<std::string, job> jobs_;  // Waiting and running, by id.
  std::deque<std::string> waiting_;
  std::atomic<bool> stopped_ = false;
  metrics::registry::subscription open_;
  std::vector<std::jthread> threads_;
};

/// How many runs a node works on at a time.
std::size_t job_threads(const trading::sweep_options& options);

}  // namespace troupe::app
