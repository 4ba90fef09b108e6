#include <iostream>

#include "app/client.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/mapping.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "runtime/store/status_reader.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;
using store::quarantine_state;

struct options {
  std::string file = "config/local/node-1.json";
  std::int64_t id = 0;
  bool all = false;
  bool as_json = false;
};

json to_json(const store::quarantine_status& q) {
  return {{"id", q.id},           {"shard", q.shard.value()}, {"entity", to_string(q.entity)},
          {"source", q.source},   {"place", q.place},         {"key", q.key},
          {"input", q.input},     {"reason", q.reason},       {"state", store::to_string(q.state)},
          {"at", to_micros(q.at)}};
}

std::string dump(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

int list(const options& o) {
  store::status_reader reader(read_settings(o.file).cluster.postgres.dsn);
  constexpr int rows_max = 1000;
  const auto rows =
      reader.quarantine(o.all ? std::nullopt : std::optional(quarantine_state::held), rows_max);
  json array = json::array();
  for (const auto& q : rows) array.push_back(to_json(q));
  if (o.as_json) {
    std::cout << dump(array) << '\n';
    return 0;
  }
  for (const auto& q : rows)
    std::cout << q.id << "  " << store::to_string(q.state) << "  " << printable(to_string(q.entity))
              << "  " << printable(q.source) << '@' << q.place << "  " << printable(q.reason)
              << "\n    " << printable(q.input.substr(0, 200)) << '\n';
  if (rows.empty()) std::cout << "nothing is quarantined\n";
  return 0;
}

/// The chosen held entries: one id, or all.
std::vector<store::quarantine_status> chosen(store::status_reader& reader, const options& o) {
  constexpr int rows_max = 100'000;
  auto rows = reader.quarantine(quarantine_state::held, rows_max);
  if (!o.all) std::erase_if(rows, [&](const auto& q) { return q.id != o.id; });
  if (rows.empty() && !o.all)
    throw failure("unknown_entry", "no held entry has id " + std::to_string(o.id) +
                                       ": `troupe quarantine list` tells those there are");
  return rows;
}

/// Puts the input back where it came from: a record to the end of its partition, anything else to
/// its entity, under a request id of its own, so that repeating the retry has no second effect.
void retry_one(const store::quarantine_status& q, const settings& all,
               bridge::kafka_producer& producer, client& node) {
  if (q.source != "timer" && q.source != "request" && !q.source.starts_with("shard:")) {
    producer.send(q.source, {q.key, q.input, std::nullopt, q.shard.value()});
    if (!producer.flush(all.cluster.egress.message_timeout) || producer.figures().failed > 0)
      throw failure("bridge_unavailable", "Kafka has not taken the record of entry " +
                                              std::to_string(q.id) +
                                              " in time: see that it runs, and repeat it");
    return;
  }
  const auto input = json::parse(q.input);
  throw_refusal(node.ask({{"verb", "ask"},
                          {"entity", input.at("to")},
                          {"type", input.at("type")},
                          {"body", input.at("body")},
                          {"id", "quarantine:" + std::to_string(q.id)}}));
}

/// One, or all.
void check_choice(const options& o) {
  if (o.id == 0 && !o.all)
    throw wrong_arguments(
        "say which: the number of an entry of `troupe quarantine list`, or --all");
}

int retry(const options& o) {
  check_choice(o);
  const auto all = read_settings(o.file);
  store::status_reader reader(all.cluster.postgres.dsn);
  bridge::kafka_producer producer(bridge_producer_options(all));
  client node(all);
  std::size_t done = 0;
  for (const auto& q : chosen(reader, o)) {
    retry_one(q, all, producer, node);
    if (reader.mark_quarantine(q.id, quarantine_state::retried)) ++done;
  }
  std::cout << (o.as_json ? json{{"retried", done}}.dump() : std::to_string(done) + " retried")
            << '\n';
  return 0;
}

int purge(const options& o) {
  check_choice(o);
  store::status_reader reader(read_settings(o.file).cluster.postgres.dsn);
  std::size_t done = 0;
  for (const auto& q : chosen(reader, o))
    if (reader.mark_quarantine(q.id, quarantine_state::purged)) ++done;
  std::cout << (o.as_json ? json{{"purged", done}}.dump() : std::to_string(done) + " purged")
            << '\n';
  return 0;
}

}  // namespace

void add_quarantine_command(CLI::App& app, int& exit_code) {
  static options o;
  auto* command = app.add_subcommand(
      "quarantine", "Inputs that were set aside because an entity failed on them again and again");
  command->require_subcommand(1);
  auto* listing = command->add_subcommand("list", "What is held, with the reason and the input");
  auto* again = command->add_subcommand(
      "retry", "Gives held inputs to their entities once more (after the cause is mended)");
  auto* away = command->add_subcommand(
      "purge", "Drops held inputs for good; their rows stay, marked purged");
  listing->add_flag("--all", o.all, "Retried and purged ones too");
  for (auto* c : {again, away}) {
    auto* id = c->add_option("id", o.id, "The entry's number")->check(whole_number(1, INT64_MAX));
    auto* all = c->add_flag("--all", o.all, "Every held entry")->excludes(id);
    id->excludes(all);
  }
  for (auto* c : {listing, again, away}) {
    add_config_option(*c, o.file);
    c->add_flag("--json", o.as_json, "JSON instead of text");
  }
  on_run(*listing, exit_code, [] { return list(o); });
  on_run(*again, exit_code, [] { return retry(o); });
  on_run(*away, exit_code, [] { return purge(o); });
}

}  // namespace troupe::app
