#pragma once

#include <sys/types.h>

#include <cstdint>

#include "app/settings.hpp"
#include "runtime/bridge/kafka_options.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::bench {

/// Market records for a measurement.
struct market_records {
  std::int64_t count = 0;
  int symbols = 200;
  bool quotes = false;  // Every other tick a quote.
};

bridge::kafka_options kafka_of(const test::cluster_folder& folder);

/// What a client needs to reach a node: the nodes' names are node-1, node-2 and so on.
app::settings settings_of(const test::cluster_folder& folder, int node = 1);

/// Makes the topic `market` and fills it: ten ticks a second and symbol, prices walking in steps of
/// a cent.
void produce(const test::cluster_folder& folder, const market_records& a);

/// The n-th key of the form `form` and a number that belongs to the shard.
std::string key_in(unsigned shard, unsigned shards, const std::string& form, int n);

/// Seconds of CPU that a process has used.
double cpu_of(pid_t pid);

/// One result: a line of a table, or a JSON object.
void print(bool json, const std::string& bench, const std::string& metric, double value,
           const char* unit);

}  // namespace troupe::bench
