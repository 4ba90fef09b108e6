#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/client.hpp"
#include "runtime/base/ids.hpp"

namespace troupe::app {

entity_id sweep_entity(const std::string& id);
/// Of what a sweep's entity tells: runs that are done or failed.
std::uint64_t ended_runs(const nlohmann::json& state);
bool is_over(const nlohmann::json& state);

/// A shard that was given up, as the verb `shards` tells it.
struct lost_shard {
  std::uint32_t number = 0;
  std::string text;  // `shard 3 on node-2 was given up: REASON`.
};
std::vector<lost_shard> lost_shards(const nlohmann::json& shards);

/// Asks a sweep how far it is, whatever happens to the node meanwhile. While no run ends it tells,
/// on standard error, what the cluster says is wrong.
class sweep_watch {
 public:
  static constexpr std::chrono::seconds nobody_answers_max{30};
  /// So long no run may end before it looks for the reason, and between such looks.
  static constexpr std::chrono::seconds stalled_after{5};

  sweep_watch(const settings& all, std::string id);

  /// Nothing: nobody answers at this moment. Throws failure when there is no hope that this changes
  /// by itself.
  std::optional<nlohmann::json> look();

 private:
  using clock = std::chrono::steady_clock;

  nlohmann::json ask(const nlohmann::json& request);
  void heard(const nlohmann::json& state);
  /// No run has ended for a while.
  void look_for_reasons(const nlohmann::json& state);
  /// Runs that were given out and are not in these shards. They are at work, or will be.
  std::int64_t runs_elsewhere(const std::vector<lost_shard>& lost) const;
  void tell(const std::string& what);

  const settings& all_;
  const std::string id_;
  std::unique_ptr<client> client_;
  clock::time_point answered_ = clock::now(), moved_ = clock::now(), looked_ = clock::now();
  std::uint64_t ended_ = 0;
  std::string last_error_, told_;
  bool hopeless_ = false;  // So it was at the last look.
};

}  // namespace troupe::app
