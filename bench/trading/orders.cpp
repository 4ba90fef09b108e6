// Two nodes with one shard each: symbols on the first, sessions that order on every trade on the
// second, their portfolios with their risk checks on the second (near) or the first (far), and a
// venue outside, which fills every order. Commits are synchronous.
//
// Delay: from the moment before a trade is produced to Kafka, to the commit of the order that was
// decided on it (told by PostgreSQL's NOTIFY, which follows the commit), and to its record on the
// topic `orders` in the venue's hands. Before that: to the feed of an entity beside the session,
// and to the commit of the session's request (far).
// Throughput: many sessions with all their trades waiting in the log; beside it what a loop of
// commits of one row does on one connection and on two.
//   orders [--json] [--rate TRADES_A_SECOND] [--trades N] [--sessions N] [--orders N]
// Needs TROUPE_TEST_DSN, TROUPE_TEST_BROKERS, TROUPE_TEST_BINARY (bench/run sets them).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <pqxx/pqxx>
#include <thread>

#include "bench/support/figures.hpp"
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
  std::int64_t rate = 20;      // Of all trades together, for the delays.
  std::int64_t trades = 1000;  // Measured; a third as many go before.
  int sessions = 20;           // For the throughput; each with a portfolio of its own.
  std::int64_t orders = 20'000;
};

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Delays by what was waited for; any thread adds.
class delays {
 public:
  void add(const std::string& what, std::int64_t micros) {
    const std::lock_guard lock(mutex_);
    all_[what].push_back(static_cast<double>(micros));
  }
  std::size_t count(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return all_[what].size();
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    all_.clear();
  }
  /// Milliseconds.
  double quantile(const std::string& what, double q) {
    const std::lock_guard lock(mutex_);
    return bench::quantile(all_.at(what), q) / 1000;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<double>> all_;
};

constexpr auto triggers = R"sql(
create function tell_order() returns trigger language plpgsql as $$
begin
  perform pg_notify('order_committed', (extract(epoch from new.placed) * 1000000)::bigint::text);
  return null;
end $$;
create trigger tell after insert on trading_order for each row execute function tell_order();
create function tell_request() returns trigger language plpgsql as $$
begin
  perform pg_notify('request_committed', new.payload #>> '{body,decided,time}');
  return null;
end $$;
create trigger tell after insert on outbox for each row
  when (new.payload ->> 'type' = 'submit_order') execute function tell_request();
)sql";

/// Tells how old a decision is when its commit is.
class commit_listener {
 public:
  commit_listener(const test_database& database, delays& to) : connection_(database.dsn()) {
    for (const auto* channel : {"order_committed", "request_committed"})
      receivers_.emplace_back(connection_, channel, to);
    thread_ = std::thread([this] {
      while (!done_) connection_.await_notification(0, 100'000);
    });
  }
  ~commit_listener() {
    done_ = true;
    thread_.join();
  }

 private:
  class receiver final : public pqxx::notification_receiver {
   public:
    receiver(pqxx::connection& c, const std::string& channel, delays& to)
        : notification_receiver(c, channel), to_(to) {}
    void operator()(const std::string& decided, int) override {
      to_.add(channel(), now_us() - std::stoll(decided));
    }

   private:
    delays& to_;
  };

  pqxx::connection connection_;
  std::deque<receiver> receivers_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

/// A venue that fills every order at once.
class gateway {
 public:
  gateway(const cluster_folder& folder, delays& to) : kafka_(kafka_of(folder)), to_(to) {
    for (unsigned shard = 0; shard < shards; ++shard)
      threads_.emplace_back([this, shard] { serve(shard); });
  }
  ~gateway() {
    done_ = true;
    for (auto& thread : threads_) thread.join();
  }

 private:
  void serve(unsigned shard) {
    bridge::producer_options options;
    options.kafka = kafka_;
    options.linger = 0ms;
    bridge::kafka_producer producer(options);
    bridge::history_reader log(kafka_);
    position next{0};
    while (!done_) {
      const auto batch = log.read("orders", shard, next, {1000, 1 << 20, 100ms});
      const auto now = now_us();
      if (batch.what != bridge::history_batch::outcome::read) continue;
      next = batch.next;
      for (const auto& r : batch.records) {
        const auto record = json::parse(r.payload);
        if (record.at("type") == "new_order") fill(record.at("body"), now, producer);
      }
    }
  }

  void fill(const json& order, std::int64_t now, bridge::kafka_producer& to) {
    to_.add("record", now - order.at("decided").at("time").get<std::int64_t>());
    const json report{{"what", "filled"},
                      {"order", order.at("id")},
                      {"time", now},
                      {"trade",
                       {{"id", "x-1"},
                        {"order", order.at("id")},
                        {"symbol", order.at("symbol")},
                        {"side", order.at("side")},
                        {"quantity", order.at("quantity")},
                        {"price", "100"},
                        {"fee", "0.01"},
                        {"time", now}}}};
    to.send("fills",
            {order.at("portfolio").get<std::string>(), report.dump(), std::nullopt, std::nullopt});
  }

  const bridge::kafka_options kafka_;
  delays& to_;
  std::atomic<bool> done_ = false;
  std::vector<std::thread> threads_;
};

constexpr auto trading_group =
    R"("trading": {"venue": "orders", "cash": "1000000000", "limits_file": "limits.json"})";

class two_nodes {
 public:
  /// `portfolios_in`: their shard.
  two_nodes(int sessions, unsigned portfolios_in, bool told) : folder_(trading_group, shards, 2) {
    std::ofstream(folder_.path() + "/limits.json")
        << R"({"default": {"symbols": {"*": {"short_max": "1000000", "position_max": "1000000",
               "price_collar_percent": "50"}}, "gross_exposure_max": "1000000000",
               "daily_loss_max": "100000000", "drawdown_max_percent": "90",
               "open_orders_max": 1000}})";
    if (run_troupe({"migrate", "--config", folder_.node_config()}).exit_code != 0)
      throw std::runtime_error("no database");
    if (told) folder_.database().run(triggers);
    for (int n = 1; n <= 2; ++n) {
      nodes_.emplace_back(
          std::vector<std::string>{ORDERS_NODE, "--config", folder_.node_config(n)});
      nodes_.back().start();
    }
    wait_until("a shard on each node", 60s, [&] {
      return number("select count(distinct owner) from shard where owner = assigned") == 2;
    });
    bridge::producer_options options;
    options.kafka = kafka_of(folder_);
    options.linger = 0ms;
    producer_ = std::make_unique<bridge::kafka_producer>(options);
    bridge::history_reader log(kafka_of(folder_));
    wait_until("topics", 60s, [&] { return log.range("dead-letter", 1, 1s).has_value(); });
    for (int s = 0; s < sessions; ++s) {
      symbols_.push_back(key_in(0, shards, "SYM", s));
      open_session(key_in(1, shards, "s", s), symbols_.back(),
                   key_in(portfolios_in, shards, "p", s));
    }
    time_feeds();
  }

  /// Running sessions, and their portfolios.
  void start() {
    for (std::size_t s = 0; s < symbols_.size(); ++s) {
      const auto name = key_in(1, shards, "s", static_cast<int>(s));
      command("session.commands", name, {{"to", "session/" + name}, {"type", "start"}});
    }
    wait_until("running sessions", 60s, [&] {
      return number("select count(*) from sessions where phase = 'running'") ==
             static_cast<std::int64_t>(symbols_.size());
    });
  }

  void send(std::int64_t count, std::chrono::microseconds pause) {
    auto when = clock_type::now();
    for (std::int64_t n = 0; n < count; ++n, ++sent_) {
      const auto& symbol = symbols_[static_cast<std::size_t>(sent_) % symbols_.size()];
      const json trade{{"type", "trade"}, {"symbol", symbol}, {"time", now_us()},
                       {"price", "100"},  {"size", "1"},      {"id", sent_}};
      producer_->send("market", {symbol, trade.dump(), std::nullopt, std::nullopt});
      if (pause > 0us) std::this_thread::sleep_until(when += pause);
    }
    if (!producer_->flush(60s)) throw std::runtime_error("records could not be produced");
  }

  std::int64_t number(const std::string& sql) const {
    return std::stoll(folder_.database().run(sql));
  }
  /// Delays of the feed, 20 µs a bucket.
  std::map<std::int64_t, std::int64_t> feed_delays() const {
    std::map<std::int64_t, std::int64_t> all;
    const auto told = json::parse(folder_.database().run(
        "select coalesce(json_agg(state->'delays'), '[]') from entity where kind = 'stopwatch'"));
    for (const auto& one : told)
      for (const auto& [bucket, n] : one.items()) all[std::stoll(bucket)] += n.get<std::int64_t>();
    return all;
  }
  double cpu() const { return cpu_of(nodes_[0].pid()) + cpu_of(nodes_[1].pid()); }
  const cluster_folder& folder() const { return folder_; }

 private:
  void open_session(const std::string& name, const std::string& symbol,
                    const std::string& portfolio) {
    command("session.commands", name,
            {{"to", "session/" + name},
             {"type", "create"},
             {"body",
              {{"portfolio", portfolio},
               {"strategy", "every_trade"},
               {"symbols", {symbol}},
               {"from", "beginning"}}}});
  }
  void time_feeds() {
    const auto name = key_in(1, shards, "watch", 0);
    command("stopwatch.commands", name,
            {{"to", "stopwatch/" + name}, {"type", "listen"}, {"body", {{"symbols", symbols_}}}});
  }
  void command(const std::string& topic, const std::string& key, const json& what) {
    producer_->send(topic, {key, what.dump(), std::nullopt, std::nullopt});
  }

  cluster_folder folder_;
  std::deque<node_process> nodes_;
  std::unique_ptr<bridge::kafka_producer> producer_;
  std::vector<std::string> symbols_;
  std::int64_t sent_ = 0;
};

