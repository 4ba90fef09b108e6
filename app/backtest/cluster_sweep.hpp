#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "actors/trading/sweep_order.hpp"
#include "app/backtest/sweep.hpp"
#include "app/settings.hpp"

namespace troupe::app {

/// What is told of a sweep, as JSON and for people.
struct sweep_report {
  nlohmann::json json;
  std::string text;
};

struct failed_run {
  trading::given_parameters parameters;
  std::string reason;
};

/// A sweep over the cluster, as far as it has come.
struct cluster_sweep {
  std::string id;
  sweep_result result;  // Of what is done.
  std::vector<failed_run> failed;
  std::string phase;   // running, done, stopped; empty: it is none of a cluster.
  std::string reason;  // Why it is stopped.
  bool interrupted = false;
};

/// The order for these settings over this data. Only what its results depend on is in it.
trading::sweep_order make_sweep_order(const trading::backtest_settings& settings,
                                      std::vector<trading::sweep_axis> axes, std::string recording);

/// Same data, settings and version of troupe: same id.
std::string id_of(const trading::sweep_order& order);

/// Uploads the recording unless the database has it, submits the sweep and waits until its runs
/// have ended or Ctrl-C comes, telling its progress, and what keeps it from any, on standard error.
/// A sweep that is known goes on where it is. Throws failure: `shard_given_up` when all that is
/// left waits for shards that only an operator can bring back.
cluster_sweep run_on_cluster(const settings& all, const trading::sweep_order& order,
                             const std::string& recording, const std::string& by);

/// Lets no further runs begin; those that run end.
sweep_report stop_on_cluster(const settings& all, const trading::sweep_order& order);

}  // namespace troupe::app
