#include "tests/integration/trading_run.hpp"

#include <fstream>
#include <iostream>
#include <random>

#include "runtime/bridge/history_reader.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "tests/chaos/egress_reader.hpp"

namespace troupe::test {

using nlohmann::json;
using namespace std::chrono_literals;

namespace {

bridge::kafka_options kafka_of(const cluster_folder& folder) {
  bridge::kafka_options o;
  o.brokers = std::getenv("TROUPE_TEST_BROKERS");
  o.topic_prefix = folder.prefix();
  return o;
}

constexpr std::int64_t begin_ms = 1'700'000'000'000;
constexpr int tick_ms = 250;

std::string cents(std::int64_t value) {
  const auto rest = std::to_string(value % 100);
  return std::to_string(value / 100) + '.' + (rest.size() < 2 ? "0" : "") + rest;
}

}  // namespace

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

trading_run::trading_run(int nodes, const json& limits, const std::string& options,
                         const std::string& groups, std::vector<std::string> program)
    : folder_(R"("trading": {"limits_file": "limits.json")" +
                  (options.empty() ? "" : ", " + options) + "}" +
                  (groups.empty() ? "" : ", " + groups),
              8, nodes) {
  write_file(path("limits.json"), limits.dump());
  if (program.empty()) program = {troupe_binary(), "node"};
  for (int n = 1; n <= nodes; ++n) {
    auto command = program;
    command.insert(command.end(), {"--config", folder_.node_config(n)});
    nodes_.emplace_back(std::move(command));
  }
  const auto migrated = run_troupe({"migrate", "--config", folder_.node_config()});
  if (migrated.exit_code != 0) throw std::runtime_error(migrated.output);
}

void trading_run::start() {
  revive();
  bridge::history_reader log(kafka_of(folder_));
  wait_until("the nodes' topics", 60s,
             [&] { return log.range("dead-letter", folder_.shards() - 1, 1s).has_value(); });
  wait_until("all shards at work", 60s, [&] {
    const auto status = ask({"status"});
    return status.contains("shards") && status["shards"].value("live", 0U) == folder_.shards();
  });
}

void trading_run::revive() {
  for (auto& node : nodes_)
    if (!node.running()) node.start();
}

run_result trading_run::cli(std::vector<std::string> words, int node) const {
  words.insert(words.end(), {"--config", folder_.node_config(node)});
  return run_troupe(words);
}

json trading_run::ask(std::vector<std::string> words, int node) const {
  words.emplace_back("--json");
  const auto result = cli(std::move(words), node);
  auto answer = json::parse(result.output, nullptr, false);
  if (answer.is_discarded()) {
    std::cerr << "no JSON from `troupe`, exit code " << result.exit_code << ": " << result.output
              << "\n";
    return {{"error", "no_json"}};
  }
  return answer;
}

void trading_run::send(const std::string& topic,
                       const std::vector<std::pair<std::string, std::string>>& keyed) const {
  bridge::producer_options options;
  options.kafka = kafka_of(folder_);
  options.kafka.settings["message.max.bytes"] = "1048576";  // As large as brokers take them.
  bridge::kafka_producer producer(options);
  for (const auto& [key, payload] : keyed)
    producer.send(topic, {key, payload, std::nullopt, std::nullopt});
  if (!producer.flush(30s) || producer.figures().failed > 0)
    throw std::runtime_error("the test's records were not taken: " + producer.figures().last_error);
}

std::vector<json> trading_run::read(const std::string& topic) const {
  const auto kafka = kafka_of(folder_);
  bridge::history_reader log(kafka);
  std::vector<json> all;
  for (std::uint32_t p = 0; p < folder_.shards(); ++p) {
    const auto range = log.range(topic, p, 10s);
    if (!range) throw std::runtime_error("no answer about " + topic);
    egress_partition read;
    read.next = range->begin.value();
    read_egress(kafka.brokers, kafka.kafka_name(topic), static_cast<std::int32_t>(p),
                range->end.value(), read);
    for (const auto& line : read.taken) all.push_back(json::parse(line.substr(line.find('{'))));
  }
  return all;
}

json trading_run::rows(const std::string& query) const {
  return json::parse(sql("select coalesce(json_agg(r), '[]') from (" + query + ") r"));
}

std::string ticks_csv(const std::string& symbol, int count, unsigned seed) {
  std::mt19937 random(seed);
  std::string text = "ts_ms,symbol,price,size\n";
  std::int64_t price = 10'000;
  for (int i = 0; i < count; ++i) {
    price += static_cast<std::int64_t>(random() % 41) - 20;
    text += std::to_string(begin_ms + std::int64_t{i} * tick_ms) + ',' + symbol + ',' +
            cents(price) + ',' + std::to_string(1 + random() % 50) + '\n';
  }
  return text;
}

std::string quotes_csv(const std::string& symbol, int count, unsigned seed) {
  std::mt19937 random(seed);
  std::string text = "ts_ms,symbol,bid,bid_size,ask,ask_size\n";
  std::int64_t middle = 10'000;
  for (int i = 0; i < count; ++i) {
    middle += static_cast<std::int64_t>(random() % 21) - 10;
    text += std::to_string(begin_ms + std::int64_t{i} * tick_ms) + ',' + symbol + ',' +
            cents(middle - 2) + ',' + std::to_string(1 + random() % 50) + ',' + cents(middle + 2) +
            ',' + std::to_string(1 + random() % 50) + '\n';
  }
  return text;
}

}  // namespace troupe::test
