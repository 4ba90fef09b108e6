// Two nodes with one shard each: all symbols on one, their followers on the same or on the other.
// Throughput: records as fast as they come, with and without followers; the difference in CPU is
// the price of the feed. Delay: from the time that a record carries, when it is produced, to the
// follower; Kafka's share is in it, and is the same on both ways.
//   feeds [--json] [--records N] [--symbols N] [--followers N]
// Needs TROUPE_TEST_DSN, TROUPE_TEST_BROKERS, TROUPE_TEST_BINARY (bench/run sets them).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <deque>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/support/node_run.hpp"
#include "runtime/bridge/history_reader.hpp"
#include "runtime/bridge/kafka_producer.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;
using namespace troupe::test;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using nlohmann::json;

constexpr unsigned shards = 2;

struct arguments {
  bool json = false;
  std::int64_t records = 1'000'000;
  int symbols = 100;
  int followers = 10;  // Each of its own part of the symbols.
};

class two_nodes {
 public:
  explicit two_nodes(const arguments& a) : a_(a), folder_("", shards, 2) {
    if (run_troupe({"migrate", "--config", folder_.node_config()}).exit_code != 0)
      throw std::runtime_error("no database");
    for (int n = 1; n <= 2; ++n) {
      nodes_.emplace_back(std::vector<std::string>{FEEDS_NODE, "--config", folder_.node_config(n)});
      nodes_.back().start();
    }
    wait_until("a shard on each node", 60s, [&] {
      return number("select count(distinct owner) from shard where owner = assigned") == 2;
    });
    bridge::producer_options options;
    options.kafka = kafka_of(folder_);
    options.linger = 1ms;
    producer_ = std::make_unique<bridge::kafka_producer>(options);
    bridge::history_reader log(kafka_of(folder_));
    wait_until("topics", 60s, [&] { return log.range("dead-letter", 1, 1s).has_value(); });
    for (int s = 0; s < a.symbols; ++s) symbols_.push_back(key_in(0, shards, "SYM", s));
  }

  /// Makes followers of a kind in a shard, and waits until all are there.
  void follow(const std::string& kind, unsigned shard) {
    for (int f = 0; f < a_.followers; ++f) {
      auto mine = json::array();
      for (std::size_t s = 0; s < symbols_.size(); ++s)
        if (static_cast<int>(s) % a_.followers == f) mine.push_back(symbols_[s]);
      const auto to = key_in(shard, shards, kind, f);
      const json command{
          {"to", kind + '/' + to}, {"type", "listen"}, {"body", {{"symbols", mine}}}};
      producer_->send("listener.commands", {to, command.dump(), std::nullopt, std::nullopt});
    }
    if (!producer_->flush(60s)) throw std::runtime_error("commands could not be produced");
    wait_until("followers", 60s,
               [&] { return number("select count(*) from entity where follows") == a_.followers; });
  }

  /// Sends records; `pause` between them.
  void send(std::int64_t count, std::chrono::microseconds pause) {
    auto when = clock_type::now();
    char text[200];
    for (std::int64_t n = 0; n < count; ++n) {
      const auto& key = symbols_[static_cast<std::size_t>(n) % symbols_.size()];
      const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::system_clock::now().time_since_epoch())
                           .count();
      const auto size = std::snprintf(
          text, sizeof text,
          R"({"type":"trade","symbol":"%s","time":%ld,"price":"100.%02ld","size":"1.5","id":%ld})",
          key.c_str(), now, n % 100, n);
      producer_->send("market",
                      {key, {text, static_cast<std::size_t>(size)}, std::nullopt, std::nullopt});
      if (pause > 0us) std::this_thread::sleep_until(when += pause);
    }
    if (!producer_->flush(120s)) throw std::runtime_error("records could not be produced");
  }

  std::int64_t number(const std::string& sql) const {
    return std::stoll(folder_.database().run(sql));
  }
  std::int64_t heard() const {
    return number(
        "select coalesce(sum((h.value->>'events')::int8), 0) from entity e, json_each(e.state) h "
        "where e.kind = 'listener'");
  }
  std::int64_t applied() const {
    return number("select coalesce(sum(next), 0) from position where topic = 'market'");
  }
  double cpu() const { return cpu_of(nodes_[0].pid()) + cpu_of(nodes_[1].pid()); }
  json delays() const {
    return json::parse(folder_.database().run(
        "select coalesce(json_agg(state->'delays'), '[]') from entity where kind = 'stopwatch'"));
  }

 private:
  const arguments& a_;
  cluster_folder folder_;
  std::deque<node_process> nodes_;
  std::unique_ptr<bridge::kafka_producer> producer_;
  std::vector<std::string> symbols_;
};