using printer = std::function<void(const std::string&, double, const char*)>;

void measure_delays(const arguments& a, const std::string& place, unsigned portfolios_in,
                    const printer& show) {
  constexpr int sessions = 4;
  two_nodes nodes(sessions, portfolios_in, true);
  delays all;
  const commit_listener commits(nodes.folder().database(), all);
  const gateway venue(nodes.folder(), all);
  nodes.start();
  const auto pause = 1'000'000us / a.rate;
  std::int64_t expected = 0;
  const auto send = [&](std::int64_t count) {
    nodes.send(count, pause);
    expected = count;
    wait_until("the last order", 60s, [&] {
      return all.count("record") == static_cast<std::size_t>(expected) &&
             all.count("order_committed") == static_cast<std::size_t>(expected);
    });
  };
  send(a.trades / 3);
  all.clear();
  send(a.trades);
  const auto both = [&](const std::string& metric, const std::string& what) {
    show(place + metric + "_p50", all.quantile(what, 0.5), "ms");
    show(place + metric + "_p99", all.quantile(what, 0.99), "ms");
  };
  const auto feed = nodes.feed_delays();
  std::int64_t sum = 0, total = 0;
  for (const auto& [bucket, n] : feed) total += n;
  double p50 = 0;
  for (const auto& [bucket, n] : feed)
    if ((sum += n) * 2 >= total) {
      p50 = static_cast<double>(bucket) / 1000;
      break;
    }
  show(place + "_feed_p50", p50, "ms");
  if (all.count("request_committed") > 0) both("_request_committed", "request_committed");
  both("_order_committed", "order_committed");
  both("_order_on_topic", "record");
}

