// What a cluster of three makes of many things.
//   scale [--json] [--symbols N] [--records N] [--rate N] [--entities N] [--touches N] [--idle S]
// Symbols: a backlog of N records of all of them, then a steady load, then kill -9 of one node.
// Entities: a million accounts in the database; some of them are touched at random, passivated,
// touched again; the list is paged; one node is killed. 0 leaves a part out.
// Needs TROUPE_TEST_DSN, TROUPE_TEST_BROKERS, TROUPE_TEST_BINARY (bench/run sets them).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <deque>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "app/client.hpp"
#include "bench/support/figures.hpp"
#include "bench/support/node_run.hpp"
#include "runtime/base/partition.hpp"
#include "runtime/bridge/kafka_producer.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;
using namespace troupe::test;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using nlohmann::json;

constexpr int node_count = 3;

struct arguments {
  bool json = false;
  int symbols = 10'000;
  std::int64_t records = 10'000'000;
  int rate = 20'000;
  std::int64_t entities = 1'000'000;
  int touches = 50'000;
  int idle_s = 30;
  unsigned shards = 64;
};

double ms_since(clock_type::time_point start) {
  return std::chrono::duration<double, std::milli>(clock_type::now() - start).count();
}

class cluster_of_three {
 public:
  cluster_of_three(const arguments& a, const std::string& extra, std::vector<std::string> program)
      : a_(a), folder_(extra, a.shards, node_count) {
    if (run_troupe({"migrate", "--config", folder_.node_config()}).exit_code != 0)
      throw std::runtime_error("no database");
    for (int n = 1; n <= node_count; ++n) {
      auto command = program;
      command.insert(command.end(), {"--config", folder_.node_config(n)});
      nodes_.emplace_back(command);
    }
  }

  void start() {
    for (auto& node : nodes_) node.start();
    wait_until("three nodes with shards", 120s, [&] {
      const auto s = ask(1, {{"verb", "status"}});
      return settled(s) && s.at("nodes").size() == node_count &&
             std::ranges::all_of(s.at("nodes"), [](const auto& n) {
               return n.at("state") == "live" && n.at("shards").at("live") > 0;
             });
    });
  }
  static bool settled(const json& s) {
    return s.is_object() && s.contains("moves") && s.at("moves").empty() &&
           s.at("shards").at("live") == s.at("shards").at("total");
  }

  /// The answer of a node, null if there is none.
  json ask(int n, const json& request) const {
    try {
      return client_of(n)->ask(request);
    } catch (const app::client_error&) {
      return nullptr;
    }
  }
  std::unique_ptr<app::client> client_of(int n) const {
    return std::make_unique<app::client>(settings_of(folder_, n));
  }

  void report(const std::string& metric, double value, const char* unit) const {
    print(a_.json, "scale", metric, value, unit);
  }
  void report_memory(const std::string& when) {
    for (std::size_t n = 0; n < nodes_.size(); ++n)
      report("memory_node_" + std::to_string(n + 1) + '_' + when,
             static_cast<double>(nodes_[n].memory()) / (1 << 20), "MiB");
  }
  /// kill -9 of the first node: until the others have all shards, and until nothing waits.
  void report_recovery(const std::string& of) {
    const auto survivor = client_of(2);
    const auto start = clock_type::now();
    nodes_.front().kill();
    wait_until("live shards", 120s, [&] { return settled(survivor->ask({{"verb", "status"}})); });
    report(of + "_all_shards_live_after_kill", ms_since(start), "ms");
    wait_until("no backlog", 120s, [&] {
      return survivor->ask({{"verb", "status"}}).at("ingress").at("lag") == 0;
    });
    report(of + "_no_lag_after_kill", ms_since(start), "ms");
  }

  const cluster_folder& folder() const { return folder_; }
  std::int64_t number(const std::string& sql) const {
    return std::stoll(folder_.database().run(sql));
  }

 private:
  const arguments& a_;
  cluster_folder folder_;
  std::deque<node_process> nodes_;
};

/// A steady stream of trades of all symbols, from one thread.
class steady_load {
 public:
  steady_load(const cluster_folder& folder, const arguments& a, std::int64_t first_tick)
      : producer_([&] {
          bridge::producer_options options;
          options.kafka = kafka_of(folder);
          return options;
        }()) {
    thread_ = std::thread([this, a, first_tick] { run(a, first_tick); });
  }
  ~steady_load() {
    stop_ = true;
    thread_.join();
    producer_.flush(60s);
  }

 private:
  void run(const arguments& a, std::int64_t first_tick) {
    const auto begin = clock_type::now();
    char text[256];
    for (std::int64_t n = 0; !stop_;) {
      const auto due = static_cast<std::int64_t>(ms_since(begin) * a.rate / 1000);
      for (; n < due; ++n) {
        const auto s = n % a.symbols, tick = first_tick + n / a.symbols;
        const auto key = "SYM" + std::to_string(1000 + s);
        const int size = std::snprintf(
            text, sizeof text,
            R"({"type":"trade","symbol":"%s","time":%ld,"price":"100.25","size":"1","id":%ld})",
            key.c_str(), 1'700'000'000'000'000 + tick * 100'000, tick);
        producer_.send("market",
                       {key, {text, static_cast<std::size_t>(size)}, std::nullopt, std::nullopt});
      }
      std::this_thread::sleep_for(2ms);
    }
  }

