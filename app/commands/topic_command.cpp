#include <algorithm>
#include <iostream>

#include "app/catalog.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/entity_command.hpp"
#include "app/mapping.hpp"
#include "runtime/bridge/topic_admin.hpp"
#include "runtime/store/status_reader.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto patience = 10s;

struct options {
  std::string file = "config/local/node-1.json";
  bool as_json = false;
  std::vector<std::string> topics;
};

/// The ends of a topic's partitions together: how many records it has ever had. What the bridge
/// writes has no gaps, so that this is comparable with sequence numbers.
std::int64_t records_in(bridge::topic_admin& kafka, const std::string& topic,
                        std::uint32_t partitions) {
  const auto ranges = kafka.ranges(topic, partitions, patience);
  if (ranges.empty())
    throw failure("bridge_unavailable",
                  "topic " + topic +
                      " is not known to Kafka, or Kafka does not answer: start a node, which "
                      "creates it, and see kafka.brokers");
  std::int64_t all = 0;
  for (const auto& range : ranges) all += range.end.value();
  return all;
}

/// Sums by topic.
json sums(store::status_reader& reader, const std::string& query) {
  json by_topic = json::object();
  for (const auto& row : json::parse(reader.read_json(query)))
    by_topic[row.at("topic").get<std::string>()] = row.at("sum");
  return by_topic;
}

json row_of(const std::string& topic, const char* way, std::int64_t records,
            std::int64_t committed) {
  return {{"topic", topic},
          {"way", way},
          {"records", records},
          {"committed", committed},
          {"difference", records - committed}};
}

/// The database is read first where records come in, and last where they go out: what happens in
/// between shows as work to come, never as a record too many.
json rows_of(const settings& all) {
  const auto things = make_catalog(all);
  store::status_reader reader(all.cluster.postgres.dsn);
  bridge::topic_admin kafka(bridge_kafka_options(all));
  json rows = json::array();
  const auto taken = sums(reader, "select topic, sum(next)::bigint from position group by topic");
  for (const auto& in : things.ingress)
    rows.push_back(row_of(in.topic, "in", records_in(kafka, in.topic, all.cluster.shards),
                          taken.value(in.topic, std::int64_t{0})));
  std::map<std::string, std::int64_t> out;
  for (const auto& topic : things.egress) out[topic] = records_in(kafka, topic, all.cluster.shards);
  const auto numbered = sums(reader,
                             "select substr(target, 7) as topic, sum(last)::bigint "
                             "from outbox_sequence where target like 'topic:%' group by 1");
  for (const auto& topic : things.egress)
    rows.push_back(row_of(topic, "out", out.at(topic), numbered.value(topic, std::int64_t{0})));
  return rows;
}

int list(const options& o) {
  const auto rows = rows_of(read_settings(o.file));
  if (o.as_json)
    std::cout << rows.dump() << '\n';
  else
    print_table(rows, {"topic", "way", "records", "committed", "difference"});
  return 0;
}

void require_published(const catalog& things, const std::vector<std::string>& topics) {
  for (const auto& topic : topics) {
    if (std::ranges::find(things.egress, topic) != things.egress.end()) continue;
    std::string known;
    for (const auto& one : things.egress) known += (known.empty() ? "" : ", ") + one;
    throw failure("unknown_topic", topic + " is none that the cluster publishes: " + known);
  }
}

void require_no_node(const settings& all) {
  store::status_reader reader(all.cluster.postgres.dsn);
  for (const auto& node : reader.nodes())
    if (node.alive)
      throw failure("node_is_live", node.id + " publishes to these topics: stop all nodes first");
}

int remove(const options& o) {
  const auto all = read_settings(o.file);
  require_published(make_catalog(all), o.topics);
  require_no_node(all);
  const auto problems =
      bridge::topic_admin(bridge_kafka_options(all)).remove_topics(o.topics, patience);
  std::string told;
  for (const auto& problem : problems) told += (told.empty() ? "" : "; ") + problem;
  if (!told.empty()) throw failure("bridge_unavailable", told);
  if (o.as_json)
    std::cout << json{{"deleted", o.topics}}.dump() << '\n';
  else
    std::cout << o.topics.size() << " deleted; the next node that starts makes them anew\n";
  return 0;
}

}  // namespace

void add_topic_command(CLI::App& app, int& exit_code) {
  static options o;
  auto* command = app.add_subcommand("topic", "The cluster's Kafka topics");
  command->require_subcommand(1);
  auto* listing = command->add_subcommand(
      "list", "Records of each topic in Kafka against what PostgreSQL says of them");
  auto* deletion = command->add_subcommand(
      "delete", "Deletes topics that the cluster publishes, with all their records");
  deletion->add_option("topics", o.topics, "As `topic list` names them")->required();
  for (auto* c : {listing, deletion}) {
    add_config_option(*c, o.file);
    c->add_flag("--json", o.as_json, "JSON instead of text");
  }
  on_run(*deletion, exit_code, [] { return remove(o); });
  on_run(*listing, exit_code, [] { return list(o); });
}

}  // namespace troupe::app
