#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe::bench {

/// Where the time of one fail-over went, milliseconds. Each phase ends when the last shard has come
/// so far.
struct phases {
  double detect = 0;   // From the fault until a survivor declares the node dead.
  double declare = 0;  // Until that, and who takes over, is in the database.
  double load = 0;     // Until the new owners have the shards: fenced and loaded, one statement.
  double open = 0;     // Until they know what the old owner has published, and are live.
  double apply = 0;    // Until a record made after the fault has been applied and committed.
};

/// Reads phases from the logs of nodes, as they grow.
class timeline {
 public:
  explicit timeline(std::vector<std::string> files);

  /// From here on.
  void skip();
  /// What the logs except the victim's (`files[victim]`) say since the last `skip` of the takeover
  /// of `shards`; nothing when they do not tell all of it.
  std::optional<phases> read(std::size_t victim, std::int64_t incarnation,
                             const std::set<unsigned>& shards,
                             std::chrono::system_clock::time_point fault, double total_ms) const;

 private:
  struct log {
    std::string file;
    std::int64_t from = 0;
  };
  std::vector<log> logs_;
};

}  // namespace troupe::bench
