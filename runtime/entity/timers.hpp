#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "runtime/store/shard_store.hpp"

namespace troupe {

/// The durable timers of a shard, in memory. Pure.
class timers {
 public:
  void set(store::timer_row row);
  void cancel(const store::timer_key& key);

  /// Takes the timers that are due; each stays known until it is cancelled (its unit does that) or
  /// set anew.
  std::vector<store::timer_row> fire(time_point now);
  /// Whether a fired timer may still run: it was neither cancelled nor set anew meanwhile.
  bool still_due(const store::timer_row& fired) const;
  /// Time of the next one that has not fired.
  std::optional<time_point> next() const;

 private:
  struct armed {
    store::timer_row row;
    bool fired = false;
  };
  std::map<store::timer_key, armed> timers_;
  std::set<std::pair<time_point, store::timer_key>> by_due_;
};

}  // namespace troupe
