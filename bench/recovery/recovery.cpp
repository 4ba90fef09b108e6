// Time from starting a node that was killed to having applied every record again, against the
// records since its checkpoint; and memory per idle symbol.
//   recovery [--json]
// Needs TROUPE_TEST_DSN, TROUPE_TEST_BROKERS, TROUPE_TEST_BINARY (bench/run sets them).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "app/client.hpp"
#include "bench/support/node_run.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;
using namespace troupe::test;

/// Checkpoints so rare that none is made while the measurement runs.
constexpr auto no_checkpoint =
    R"("checkpoint": {"interval_ms": 60000, "output_delay_ms": 60000, "uncommitted_records_max": 10000000})";

std::int64_t applied(const cluster_folder& folder) {
  try {
    return app::client(settings_of(folder))
        .ask({{"verb", "status"}})
        .at("ingress")
        .at("records")
        .get<std::int64_t>();
  } catch (const app::client_error&) {
    return -1;
  }
}

void wait_for_records(const cluster_folder& folder, std::int64_t count) {
  wait_until("all records applied", std::chrono::seconds(120),
             [&] { return applied(folder) >= count; });
}

double recovery_ms(std::int64_t records) {
  cluster_folder folder(no_checkpoint);
  if (run_troupe({"migrate", "--config", folder.node_config()}).exit_code != 0)
    throw std::runtime_error("no database");
  produce(folder, {records, 200, false});
  node_process node({troupe_binary(), "node", "--config", folder.node_config()});
  node.start();
  wait_for_records(folder, records);
  node.kill();
  const auto start = std::chrono::steady_clock::now();
  node.start();
  wait_for_records(folder, records);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// One trade a symbol, so that each has its actor and its first open bar; against a node with one
/// symbol.
double bytes_per_symbol(int symbols) {
  std::int64_t memory[2] = {};
  for (const int n : {1, symbols}) {
    cluster_folder folder("");
    if (run_troupe({"migrate", "--config", folder.node_config()}).exit_code != 0)
      throw std::runtime_error("no database");
    produce(folder, {n, n, false});
    node_process node({troupe_binary(), "node", "--config", folder.node_config()});
    node.start();
    wait_for_records(folder, n);
    wait_until("the checkpoint", std::chrono::seconds(60), [&] {
      return folder.database().run("select count(*) from entity") == std::to_string(n);
    });
    memory[n == 1 ? 0 : 1] = node.memory();
  }
  return static_cast<double>(memory[1] - memory[0]) / (symbols - 1);
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  CLI::App app("Recovery time and memory");
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);
  if (!json)
    std::printf(
        "recovery: from start after kill -9 to everything applied again, 200 symbols, 8 shards\n");
  for (const std::int64_t records : {1'000, 10'000, 100'000, 1'000'000})
    print(json, "recovery", "after_" + std::to_string(records) + "_records", recovery_ms(records),
          "ms");
  if (!json) std::printf("memory: 20,000 idle symbols, 1m bars, 12 indicators\n");
  print(json, "memory", "idle_symbol", bytes_per_symbol(20'000), "bytes");
}
