#include "runtime/entity/health.hpp"

namespace troupe {

namespace {

std::string seconds_text(std::chrono::nanoseconds age) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(age).count()) + " s";
}

/// What is wrong with one shard, or nothing.
std::string problem_of(const status_board::entry& shard, time_point now, steady_time steady,
                       const health_limits& limits) {
  const auto& p = shard.now;
  if (!shard.stopped.empty()) return "given up: " + shard.stopped;
  if (!p.live)  // On its way, which readiness says; but not for ever.
    return steady - shard.advanced <= limits.stalled_max
               ? std::string{}
               : "has not come to life for " + seconds_text(steady - shard.advanced) +
                     (shard.last_failure.empty() ? "" : ": " + shard.last_failure);
  if (p.uncommitted_since != time_point{} && now - p.uncommitted_since > limits.uncommitted_max)
    return "oldest uncommitted input is " + seconds_text(now - p.uncommitted_since) + " old";
  if (p.undelivered_since != time_point{} && now - p.undelivered_since > limits.undelivered_max)
    return "oldest undelivered message is " + seconds_text(now - p.undelivered_since) + " old";
  if (p.starved_since != time_point{} && now - p.starved_since > limits.stalled_max)
    return "nothing of topic " + p.starved_of + " has come for " +
           seconds_text(now - p.starved_since) + " with a lag of " + std::to_string(p.lag);
  if (p.lag > 0 && steady - shard.advanced > limits.stalled_max)
    return "has not advanced for " + seconds_text(steady - shard.advanced) + " with a lag of " +
           std::to_string(p.lag);
  return {};
}

}  // namespace

health_report judge(const std::vector<status_board::entry>& shards, time_point now,
                    steady_time steady, const health_limits& limits) {
  health_report report;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (!shards[i].owned) continue;
    report.ready = report.ready && shards[i].now.live;
    const auto problem = problem_of(shards[i], now, steady, limits);
    if (!problem.empty()) report.problems.push_back("shard " + std::to_string(i) + ": " + problem);
  }
  report.healthy = report.problems.empty();
  return report;
}

}  // namespace troupe