  bridge::kafka_producer producer_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void measure_symbols(const arguments& a) {
  cluster_of_three cluster(a, R"("market": {"periods": ["1m"]})", {troupe_binary(), "node"});
  produce(cluster.folder(), {a.records, a.symbols});
  const auto start = clock_type::now();
  cluster.start();
  wait_until("the backlog", 600s, [&] {
    return cluster.number("select coalesce(sum(next), 0) from position") >= a.records;
  });
  cluster.report("symbols_backlog_with_start",
                 static_cast<double>(a.records) / ms_since(start) * 1000, "records/s");
  cluster.report_memory("symbols");
  const steady_load load(cluster.folder(), a, a.records / a.symbols + 1);
  std::vector<double> ages;
  const auto node = cluster.client_of(2);
  for (const auto until = clock_type::now() + 30s; clock_type::now() < until;
       std::this_thread::sleep_for(50ms))
    ages.push_back(node->ask({{"verb", "status"}}).at("oldest_uncommitted_ms").get<double>());
  cluster.report("oldest_uncommitted_p50", quantile(ages, 0.5), "ms");
  cluster.report("oldest_uncommitted_p99", quantile(ages, 0.99), "ms");
  cluster.report_recovery("symbols");
}

void fill(const cluster_of_three& cluster, const arguments& a) {
  constexpr std::int64_t at_once = 10'000;
  for (std::int64_t n = 0; n < a.entities;) {
    std::string rows;
    for (const auto end = std::min(a.entities, n + at_once); n < end; ++n) {
      const auto key = "account-" + std::to_string(n);
      rows += (rows.empty() ? "(" : ",(") + std::to_string(partition_of(key, a.shards)) +
              ",'savings','" + key + R"(',1,'{"balance":100,"bonuses":0}'))";
    }
    cluster.folder().database().run("insert into entity(shard, kind, key, schema, state) values " +
                                    rows);
  }
  cluster.folder().database().run("analyze entity");
}

/// Milliseconds of each request: deposits to accounts at random, `threads` at a time.
std::vector<double> touch(const cluster_of_three& cluster, const arguments& a, unsigned seed) {
  constexpr int threads = 8;
  std::vector<std::vector<double>> took(threads);
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> all;
    for (int t = 0; t < threads; ++t)
      all.emplace_back([&, t] {
        std::mt19937_64 random(seed * 100 + static_cast<unsigned>(t));
        const auto node = cluster.client_of(1 + t % node_count);
        for (int i = 0; i < a.touches / threads; ++i) {
          const auto key =
              "account-" + std::to_string(random() % static_cast<std::uint64_t>(a.entities));
          const auto start = clock_type::now();
          const auto answer = node->ask({{"verb", "ask"},
                                         {"entity", "savings/" + key},
                                         {"type", "deposit"},
                                         {"body", {{"amount", 1}}}});
          took[static_cast<std::size_t>(t)].push_back(ms_since(start));
          if (!answer.contains("balance") || answer.at("balance") < 101) ++failed;
        }
      });
  }
  if (failed > 0) throw std::runtime_error(std::to_string(failed) + " requests failed");
  std::vector<double> all;
  for (const auto& some : took) all.insert(all.end(), some.begin(), some.end());
  return all;
}

void report_touches(const cluster_of_three& cluster, const arguments& a, const std::string& when,
                    unsigned seed) {
  const auto start = clock_type::now();
  const auto took = touch(cluster, a, seed);
  cluster.report(when + "_access", static_cast<double>(took.size()) / ms_since(start) * 1000,
                 "requests/s");
  cluster.report(when + "_access_p50", quantile(took, 0.5), "ms");
  cluster.report(when + "_access_p99", quantile(took, 0.99), "ms");
}

void report_list(const cluster_of_three& cluster, const std::string& name,
                 std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"entity", "list"});
  arguments.insert(arguments.end(), {"--config", cluster.folder().node_config(2)});
  const auto start = clock_type::now();
  if (run_troupe(arguments).exit_code != 0) throw std::runtime_error("entity list failed");
  cluster.report("entity_list_" + name, ms_since(start), "ms");
}

void measure_entities(const arguments& a) {
  cluster_of_three cluster(a, R"("entities": {"idle_timeout_s": )" + std::to_string(a.idle_s) + '}',
                           {SAVINGS_NODE});
  fill(cluster, a);
  cluster.start();
  cluster.report_memory("none_resident");
  report_touches(cluster, a, "first", 1);
  cluster.report("resident", cluster.ask(1, {{"verb", "status"}}).at("entities"), "entities");
  cluster.report_memory("touched");
  wait_until("passivation", std::chrono::seconds(a.idle_s + 60), [&] {
    return cluster.ask(1, {{"verb", "status"}}).at("entities") == 0;
  });
  cluster.report_memory("passivated");
  report_touches(cluster, a, "passivated", 2);
  cluster.report_memory("touched_again");
  report_list(cluster, "first_page", {});
  report_list(cluster, "middle_page", {"--kind", "savings", "--after", "savings/account-5"});
  cluster.report_recovery("entities");
}

}  // namespace

int main(int argc, char** argv) {
  arguments a;
  CLI::App app("What a cluster of three makes of many things");
  app.add_flag("--json", a.json);
  app.add_option("--symbols", a.symbols);
  app.add_option("--records", a.records);
  app.add_option("--rate", a.rate, "Records a second of the steady load");
  app.add_option("--entities", a.entities);
  app.add_option("--touches", a.touches);
  app.add_option("--idle", a.idle_s, "Seconds until an entity is passivated");
  app.add_option("--shards", a.shards);
  CLI11_PARSE(app, argc, argv);
  if (!a.json)
    std::printf("scale: %d nodes, %u shards; %d symbols, %ld records; %ld entities, %d touches\n",
                node_count, a.shards, a.symbols, a.records, a.entities, a.touches);
  if (a.symbols > 0) measure_symbols(a);
  if (a.entities > 0) measure_entities(a);
}
