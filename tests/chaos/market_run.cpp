#include "tests/chaos/market_run.hpp"

#include <algorithm>
#include <random>

#include "runtime/bridge/history_reader.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "tests/chaos/egress_reader.hpp"

namespace troupe::test {

namespace {

constexpr int parts = 40;

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

/// The n-th record of a symbol: a trade, a quote, or now and then something that must be refused.
std::string record_of(const std::string& symbol, int n) {
  std::mt19937_64 random(static_cast<std::uint64_t>(n) * 1'000'003 +
                         std::hash<std::string>{}(symbol) % 1000);
  const auto time = 1'700'000'000'000'000 + std::int64_t{n} * 250'000;
  const auto price = std::to_string(100 + random() % 20) + "." + std::to_string(10 + random() % 90);
  const auto head = "\",\"symbol\":\"" + symbol + "\",\"time\":" + std::to_string(time);
  if (n % 97 == 96) return "{\"type\":\"trade" + head + ",\"price\":\"-1\",\"size\":\"1\"}";
  if (n % 3 == 2)
    return "{\"type\":\"quote" + head + ",\"bid\":\"" + price +
           "\",\"bid_size\":\"3\",\"ask\":\"130.5\",\"ask_size\":\"2\"}";
  const int id = n % 50 == 49 ? n - 5 : n;  // Some come again.
  return "{\"type\":\"trade" + head + ",\"price\":\"" + price + "\",\"size\":\"" +
         std::to_string(1 + random() % 9) + "\",\"id\":" + std::to_string(id) + "}";
}

}  // namespace

market_run::market_run(records what, std::vector<std::string> program)
    : what_(what),
      folder_(
          R"("market": {"periods": ["1s", "1m", "5m"]}, "entities": {"restarts_per_minute_max": 1000})",
          8, what.nodes) {
  for (int n = 1; n <= what.nodes; ++n) nodes_.emplace_back(command_of(program, folder_, n));
  const auto migrated = run_troupe({"migrate", "--config", folder_.node_config()});
  if (migrated.exit_code != 0) throw std::runtime_error(migrated.output);
}

void market_run::send_part(double from, double to) {
  bridge::producer_options options;
  options.kafka = kafka_of(folder_);
  bridge::kafka_producer producer(options);
  for (int n = static_cast<int>(from * what_.each); n < static_cast<int>(to * what_.each); ++n)
    for (int s = 0; s < what_.symbols; ++s) {
      const auto symbol = "SYM" + std::to_string(s);
      const auto payload = record_of(symbol, n);
      producer.send("market", {symbol, payload, std::nullopt, std::nullopt});
      ++sent_;
    }
  if (!producer.flush(std::chrono::seconds(60)) || producer.figures().failed > 0)
    throw std::runtime_error("the test's own records were not taken: " +
                             producer.figures().last_error);
}

market_outcome market_run::play(const std::function<void(double)>& disturb,
                                std::chrono::seconds deadline) {
  for (auto& node : nodes_) node.start();
  // The node makes the topics.
  bridge::history_reader log(kafka_of(folder_));
  wait_until("the node's topics", std::chrono::seconds(60), [&] {
    return log.range("dead-letter", folder_.shards() - 1, std::chrono::seconds(1)).has_value();
  });
  for (int part = 0; part < parts; ++part) {
    send_part(static_cast<double>(part) / parts, static_cast<double>(part + 1) / parts);
    disturb(static_cast<double>(part + 1) / parts);
  }
  for (auto& node : nodes_)
    if (!node.running()) node.start();
  wait_until("everything committed and delivered (" + folder_.log_file() + ")", deadline,
             [&] { return settled(); });
  return collect();
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

market_outcome market_run::collect() {
  market_outcome outcome;
  const auto& db = folder_.database();
  for (const std::string view :
       {"bars", "indicators", "top_of_book", "symbols", "refusals", "symbol_events"})
    outcome.tables[view] =
        db.run("select string_agg(t::text, E'\\n' order by t::text) from " + view + " t");
  outcome.received =
      std::stoll(db.run("select coalesce(sum(n), 0) from (select sum(applied) n from symbol_events "
                        "union all select sum(refused) from symbols) x"));
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
    auto read = read_egress(kafka_of(folder_).brokers, kafka_of(folder_).kafka_name(topic),
                            static_cast<std::int32_t>(p), range->begin.value(), range->end.value());
    all.insert(all.end(), read.taken.begin(), read.taken.end());
    into.egress_skipped += static_cast<std::int64_t>(read.skipped.size());
  }
  std::ranges::sort(all);
  if (topic ==
      "dead-letter") {  // The time at which it was refused is the one thing that may differ.
    for (auto& line : all) line = line.substr(0, line.find("\"time\""));
  }
  for (std::size_t i = 1; i < all.size(); ++i)
    if (all[i] == all[i - 1]) into.egress_defects.push_back("twice in " + topic + ": " + all[i]);
}

}  // namespace troupe::test
