#include "bench/support/node_run.hpp"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "runtime/base/partition.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "runtime/bridge/topic_admin.hpp"

namespace troupe::bench {

using test::cluster_folder;

bridge::kafka_options kafka_of(const cluster_folder& folder) {
  bridge::kafka_options o;
  o.brokers = std::getenv("TROUPE_TEST_BROKERS");
  o.topic_prefix = folder.prefix();
  return o;
}

app::settings settings_of(const cluster_folder& folder, int node) {
  app::settings s;
  s.cluster.name = "test";
  s.node.id = "node-" + std::to_string(node);
  s.node.admin.port = static_cast<std::uint16_t>(folder.admin_port(node));
  return s;
}

/// Trades (and quotes) of all symbols, ten a second each, prices walking in steps of a cent.
void produce(const cluster_folder& folder, const market_records& a) {
  bridge::topic_admin(kafka_of(folder))
      .ensure_topics({{"market", folder.shards(), 1, {}}}, std::chrono::seconds(30));
  bridge::producer_options options;
  options.kafka = kafka_of(folder);
  bridge::kafka_producer producer(options);
  std::mt19937_64 random(7);
  std::vector<std::int64_t> cents(static_cast<std::size_t>(a.symbols), 10'000);
  char text[256];
  for (std::int64_t n = 0; n < a.count; ++n) {
    const auto s = static_cast<std::size_t>(n) % cents.size();
    const auto tick = n / a.symbols;
    cents[s] = std::max<std::int64_t>(100, cents[s] + static_cast<std::int64_t>(random() % 5) - 2);
    const auto time = 1'700'000'000'000'000 + tick * 100'000 + static_cast<std::int64_t>(s) * 400;
    const auto key = "SYM" + std::to_string(1000 + s);
    const auto whole = cents[s] / 100, part = cents[s] % 100;
    const bool quote = a.quotes && tick % 2 == 1;
    const int size =
        quote
            ? std::snprintf(
                  text, sizeof text,
                  R"({"type":"quote","symbol":"%s","time":%ld,"bid":"%ld.%02ld","bid_size":"%ld","ask":"%ld.%02ld","ask_size":"100"})",
                  key.c_str(), time, whole, part, 100 + tick % 50, whole + 1, part)
            : std::snprintf(
                  text, sizeof text,
                  R"({"type":"trade","symbol":"%s","time":%ld,"price":"%ld.%02ld","size":"%d.%03d","id":%ld})",
                  key.c_str(), time, whole, part, 1 + static_cast<int>(random() % 500),
                  static_cast<int>(random() % 1000), tick);
    producer.send("market",
                  {key, {text, static_cast<std::size_t>(size)}, std::nullopt, std::nullopt});
  }
  if (!producer.flush(std::chrono::seconds(120)))
    throw std::runtime_error("records could not be produced");
}

std::string key_in(unsigned shard, unsigned shards, const std::string& form, int n) {
  for (int i = 0;; ++i) {
    auto key = form + std::to_string(i);
    if (partition_of(key, shards) == shard && n-- == 0) return key;
  }
}

double cpu_of(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(stat, line);
  line.erase(0, line.rfind(')') + 2);
  std::istringstream fields(line);
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void print(bool json, const std::string& bench, const std::string& metric, double value,
           const char* unit) {
  if (json)
    std::printf(
        "%s\n",
        nlohmann::json{{"bench", bench}, {"metric", metric}, {"value", value}, {"unit", unit}}
            .dump()
            .c_str());
  else
    std::printf("  %-36s %16.3f %s\n", metric.c_str(), value, unit);
  std::fflush(stdout);
}

}  // namespace troupe::bench
