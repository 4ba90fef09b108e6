#include "tests/chaos/market_run.hpp"

#include <algorithm>
#include <random>

#include "runtime/bridge/history_reader.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "tests/chaos/egress_reader.hpp"

namespace troupe::test {

namespace {

constexpr int rest_max = 500;

bridge::kafka_options kafka_of(const cluster_folder& folder) {
  bridge::kafka_options o;
  o.brokers = std::getenv("TROUPE_TEST_BROKERS");
  o.topic_prefix = folder.prefix();
  return o;
}

std::vector<std::string> command_of(std::vector<std::string> program, const cluster_folder& folder,
                                    int node) {
  if (program.empty()) program = {troupe_binary(), "node"};
  program.insert(program.end(), {"--config", folder.node_config(node)});
  return program;
}

struct made_record {
  std::string payload;
  bool refused = false;
  int size = 0;  // Of a trade; 0: a quote.
};

/// The n-th record of a symbol: a trade, a quote, or now and then something that must be refused.
made_record record_of(const std::string& symbol, int n) {
  std::mt19937_64 random(static_cast<std::uint64_t>(n) * 1'000'003 +
                         std::hash<std::string>{}(symbol) % 1000);
  const auto time = 1'700'000'000'000'000 + std::int64_t{n} * 250'000;
  const auto price = std::to_string(100 + random() % 20) + "." + std::to_string(10 + random() % 90);
  const auto head = "\",\"symbol\":\"" + symbol + "\",\"time\":" + std::to_string(time);
  if (n % 97 == 96) return {"{\"type\":\"trade" + head + ",\"price\":\"-1\",\"size\":\"1\"}", true};
  if (n % 3 == 2)
    return {"{\"type\":\"quote" + head + ",\"bid\":\"" + price +
            "\",\"bid_size\":\"3\",\"ask\":\"130.5\",\"ask_size\":\"2\"}"};
  const int id = n % 50 == 49 ? n - 5 : n;  // Some come again.
  const int size = 1 + static_cast<int>(random() % 9);
  return {"{\"type\":\"trade" + head + ",\"price\":\"" + price + "\",\"size\":\"" +
              std::to_string(size) + "\",\"id\":" + std::to_string(id) + "}",
          false, size};
}

}  // namespace

market_run::market_run(records what, std::vector<std::string> program, const std::string& groups)
    : what_(what),
      network_(what.own_network ? std::optional<node_network>(std::in_place, what.nodes)
                                : std::nullopt),
      folder_(R"("market": {"periods": ["1s", "1m", "5m"]}, )" + groups, what.shards, what.nodes,
              network_ ? &*network_ : nullptr) {
  for (int n = 1; n <= what.nodes; ++n) {
    auto command = command_of(program, folder_, n);
    nodes_.emplace_back(network_ ? network_->command(n, std::move(command)) : std::move(command));
  }
  const auto migrated = run_troupe({"migrate", "--config", folder_.node_config()});
  if (migrated.exit_code != 0) throw std::runtime_error(migrated.output);
}

bridge::kafka_producer& market_run::producer() {
  if (!producer_) {
    bridge::producer_options options;
    options.kafka = kafka_of(folder_);
    producer_ = std::make_unique<bridge::kafka_producer>(options);
  }
  return *producer_;
}

void market_run::send(int from, int to) {
  for (int n = from; n < to; ++n)
    for (int s = 0; s < what_.symbols; ++s) {
      const auto record = record_of(symbol(s), n);
      producer().send("market", {symbol(s), record.payload, std::nullopt, std::nullopt});
      ++sent_;
      auto& usable = usable_[symbol(s)];
      usable.events += record.refused ? 0 : 1;
      usable.trades += record.size > 0 ? 1 : 0;
      usable.size += record.size;
    }
  if (!producer().flush(std::chrono::seconds(60)) || producer().figures().failed > 0)
    throw std::runtime_error("the test's own records were not taken: " +
                             producer().figures().last_error);
}

void market_run::start() {
  for (auto& node : nodes_) node.start();
  bridge::history_reader log(kafka_of(folder_));
  wait_until("the nodes' topics", std::chrono::seconds(60), [&] {
    return log.range("dead-letter", folder_.shards() - 1, std::chrono::seconds(1)).has_value();
  });
}

market_outcome market_run::play(const std::function<void(steady_load&)>& disturb,
                                std::chrono::seconds deadline, steady_load::send_fn send_some) {
  if (!send_some) send_some = [this](int from, int to) { send(from, to); };
  start();
  for (int n = disturb ? disturb_under_load(disturb, send_some) : 0; n < what_.each; n += rest_max)
    send_some(n, std::min(n + rest_max, what_.each));
  for (auto& node : nodes_)
    if (!node.running()) node.start();
  wait_until("everything committed and delivered (" + folder_.log_file() + ")", deadline,
             [&] { return settled(); });
  return collect();
}

/// The load is under way before anything happens, and must not be at its end before everything has.
/// Returns how many records of each symbol it has sent.
int market_run::disturb_under_load(const std::function<void(steady_load&)>& disturb,
                                   const steady_load::send_fn& send_some) {
  steady_load load(send_some, what_.each);
  load.go();
  load.pass(2);
  disturb(load);
  const bool over = load.over();
  load.pause();
  if (over) throw std::runtime_error("the load ended before what was to happen under it");
  return load.each();
}

bool market_run::settled() {
  try {
    const auto& db = folder_.database();
    return db.run("select coalesce(sum(next), 0) from position where topic = 'market'") ==
               std::to_string(sent_) &&
           db.run("select count(*) from outbox") == "0";
  } catch (const std::exception&) {
    return false;  // PostgreSQL may be away.
  }
}

std::int64_t market_run::received() const {
  return std::stoll(folder_.database().run(
      "select coalesce(sum(n), 0) from (select sum(applied) n from symbol_events "
      "union all select sum(refused) from symbols) x"));
}

market_outcome market_run::collect() {
  market_outcome outcome;
  const auto& db = folder_.database();
  for (const std::string view :
       {"bars", "indicators", "top_of_book", "symbols", "refusals", "symbol_events"})
    outcome.tables[view] =
        db.run("select string_agg(t::text, E'\\n' order by t::text) from " + view + " t");
  outcome.received = received();
  for (const std::string topic : {"market.bars", "market.indicators", "dead-letter"})
    collect_egress(topic, outcome);
  outcome.dead_letters = static_cast<std::int64_t>(outcome.egress["dead-letter"].size());
  return outcome;
}

/// Reads all of a topic, by the rule for readers. No two records of it are alike, so a double
/// shows.
void market_run::collect_egress(const std::string& topic, market_outcome& into) {
  bridge::history_reader log(kafka_of(folder_));
  auto& all = into.egress[topic];
  for (std::uint32_t p = 0; p < folder_.shards(); ++p) {
    const auto range = log.range(topic, p, std::chrono::seconds(10));
    if (!range) throw std::runtime_error("no answer about " + topic);
    egress_partition read;
    read_egress(kafka_of(folder_).brokers, kafka_of(folder_).kafka_name(topic),
                static_cast<std::int32_t>(p), range->end.value(), read);
    all.insert(all.end(), read.taken.begin(), read.taken.end());
    into.egress_skipped += static_cast<std::int64_t>(read.skipped.size());
  }
  if (topic ==
      "dead-letter") {  // The time at which it was refused is the one thing that may differ.
    for (auto& line : all) line = line.substr(0, line.find("\"time\""));
  }
  std::ranges::stable_sort(all, {},
                           [](const auto& line) { return line.substr(0, line.find(' ')); });
  auto sorted = all;
  std::ranges::sort(sorted);
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i] == sorted[i - 1])
      into.egress_defects.push_back("twice in " + topic + ": " + sorted[i]);
}

}  // namespace troupe::test
