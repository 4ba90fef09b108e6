// The whole pipeline, Kafka to committed tables, beside bare consumption of the same topic in the same run.
//   pipeline [--json] [--records N] [--symbols N] [--shards N] [--rounds N] [--quotes]
// Needs TROUPE_TEST_DSN, TROUPE_TEST_BROKERS, TROUPE_TEST_BINARY (bench/run sets them).
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "runtime/bridge/kafka_producer.hpp"
#include "runtime/bridge/topic_admin.hpp"
#include "tests/support/node_process.hpp"

namespace {

using namespace troupe;
using namespace troupe::test;
using clock_type = std::chrono::steady_clock;

struct arguments {
  bool json = false;
  bool quotes = false;
  std::int64_t records = 3'000'000;
  int symbols = 200;
  unsigned shards = 8;
  int rounds = 3;
};

/// Records a second, and seconds of CPU of the process that did it.
struct figure {
  double rate = 0;
  double cpu_us = 0;  // A record.
};

double seconds_since(clock_type::time_point start) { return std::chrono::duration<double>(clock_type::now() - start).count(); }

bridge::kafka_options kafka_of(const cluster_folder& folder) {
  bridge::kafka_options o;
  o.brokers = std::getenv("TROUPE_TEST_BROKERS");
  o.topic_prefix = folder.prefix();
  return o;
}

/// Trades (and quotes) of all symbols, ten a second each, prices walking in steps of a cent.
void produce(const cluster_folder& folder, const arguments& a) {
  bridge::producer_options options;
  options.kafka = kafka_of(folder);
  bridge::kafka_producer producer(options);
  std::mt19937_64 random(7);
  std::vector<std::int64_t> cents(static_cast<std::size_t>(a.symbols), 10'000);
  char text[256];
  for (std::int64_t n = 0; n < a.records; ++n) {
    const auto s = static_cast<std::size_t>(n) % cents.size();
    const auto tick = n / a.symbols;
    cents[s] = std::max<std::int64_t>(100, cents[s] + static_cast<std::int64_t>(random() % 5) - 2);
    const auto time = 1'700'000'000'000'000 + tick * 100'000 + static_cast<std::int64_t>(s) * 400;
    const auto key = "SYM" + std::to_string(1000 + s);
    const auto whole = cents[s] / 100, part = cents[s] % 100;
    const bool quote = a.quotes && tick % 2 == 1;
    const int size = quote ? std::snprintf(text, sizeof text,
                                   R"({"type":"quote","symbol":"%s","time":%ld,"bid":"%ld.%02ld","bid_size":"%ld","ask":"%ld.%02ld","ask_size":"100"})",
                                   key.c_str(), time, whole, part, 100 + tick % 50, whole + 1, part)
                             : std::snprintf(text, sizeof text,
                                   R"({"type":"trade","symbol":"%s","time":%ld,"price":"%ld.%02ld","size":"%d.%03d","id":%ld})", key.c_str(),
                                   time, whole, part, 1 + static_cast<int>(random() % 500), static_cast<int>(random() % 1000), tick);
    producer.send("market", {key, {text, static_cast<std::size_t>(size)}, std::nullopt, std::nullopt});
  }
  if (!producer.flush(std::chrono::seconds(120))) throw std::runtime_error("records could not be produced");
}

double own_cpu() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  const auto of = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return of(u.ru_utime) + of(u.ru_stime);
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

/// The yardstick: librdkafka's batch consumption of every partition, records dropped at once.
figure consume_bare(const cluster_folder& folder, const arguments& a) {
  char error[512];
  auto* conf = rd_kafka_conf_new();
  const auto set = [&](const char* name, const std::string& value) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK) throw std::runtime_error(error);
  };
  set("bootstrap.servers", std::getenv("TROUPE_TEST_BROKERS"));
  set("group.id", "bare");
  set("enable.auto.commit", "false");
  set("check.crcs", "false");
  set("queued.min.messages", "200000");
  auto* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  rd_kafka_poll_set_consumer(consumer);
  auto* partitions = rd_kafka_topic_partition_list_new(static_cast<int>(a.shards));
  for (unsigned p = 0; p < a.shards; ++p)
    rd_kafka_topic_partition_list_add(partitions, (folder.prefix() + "market").c_str(), static_cast<int>(p))->offset = 0;
  const auto cpu = own_cpu();
  rd_kafka_assign(consumer, partitions);
  auto* queue = rd_kafka_queue_get_consumer(consumer);
  std::vector<rd_kafka_message_t*> batch(10'000);
  std::int64_t got = 0;
  auto start = clock_type::now();
  while (got < a.records) {
    const auto n = rd_kafka_consume_batch_queue(queue, 100, batch.data(), batch.size());
    if (got == 0 && n > 0) start = clock_type::now();
    for (ssize_t i = 0; i < n; ++i) rd_kafka_message_destroy(batch[static_cast<std::size_t>(i)]);
    got += n;
  }
  const figure f{static_cast<double>(a.records) / seconds_since(start), (own_cpu() - cpu) * 1e6 / static_cast<double>(a.records)};
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_partition_list_destroy(partitions);
  rd_kafka_assign(consumer, nullptr);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return f;
}

/// From the node's first committed record to the last.
figure run_node(const cluster_folder& folder, const arguments& a) {
  node_process node({troupe_binary(), "node", "--config", folder.node_config()});
  const auto committed = [&] { return std::stoll(folder.database().run("select coalesce(sum(next), 0) from position")); };
  node.start();
  const auto cpu_before = cpu_of(node.pid());
  std::int64_t first = 0;
  wait_until("the first commit", std::chrono::seconds(60), [&] { return (first = committed()) > 0; });
  const auto start = clock_type::now();
  std::int64_t now = first;
  wait_until("the last commit", std::chrono::seconds(300), [&] { return (now = committed()) == a.records; });
  const auto elapsed = seconds_since(start);
  const figure f{static_cast<double>(a.records - first) / elapsed, (cpu_of(node.pid()) - cpu_before) * 1e6 / static_cast<double>(a.records)};
  node.stop();
  return f;
}

void print(const arguments& a, const char* metric, double value, const char* unit) {
  if (a.json) std::printf("%s\n", nlohmann::json{{"bench", "pipeline"}, {"metric", metric}, {"value", value}, {"unit", unit}}.dump().c_str());
  else std::printf("  %-28s %12.3f %s\n", metric, value, unit);
  std::fflush(stdout);
}

figure best(const std::vector<figure>& all) {
  return *std::ranges::max_element(all, {}, &figure::rate);
}

}  // namespace

