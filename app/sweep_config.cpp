#include "app/sweep_config.hpp"

namespace troupe {
namespace {

void describe(section& s, trading::sweep_options& o) {
  auto& [threads, data_max, jobs_max, ask_again] = o;
  s.number("threads", threads, {0, 1024, "threads"},
           "Runs that a node works on at the same time, on threads of lower priority than the "
           "node's others; 0: as many as the machine has cores. Fewer leave more to live trading.");
  s.number(
      "data_max_mib", data_max, {1, 1'048'576, "MiB"},
      "Recordings that a node keeps in memory for the runs to come. A recording that is larger "
      "is refused, by name; more spares reading them again when several sweeps take turns.");
  s.number("jobs_max", jobs_max, {1, 10'000, "runs"},
           "Runs of one sweep that are given out at a time, over the whole cluster. Should be "
           "several times the threads of all nodes; more shares the end of a sweep more evenly and "
           "costs a timer each.");
  s.duration("ask_again_ms", ask_again, {100, 3'600'000},
             "A run whose node has died begins anew on another after at most this time. Shorter "
             "goes on sooner; every run that waits or takes longer costs a small commit as often.");
}

}  // namespace

domain_section sweep_section(trading::sweep_options& options) {
  return {"backtests", "Sweeps of back-tests over the cluster: docs/backtest.md.",
          [&options](section& s) { describe(s, options); }};
}

}  // namespace troupe
