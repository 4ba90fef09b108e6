// The whole pipeline, Kafka to committed tables, beside bare consumption of the same topic in the
// same run.
//   pipeline [--json] [--records N] [--symbols N] [--shards N] [--rounds N] [--quotes] [--nodes N]
// Needs TROUPE_TEST_DSN, TROUPE_TEST_BROKERS, TROUPE_TEST_BINARY (bench/run sets them).
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <deque>

#include "bench/support/node_run.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;
using namespace troupe::test;
using clock_type = std::chrono::steady_clock;

struct arguments {
  bool json = false;
  bool quotes = false;
  std::int64_t records = 20'000'000;
  int symbols = 200;
  unsigned shards = 8;
  int rounds = 3;
  int nodes = 1;
};

/// Records a second, and seconds of CPU of the process that did it.
struct figure {
  double rate = 0;
  double cpu_us = 0;  // A record.
};

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

double own_cpu() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return of(u.ru_utime) + of(u.ru_stime);
}

/// The yardstick: librdkafka's batch consumption of every partition, records dropped at once.
figure consume_bare(const cluster_folder& folder, const arguments& a) {
  char error[512];
  auto* conf = rd_kafka_conf_new();
  const auto set = [&](const char* name, const std::string& value) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK)
      throw std::runtime_error(error);
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
    rd_kafka_topic_partition_list_add(partitions, (folder.prefix() + "market").c_str(),
                                      static_cast<int>(p))
        ->offset = 0;
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
  const figure f{static_cast<double>(a.records) / seconds_since(start),
                 (own_cpu() - cpu) * 1e6 / static_cast<double>(a.records)};
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_partition_list_destroy(partitions);
  rd_kafka_assign(consumer, nullptr);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return f;
}

/// From the moment when the last shard has its owner, just before reading begins, to the last
/// commit. Of several nodes the CPU of all.
figure run_nodes(const cluster_folder& folder, const arguments& a) {
  std::deque<node_process> nodes;
  const auto number = [&](const char* sql) { return std::stoll(folder.database().run(sql)); };
  for (int n = 1; n <= a.nodes; ++n) {
    nodes.emplace_back(
        std::vector<std::string>{troupe_binary(), "node", "--config", folder.node_config(n)});
    nodes.back().start();
  }
  wait_until("owners", std::chrono::seconds(60), [&] {
    return number("select count(*) from shard where owner is not null") == a.shards;
  });
  const auto start = clock_type::now();
  wait_until("the last commit", std::chrono::seconds(300),
             [&] { return number("select coalesce(sum(next), 0) from position") == a.records; });
  const auto elapsed = seconds_since(start);
  double cpu = 0;
  for (auto& node : nodes) cpu += cpu_of(node.pid());
  for (auto& node : nodes) node.stop();
  return {static_cast<double>(a.records) / elapsed, cpu * 1e6 / static_cast<double>(a.records)};
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
  app.add_option("--nodes", a.nodes)->check(CLI::Range(1, 50));
  CLI11_PARSE(app, argc, argv);
  std::vector<figure> bare, whole;
  for (int round = 0; round < a.rounds; ++round) {
    cluster_folder folder(R"("market": {"periods": ["1m"]})", a.shards, a.nodes);
    if (run_troupe({"migrate", "--config", folder.node_config()}).exit_code != 0) return 1;
    produce(folder, {a.records, a.symbols, a.quotes});
    bare.push_back(consume_bare(folder, a));
    whole.push_back(run_nodes(folder, a));
  }
  if (!a.json)
    std::printf(
        "pipeline: %ld records, %d symbols, %u shards, %d node(s), 1m bars, 12 indicators, best of "
        "%d\n",
        a.records, a.symbols, a.shards, a.nodes, a.rounds);
  const auto name = a.nodes == 1 ? "pipeline" : "pipeline-" + std::to_string(a.nodes);
  print(a.json, name, "bare_consumption", best(bare).rate, "records/s");
  print(a.json, name, "bare_consumption_cpu", best(bare).cpu_us, "us/record");
  print(a.json, name, "pipeline", best(whole).rate, "records/s");
  print(a.json, name, "pipeline_cpu", best(whole).cpu_us, "us/record");
  print(a.json, name, "pipeline_to_bare", best(whole).rate / best(bare).rate, "ratio");
}