int main(int argc, char** argv) {
  arguments a;
  CLI::App app("The whole pipeline beside bare consumption");
  app.add_flag("--json", a.json);
  app.add_flag("--quotes", a.quotes, "Every other record a quote");
  app.add_option("--records", a.records);
  app.add_option("--symbols", a.symbols);
  app.add_option("--shards", a.shards);
  app.add_option("--rounds", a.rounds);
  CLI11_PARSE(app, argc, argv);
  std::vector<figure> bare, whole;
  for (int round = 0; round < a.rounds; ++round) {
    cluster_folder folder(R"("market": {"periods": ["1m"]})", a.shards);
    if (run_troupe({"migrate", "--config", folder.node_config()}).exit_code != 0) return 1;
    bridge::topic_admin(kafka_of(folder)).ensure_topics({{"market", a.shards, 1, {}}}, std::chrono::seconds(10));
    produce(folder, a);
    bare.push_back(consume_bare(folder, a));
    whole.push_back(run_node(folder, a));
  }
  if (!a.json) std::printf("pipeline: %ld records, %d symbols, %u shards, 1m bars, 12 indicators, best of %d\n", a.records, a.symbols, a.shards, a.rounds);
  print(a, "bare_consumption", best(bare).rate, "records/s");
  print(a, "bare_consumption_cpu", best(bare).cpu_us, "us/record");
  print(a, "pipeline", best(whole).rate, "records/s");
  print(a, "pipeline_cpu", best(whole).cpu_us, "us/record");
  print(a, "pipeline_to_bare", best(whole).rate / best(bare).rate, "ratio");
}