struct figure {
  double rate, cpu_us;
};

/// `followers_in`: the shard of the followers; none without.
figure throughput(const arguments& a, std::optional<unsigned> followers_in) {
  two_nodes nodes(a);
  if (followers_in) nodes.follow("listener", *followers_in);
  const auto cpu = nodes.cpu();
  const auto start = clock_type::now();
  nodes.send(a.records, 0us);
  wait_until("the last event", 300s, [&] {
    return nodes.applied() == a.records && (!followers_in || nodes.heard() == a.records);
  });
  const auto span = std::chrono::duration<double>(clock_type::now() - start).count();
  const auto n = static_cast<double>(a.records);
  return {n / span, (nodes.cpu() - cpu) * 1e6 / n};
}

/// A log that is there before its followers are: read back, records a second.
double catching_up(const arguments& a) {
  two_nodes nodes(a);
  nodes.send(a.records, 0us);
  wait_until("the records", 300s, [&] { return nodes.applied() == a.records; });
  const auto start = clock_type::now();
  nodes.follow("listener", 1);
  wait_until("the last event", 300s, [&] { return nodes.heard() == a.records; });
  return static_cast<double>(a.records) /
         std::chrono::duration<double>(clock_type::now() - start).count();
}

struct delay {
  double p50, p99;
};

delay delay_of(const arguments& a, unsigned followers_in) {
  constexpr std::int64_t count = 10'000;
  two_nodes nodes(a);
  nodes.follow("stopwatch", followers_in);
  nodes.send(1'000, 1ms);  // Connections and memory are warm; few enough to be no percentile.
  nodes.send(count, 1ms);
  std::map<std::int64_t, std::int64_t> all;
  wait_until("the last event", 60s, [&] {
    all.clear();
    std::int64_t sum = 0;
    for (const auto& one : nodes.delays())
      for (const auto& [bucket, n] : one.items()) {
        all[std::stoll(bucket)] += n.get<std::int64_t>();
        sum += n.get<std::int64_t>();
      }
    return sum >= count;
  });
  const auto quantile = [&](double q) {
    std::int64_t total = 0, so_far = 0;
    for (const auto& [bucket, n] : all) total += n;
    for (const auto& [bucket, n] : all)
      if (static_cast<double>(so_far += n) >= q * static_cast<double>(total))
        return static_cast<double>(bucket) / 1000;
    return 0.0;
  };
  return {quantile(0.5), quantile(0.99)};
}

}  // namespace

int main(int argc, char** argv) {
  arguments a;
  CLI::App app("Feeds within a node and between nodes");
  app.add_flag("--json", a.json);
  app.add_option("--records", a.records);
  app.add_option("--symbols", a.symbols);
  app.add_option("--followers", a.followers);
  CLI11_PARSE(app, argc, argv);
  if (!a.json)
    std::printf("feeds: %ld records, %d symbols, %d followers, 2 nodes with a shard each\n",
                a.records, a.symbols, a.followers);
  const auto show = [&](const std::string& metric, double value, const char* unit) {
    print(a.json, "feeds", metric, value, unit);
  };
  const auto none = throughput(a, {}), same = throughput(a, 0), other = throughput(a, 1);
  show("no_followers", none.rate, "records/s");
  show("no_followers_cpu", none.cpu_us, "us/record");
  show("same_node", same.rate, "events/s");
  show("same_node_cpu_more", same.cpu_us - none.cpu_us, "us/event");
  show("other_node", other.rate, "events/s");
  show("other_node_cpu_more", other.cpu_us - none.cpu_us, "us/event");
  show("catching_up", catching_up(a), "events/s");
  const auto near = delay_of(a, 0), far = delay_of(a, 1);
  show("same_node_delay_p50", near.p50, "ms");
  show("same_node_delay_p99", near.p99, "ms");
  show("other_node_delay_p50", far.p50, "ms");
  show("other_node_delay_p99", far.p99, "ms");
}
