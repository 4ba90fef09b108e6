#include <algorithm>
#include <chrono>
#include <iostream>

#include "app/catalog.hpp"
#include "app/client.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/entity_command.hpp"
#include "app/mapping.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "runtime/codec/json.hpp"
#include "runtime/entity/retry.hpp"
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
  auto rows =
      reader.quarantine(o.all ? std::nullopt : std::optional(quarantine_state::held), rows_max + 1);
  const bool cut = rows.size() > rows_max;
  if (cut) rows.pop_back();
  json array = json::array();
  for (const auto& q : rows) array.push_back(to_json(q));
  if (o.as_json) std::cout << dump(array) << '\n';
  for (const auto& q : rows)
    if (!o.as_json)
      std::cout << q.id << "  " << store::to_string(q.state) << "  "
                << printable(to_string(q.entity)) << "  " << printable(q.source) << '@' << q.place
                << "  " << printable(q.reason) << "\n    " << printable(q.input.substr(0, 200))
                << '\n';
  if (rows.empty() && !o.as_json) std::cout << "nothing is quarantined\n";
  if (cut)
    std::cerr << "there are more: these are the newest " << rows_max
              << "; retry and purge take all of them with --all\n";
  return 0;
}

/// The chosen held entries: one id, or all, the oldest first, as their inputs came.
std::vector<std::int64_t> chosen(store::status_reader& reader, const options& o) {
  if (o.all) return reader.held();
  const auto found = reader.quarantined(o.id);
  if (!found || found->state != quarantine_state::held)
    throw failure("unknown_entry", "no held entry has id " + std::to_string(o.id) +
                                       ": `troupe quarantine list` tells those there are");
  return {o.id};
}

/// Gives inputs back, each the way it came.
class return_desk {
 public:
  explicit return_desk(const settings& all) : all_(all), things_(make_catalog(all)) {}

  /// Why it is not given back, `NAME: what, and what to do`; empty: it is.
  std::string give_back(const store::quarantine_status& q) {
    const auto from = [&](const char* what) { return q.source.starts_with(what); };
    const bool record =
        std::ranges::find(things_.ingress, q.source, &ingress_def::topic) != things_.ingress.end();
    // Entries of older programs hold a command's message, without the record's key.
    if (record && !q.key.empty()) return put_onto_topic(q);
    if (record || q.source == "timer" || q.source == "request" || from("shard:") || from("call:"))
      return tell_entity(q);
    if (from("feed:"))
      return "feed_has_passed: " + to_string(q.entity) +
             " has gone on behind this event, and gives up no place that it has reached; the "
             "event stays in its log. Purge the entry once what it should have led to is done "
             "by hand";
    return "unknown_source: this program knows no topic " + q.source +
           "; retry with the one that has it, or purge the entry";
  }

 private:
  /// At the end of its partition.
  std::string put_onto_topic(const store::quarantine_status& q) {
    if (!kafka_away_.empty()) return kafka_away_;
    const auto patience = 2 * all_.cluster.egress.message_timeout;
    if (!producer_) producer_.emplace(producing());
    const auto before = producer_->figures().failed;
    using result = bridge::kafka_producer::result;
    const auto sending =
        producer_->send(q.source, {q.key, q.input, std::nullopt, q.shard.value()}, patience);
    const bool told =
        sending == result::failed || (sending == result::sent && producer_->flush(patience));
    const auto now = producer_->figures();
    if (told && sending == result::sent && now.failed == before) return {};
    if (told && now.last_error != "_MSG_TIMED_OUT")
      return "record_refused: Kafka says " + now.last_error + "; purge the entry if it never will";
    return kafka_away_ = "kafka_unavailable: no broker takes the record; retry once they are back";
  }

  /// Either in the log after `message_timeout`, or not at all; and as large as it came in.
  bridge::producer_options producing() const {
    auto o = bridge_producer_options(all_);
    o.message_timeout = all_.cluster.egress.message_timeout;
    o.kafka.settings.try_emplace("message.max.bytes",
                                 std::to_string(all_.cluster.ingress.record_bytes_max + (1 << 20)));
    return o;
  }

  /// Under an id of the entry's own, so that repeating the retry has no second effect.
  std::string tell_entity(const store::quarantine_status& q) {
    const auto [input, wrong] = parse_json_object(q.input, {json_inside_depth_max});
    if (!wrong.empty() || !input.contains("to") || !input.contains("type"))
      return "unknown_input: it is no message; purge the entry";
    if (!node_away_.empty()) return node_away_;
    const auto original = q.source == "request" ? q.key : std::string();
    const json request{{"verb", "ask"},
                       {"entity", input.at("to")},
                       {"type", input.at("type")},
                       {"body", input.value("body", json::object())},
                       {"id", retry_id(q.id, attempt_, original)}};
    try {
      if (!node_) node_.emplace(all_);
      const auto answer = node_->ask(request);
      if (!answer.is_object() || !answer.contains("error")) return {};
      return text_of(answer.at("error")) + ": " + text_of(answer.value("detail", json()));
    } catch (const client_error& e) {
      return node_away_ = e.name() + ": " + e.what();
    }
  }

  const settings& all_;
  const catalog things_;
  const std::string attempt_ =
      std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
  std::string kafka_away_, node_away_;  // Nobody waits for them twice.
  // Made when first needed.
  std::optional<bridge::kafka_producer> producer_;
  std::optional<client> node_;
};

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
  return_desk desk(all);
  std::size_t done = 0;
  json refused = json::array();
  for (const auto id : chosen(reader, o)) {
    const auto entry = reader.quarantined(id);
    if (!entry || entry->state != quarantine_state::held) continue;  // Somebody was faster.
    const auto why = desk.give_back(*entry);
    if (why.empty()) {
      if (reader.mark_quarantine(id, quarantine_state::retried)) ++done;
      continue;
    }
    refused.push_back({{"id", id}, {"reason", why}});
    if (!o.as_json) std::cerr << "entry " << id << ": " << why << '\n';
  }
  if (o.as_json)
    std::cout << dump({{"retried", done}, {"refused", refused}}) << '\n';
  else
    std::cout << done << " retried"
              << (refused.empty() ? "" : ", " + std::to_string(refused.size()) + " refused")
              << '\n';
  return refused.empty() ? 0 : exit_failed;
}

int purge(const options& o) {
  check_choice(o);
  store::status_reader reader(read_settings(o.file).cluster.postgres.dsn);
  std::size_t done = 0;
  for (const auto id : chosen(reader, o))
    if (reader.mark_quarantine(id, quarantine_state::purged)) ++done;
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