void measure_throughput(const arguments& a, const std::string& place, unsigned portfolios_in,
                        const printer& show) {
  two_nodes nodes(a.sessions, portfolios_in, false);
  delays all;
  const gateway venue(nodes.folder(), all);
  nodes.send(a.orders, 0us);
  const auto orders = [&] { return nodes.number("select count(*) from trading_order"); };
  const auto cpu = nodes.cpu();
  const auto commits = [&] {
    return nodes.number(
        "select xact_commit from pg_stat_database where datname = current_database()");
  };
  const auto begin = clock_type::now();
  const auto commits_before = commits();
  nodes.start();
  wait_until("the last order", 600s, [&] { return orders() == a.orders; });
  const auto span = std::chrono::duration<double>(clock_type::now() - begin).count();
  show(place + "_orders", static_cast<double>(a.orders) / span, "orders/s");
  show(place + "_cpu", (nodes.cpu() - cpu) * 1e6 / static_cast<double>(a.orders), "us/order");
  show(place + "_commits", static_cast<double>(commits() - commits_before) / span, "commits/s");
}

/// Commits of one row each, on so many connections.
double bare_commits(int connections) {
  constexpr auto span = 3s;
  const test_database database;
  database.run("create table bare(n bigint)");
  std::atomic<std::int64_t> done = 0;
  std::vector<std::thread> threads;
  for (int c = 0; c < connections; ++c)
    threads.emplace_back([&] {
      pqxx::connection connection(database.dsn());
      const auto until = clock_type::now() + span;
      while (clock_type::now() < until) {
        pqxx::nontransaction(connection).exec0("insert into bare values (1)");
        ++done;
      }
    });
  for (auto& thread : threads) thread.join();
  return static_cast<double>(done) / std::chrono::duration<double>(span).count();
}

}  // namespace

int main(int argc, char** argv) {
  arguments a;
  CLI::App app("From a trade to an order that is committed");
  app.add_flag("--json", a.json);
  app.add_option("--rate", a.rate);
  app.add_option("--trades", a.trades);
  app.add_option("--sessions", a.sessions);
  app.add_option("--orders", a.orders);
  CLI11_PARSE(app, argc, argv);
  const auto show = [&](const std::string& metric, double value, const char* unit) {
    print(a.json, "orders", metric, value, unit);
  };
  show("bare_commits_1_connection", bare_commits(1), "commits/s");
  show("bare_commits_2_connections", bare_commits(2), "commits/s");
  measure_delays(a, "near", 1, show);
  measure_delays(a, "far", 0, show);
  measure_throughput(a, "near", 1, show);
  measure_throughput(a, "far", 0, show);
}
