#include "runtime/options/describe.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>

#include "runtime/options/dsn.hpp"

// Every describing function unpacks its whole struct: a member that is added without a description
// does not compile.

namespace troupe {
namespace {

using nlohmann::json;

constexpr std::int64_t hour_ms = 3'600'000;

const choices<log::level>& levels() {
  using enum log::level;
  static const choices<log::level> names{{"trace", trace}, {"debug", debug}, {"info", info},
                                         {"warn", warn},   {"error", error}, {"off", off}};
  return names;
}

bool consists_of(std::string_view text, std::size_t length_min, std::size_t length_max,
                 std::string_view extra) {
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || extra.find(c) != extra.npos;
  };
  return text.size() >= length_min && text.size() <= length_max && std::ranges::all_of(text, fits);
}

text_rule name_rule(bool required) {
  return {"1 to 32 of a-z 0-9 -", [](std::string_view t) { return consists_of(t, 1, 32, "-"); },
          required};
}

constexpr std::string_view capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port > 0;
}

bool is_host(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) return consists_of(text, 3, 64, "ABCDEF:.%[]");
  return consists_of(text, 1, 253, std::string(capitals) + ".-_");
}

bool is_broker(std::string_view text) {
  const auto colon = text.rfind(':');
  return colon != text.npos && is_host(text.substr(0, colon)) && is_port(text.substr(colon + 1));
}

bool are_brokers(std::string_view text) {
  for (auto comma = text.find(','); comma != text.npos; comma = text.find(',')) {
    if (!is_broker(text.substr(0, comma))) return false;
    text.remove_prefix(comma + 1);
  }
  return is_broker(text);
}

bool is_address(std::string_view host) {
  std::array<unsigned char, 4> address{};
  return inet_pton(AF_INET, std::string(host).c_str(), address.data()) == 1;
}

/// An object of texts by name, such as settings of a library. `take_entry` stores one or says what
/// is wrong with it.
template <class Value>
option_def entries(
    std::string name, std::map<std::string, Value>& member, std::string allowed, std::string text,
    std::function<std::string(const std::string&, const json&, std::map<std::string, Value>&)>
        take_entry) {
  const auto take = [=, &member](const json& v) -> faults {
    if (!v.is_object()) return must_be("an object: " + allowed);
    faults found;
    std::map<std::string, Value> all;
    for (const auto& [key, value] : v.items())
      if (auto wrong = take_entry(key, value, all); !wrong.empty())
        found.push_back({json::json_pointer() / key, std::move(wrong)});
    if (found.empty()) member = std::move(all);
    return found;
  };
  return {std::move(name), std::move(text), std::move(allowed), json::object(), take};
}

/// Settings that the promises rest on; the runtime makes them itself.
bool is_ours(std::string_view setting) {
  static constexpr std::array<std::string_view, 14> ours{
      "bootstrap.servers",      "metadata.broker.list",      "group.id",
      "enable.idempotence",     "enable.auto.commit",        "auto.offset.reset",
      "transactional.id",       "message.timeout.ms",        "linger.ms",
      "queue.buffering.max.ms", "enable.auto.offset.store",  "acks",
      "request.required.acks",  "queued.max.messages.kbytes"};
  return std::ranges::find(ours, setting) != ours.end();
}

std::string take_setting(const library_checks& judge, const std::string& key, const json& value,
                         std::map<std::string, std::string>& out) {
  if (!consists_of(key, 1, 100, "._")) return "is no name of a librdkafka setting";
  if (is_ours(key)) return "is set by Troupe itself; see kafka, ingress and egress";
  if (!value.is_string() && !value.is_number_integer() && !value.is_boolean())
    return "must be a text, a whole number, true or false";
  auto text = value.is_string() ? value.get<std::string>() : value.dump();
  if (judge.kafka_setting)
    if (auto wrong = judge.kafka_setting(key, text); !wrong.empty()) return wrong;
  out[key] = std::move(text);
  return {};
}

std::string component_names() {
  std::string all;
  for (const auto name : log::components) all.append(all.empty() ? "" : ", ").append(name);
  return all;
}

std::string take_level(const std::string& key, const json& value,
                       std::map<std::string, log::level>& out) {
  if (!log::is_component(key)) return "is no component: they are " + component_names();
  const auto level =
      value.is_string() ? find_choice(levels(), value.get<std::string>()) : std::nullopt;
  if (!level) return "must be one of trace, debug, info, warn, error, off";
  out[key] = *level;
  return {};
}

void describe(section& s, kafka_options& o, const library_checks& judge) {
  auto& [brokers, replication_factor, topic_prefix, client, create_topics, retention] = o;
  s.text("brokers", brokers, {"host:port, several with commas between", are_brokers, true},
         "Where Kafka's brokers listen. One is enough to find the others; two or three still find "
         "them when one is down.");
  s.number("replication_factor", replication_factor, {1, 15, "copies"},
           "Copies of every topic that Troupe creates. 1 loses the log with its disk; 3 survives "
           "the loss of a broker and costs three times the disk and network.");
  s.text("topic_prefix", topic_prefix,
         {"up to 100 of A-Z a-z 0-9 . _ -",
          [](std::string_view t) { return consists_of(t, 0, 100, std::string(capitals) + "._-"); }},
         "Stands before the name of every topic, so that several clusters can share one Kafka. "
         "Changing it later means other topics, and the positions in PostgreSQL no longer fit.");
  auto settings = entries<std::string>(
      "client", client, "names and values as in librdkafka's CONFIGURATION.md",
      "Extra librdkafka settings of every client, above all security.protocol, sasl.* and ssl.*. "
      "Names and values are checked one by one; whether they are right together, and with what "
      "they point at, librdkafka judges at start. Their values are never printed.",
      [judge](const std::string& key, const json& value, std::map<std::string, std::string>& out) {
        return take_setting(judge, key, value, out);
      });
  settings.value = json(client);
  settings.masked = [](std::string_view) { return std::string("***"); };
  s.option(std::move(settings));
  s.flag("create_topics", create_topics,
         "Create missing topics, with one partition a shard. Off where only administrators may "
         "create topics: then a missing topic is refused at start, by name.");
  s.duration(
      "retention_ms", retention, {-1, 10 * 365 * 24 * hour_ms},
      "How long Kafka keeps the records of topics that Troupe creates; -1 is for ever. Short "
      "saves disk; what is gone before it was committed is lost to the shard that wanted it "
      "(ingress.on_truncated).");
  s.rule(retention.count() == -1 || retention.count() >= 60'000, "retention_ms", {},
         "must be -1 or at least 60000 ms (a restart has to find its records)");
}

void describe(section& s, postgres_options& o, const library_checks& judge) {
  auto& [dsn, connections, statement_timeout, connect_timeout] = o;
  s.text(
      "dsn", dsn,
      {"libpq connection text (host=... port=... user=... dbname=...) or a postgresql:// address",
       is_dsn, true, without_password},
      "The database that decides ownership and remembers every entity. Take the password from the "
      "environment, \"... password=${TROUPE_PASSWORD}\", or from ~/.pgpass; it is never printed.");
  const auto wrong = judge.dsn ? judge.dsn(dsn) : "";
  s.rule(wrong.empty(), "dsn", {}, wrong);
  s.number("connections", connections, {1, 64, "connections"},
           "Store threads of a node that commit, each with its own connection. More commit more "
           "shards at the same time until the server's disk is busy; every one costs a process of "
           "the server. Half as many again read, and one takes shards over.");
  s.duration("statement_timeout_ms", statement_timeout, {100, hour_ms},
             "The server ends a statement that takes longer, and the shard is recovered. Shorter "
             "frees the locks of a stuck owner earlier; too short fails big commits on a slow "
             "disk. Renewals of leases and what else concerns the cluster's tables have at most "
             "lease.renewal_ms, so that one that hangs leaves time for another.");
  s.duration("connect_timeout_s", connect_timeout, {1, 300},
             "How long to wait for a connection before trying again. Too short fails on a busy "
             "server; longer notices a dead one later. Connections for leases are given up earlier "
             "where the lease demands it, but not before 3 s.");
}

void describe(section& s, lease_options& o) {
  auto& [ttl, renewal, margin] = o;
  s.duration("ttl_ms", ttl, {10, hour_ms},
             "How long a node that does not renew its lease still counts as alive. Longer rides "
             "out longer stalls of the database; shorter shortens the outage after a crash that "
             "nobody noticed otherwise.");
  s.duration("renewal_ms", renewal, {1, hour_ms},
             "How often a node renews its lease. More often survives more lost renewals and costs "
             "one small transaction each.");
  s.duration("margin_ms", margin, {1, hour_ms},
             "How long before the end of its lease a node that could not renew stops its shards, "
             "by its own clock. Must cover the time that stopping takes; more gives up earlier.");
  const auto least = 2 * renewal + margin;
  s.rule(least < ttl, "ttl_ms", {"renewal_ms", "margin_ms"},
         "must be more than 2 × renewal_ms + margin_ms = " + std::to_string(least.count()) +
             " ms (cluster stays up when one renewal is lost)");
}

void describe(section& s, membership_options& o) {
  auto& [probe, silence_max, moves_max] = o;
  s.duration("probe_ms", probe, {10, 60'000},
             "How often nodes tell each other that they are there. More often costs a message each "
             "and must fit several times into silence_max_ms.");
  s.duration("silence_max_ms", silence_max, {50, hour_ms},
             "How long a node may be silent before the others suspect it; with a second vote its "
             "shards move. Shorter ends outages of stopped and cut-off nodes sooner; too short "
             "takes a stall for a death, which costs that node a new start. A killed process is "
             "noticed at once, by its broken connections.");
  s.rule(3 * probe <= silence_max, "silence_max_ms", {"probe_ms"},
         "must be at least 3 × probe_ms = " + std::to_string(3 * probe.count()) +
             " ms (one lost probe is no silence)");
  s.number("moves_max", moves_max, {1, 4096, "shards"},
           "Shards that may move between living nodes at a time, when one joins or drains. More "
           "spreads the work sooner and makes more of it wait for a moment.");
}

void describe(section& s, checkpoint_options& o) {
  auto& [interval, output_delay, catch_up_records, uncommitted_records_max] = o;
  s.duration("interval_ms", interval, {10, hour_ms},
             "How often a shard commits its log-fed entities when nothing waits to go out. Longer "
             "commits less and reads more records again after a crash.");
  s.duration("output_delay_ms", output_delay, {0, hour_ms},
             "How long output, such as a closed bar, may wait for the commit that lets it out. "
             "Longer puts more into one commit; shorter brings results out earlier.");
  s.rule(output_delay <= interval, "output_delay_ms", {"interval_ms"},
         "must be at most interval_ms = " + std::to_string(interval.count()));
  s.number("catch_up_records", catch_up_records, {0, 1'000'000'000, "records"},
           "A shard with more than this left to read is catching up: its output waits for "
           "interval_ms, because nobody waits for old results. Less keeps throughput up at "
           "smaller lags; more keeps delay down at larger ones.");
  s.number("uncommitted_records_max", uncommitted_records_max, {1, 1'000'000'000, "records"},
           "A shard that has read this many records since its last commit commits, however young "
           "that is. Bounds what is read again after a crash; too few commits all the time when "
           "catching up.");
}

void describe(section& s, ingress_options& o) {
  auto& [batch_records_max, shard_inflight_max, queued_kbytes_max, on_truncated, record_bytes_max] =
      o;
  s.number("batch_records_max", batch_records_max, {1, 1'000'000, "records"},
           "Records taken from Kafka in one go. More costs less CPU a record; fewer share a node "
           "more evenly.");
  s.number("shard_inflight_max", shard_inflight_max, {1, 10'000'000, "records"},
           "Records handed to a shard and not yet taken by its entities; beyond it the shard's "
           "partitions are paused. More rides out bursts and costs memory.");
  s.rule(batch_records_max <= shard_inflight_max, "shard_inflight_max", {"batch_records_max"},
         "must be at least batch_records_max = " + std::to_string(batch_records_max));
  s.number("queued_kbytes_max", queued_kbytes_max, {64, 2'097'151, "KiB"},
           "Records that librdkafka reads ahead, for the whole node, each counted as half a KiB at "
           "least. More keeps a fast consumer busy over a slow network and costs memory.");
  s.choice("on_truncated", on_truncated,
           {{"stop", truncation::stop}, {"continue", truncation::go_on}},
           "When Kafka has deleted records that a shard had not committed: stop leaves the shard "
           "down until somebody decides; continue goes on with the oldest record there is, and "
           "logs and counts what is missing.");
  s.number("record_bytes_max", record_bytes_max, {1024, 104'857'600, "bytes"},
           "Larger records go to the dead-letter topic. More admits bigger input and lets one "
           "record cost more memory and time.");
  s.rule(record_bytes_max <= std::uint64_t{queued_kbytes_max} * 1024, "record_bytes_max",
         {"queued_kbytes_max"},
         "must fit into queued_kbytes_max = " + std::to_string(queued_kbytes_max) + " KiB");
}

void describe(section& s, egress_options& o) {
  auto& [linger, message_timeout, outbox_max] = o;
  s.duration("linger_ms", linger, {0, 60'000},
             "How long a record may wait for others to be sent with. Longer makes fewer, bigger "
             "requests; 0 sends at once.");
  s.duration("message_timeout_ms", message_timeout, {100, hour_ms},
             "After this long a record counts as not sent: the shard looks what is out and goes "
             "on from there. Shorter keeps a fenced node's stragglers rarer; too short gives up "
             "on a broker that is only slow.");
  s.rule(linger < message_timeout, "linger_ms", {"message_timeout_ms"},
         "must be less than message_timeout_ms = " + std::to_string(message_timeout.count()));
  s.number("outbox_max", outbox_max, {1, 10'000'000, "rows"},
           "Committed output of a shard that Kafka has not acknowledged; beyond it the shard's "
           "ingress pauses. More rides out longer outages of Kafka, on disk and in memory.");
}

void describe(section& s, entity_options& o) {
  auto& [idle_timeout, inbox_max, request_timeout, requests_remembered, restarts_per_minute_max,
         quarantine_after_restarts, restart_backoff, restart_backoff_max] = o;
  constexpr std::int64_t year_s = 365 * 24 * 3600;
  s.duration("idle_timeout_s", idle_timeout, {1, year_s},
             "An entity without work for this long leaves memory and comes back from PostgreSQL "
             "with its next message. Longer saves reloading, shorter saves memory.");
  s.number("inbox_max", inbox_max, {1, 10'000'000, "messages"},
           "Messages that may wait for their turn in a shard, for all of its entities together; "
           "beyond it requests are refused as busy and the shard's ingress pauses. More rides out "
           "bursts and costs memory and waiting time.");
  s.duration("request_timeout_ms", request_timeout, {10, hour_ms},
             "A request without an answer for this long fails; repeating it with the same id is "
             "safe. Longer waits out a fail-over, shorter tells clients earlier. The command line "
             "waits for twice as long and 5 s more.");
  s.duration("requests_remembered_s", requests_remembered, {60, year_s},
             "How long a request id and its answer are kept, so that a repeated request has no "
             "second effect. Longer protects later repetitions and costs a row for each request.");
  s.number("restarts_per_minute_max", restarts_per_minute_max, {1, 1000, "restarts"},
           "A shard that fails more often than this by a defect, of an entity or of its own, stops "
           "and raises an alert; failures of the database are not counted. More is patient with a "
           "defect that shows now and then; fewer stop a crash loop earlier.");
  s.number("quarantine_after_restarts", quarantine_after_restarts, {1, 100, "restarts"},
           "An input on which its entity failed again after this many restarts is put aside, with "
           "the reason, and the entity goes on. More gives passing causes a chance; each costs a "
           "recovery of the whole shard.");
  s.rule(quarantine_after_restarts <= restarts_per_minute_max, "quarantine_after_restarts",
         {"restarts_per_minute_max"},
         "must be at most restarts_per_minute_max = " + std::to_string(restarts_per_minute_max) +
             " (or the shard stops before it gets rid of the input)");
  s.duration("restart_backoff_ms", restart_backoff, {1, hour_ms},
             "Wait before the first restart of a shard; it doubles with each failure that "
             "follows. Shorter recovers earlier, longer spares a server in trouble.");
  s.duration("restart_backoff_max_ms", restart_backoff_max, {1, hour_ms},
             "The longest wait between two restarts. Shorter is back sooner after a long outage, "
             "longer makes less noise during it.");
  s.rule(restart_backoff <= restart_backoff_max, "restart_backoff_max_ms", {"restart_backoff_ms"},
         "must be at least restart_backoff_ms = " + std::to_string(restart_backoff.count()));
}

void describe(section& s, endpoint& o) {
  auto& [host, port] = o;
  s.text(
      "host", host, {"an IPv4 address", is_address},
      "Address to listen on. Beyond this machine (any other than 127.x.x.x) security must be set "
      "up: see docs/operations.md.");
  s.number("port", port, {1, 65'535}, "Port to listen on; every node of a machine needs its own.");
}

void describe(section& s, security_options& o) {
  auto& [ca_file, certificate_file, key_file, operator_certificate_file, operator_key_file, token,
         token_file, insecure] = o;
  const text_rule path{"a path, seen from this file's folder; empty for none",
                       [](std::string_view) { return true; }};
  s.text("ca_file", ca_file, path,
         "Certificates of the authorities that the cluster trusts, in PEM form. With the next two "
         "every link between nodes, and from the command line, is encrypted (TLS 1.3) and both "
         "ends prove who they are; `troupe certs` makes all of them.");
  s.text("certificate_file", certificate_file, path,
         "The node's own certificate; it names the cluster and the node's id. Replaced files "
         "count from the next link on.");
  s.text("key_file", key_file, path,
         "The private key that belongs to certificate_file. No other user may be able to read it.");
  s.text("operator_certificate_file", operator_certificate_file, path,
         "The certificate that commands such as troupe status show. An operator may send requests "
         "to the admin server and nothing else.");
  s.text("operator_key_file", operator_key_file, path,
         "The private key that belongs to operator_certificate_file.");
  s.text("token", token,
         {"a text; empty for none", [](std::string_view) { return true; }, false,
          [](std::string_view) { return std::string("***"); }},
         "What the HTTP server asks for (Authorization: Bearer TOKEN), and, without TLS, the admin "
         "server. 16 to 128 visible characters, best from the environment: \"${TROUPE_TOKEN}\".");
  s.text("token_file", token_file, path,
         "A file that holds the token, instead of token itself. No other user may be able to read "
         "it.");
  s.flag("insecure", insecure,
         "Let the admin server listen beyond this machine without certificates. Links are then "
         "neither encrypted nor proved: whoever sees the network sees everything, the token too, "
         "and can take part. For networks that are safe by other means.");
}

void describe(section& s, log_options& o) {
  auto& [level, components, file, rate_max] = o;
  s.choice("level", level, levels(),
           "What is worth a line. debug and trace cost CPU and disk under load.");
  auto own_levels = entries<log::level>(
      "components", components,
      "{\"store\": \"debug\"}: names with one of trace, debug, info, warn, error, off",
      "Components with a level of their own, of " + component_names() + ".", take_level);
  for (const auto& [name, own] : components)
    own_levels.value[name] =
        std::ranges::find(levels(), own, &choices<log::level>::value_type::second)->first;
  s.option(std::move(own_levels));
  s.text("file", file,
         {"a path, seen from the folder where the node is started; empty for standard error",
          [](auto) { return true; }},
         "Where lines are appended. Standard error suits service managers and containers, which "
         "rotate by themselves.");
  s.number("rate_max", rate_max, {0, 1'000'000, "lines a second"},
           "Lines of one event; the next line then tells how many were left out. 0 is no limit: "
           "nothing is left out, and a storm of failures can fill the disk.");
}

}  // namespace

void describe(section& s, cluster_options& o, const library_checks& judge) {
  auto& [name, shards, kafka, postgres, lease, membership, checkpoint, ingress, egress, entities] =
      o;
  s.text("name", name, name_rule(false),
         "Name of the cluster, in logs, metrics and the names of connections.");
  s.number("shards", shards, {1, 4096, "shards"},
           "Slices of all entities, and partitions of every topic. Fixed when the cluster is "
           "made: another number is refused at start. About ten times the most nodes you will "
           "have; more cost memory and smaller commits, fewer spread the work worse.");
  s.group("kafka", "The log: where records come from and go to.",
          [&](section& g) { describe(g, kafka, judge); });
  s.group("postgres", "The memory: ownership, states, results.",
          [&](section& g) { describe(g, postgres, judge); });
  s.group("lease", "How long a node may be silent and still own its shards.",
          [&](section& g) { describe(g, lease); });
  s.group("membership", "How soon nodes notice each other's deaths, and how shards move.",
          [&](section& g) { describe(g, membership); });
  s.group("checkpoint", "When the states of entities that are fed by a log are committed.",
          [&](section& g) { describe(g, checkpoint); });
  s.group("ingress", "The way in.", [&](section& g) { describe(g, ingress); });
  s.group("egress", "The way out.", [&](section& g) { describe(g, egress); });
  s.group("entities", "Supervision and bounds of every entity.",
          [&](section& g) { describe(g, entities); });
}

void describe(section& s, node_options& o) {
  auto& [cluster, id, admin, http, security, log_, threads] = o;
  s.text("cluster", cluster,
         {"a path, seen from this file's folder", [](std::string_view t) { return !t.empty(); }},
         "The file with the options of the whole cluster: the same on every node.");
  s.text("id", id, name_rule(true),
         "Name of the node: its own in the cluster, and the same after every restart.");
  s.group("admin", "The server that troupe status, symbol, quarantine talk to.",
          [&](section& g) { describe(g, admin); });
  s.group("http", "The server of /metrics, /healthz and /readyz.",
          [&](section& g) { describe(g, http); });
  s.rule(admin.port != http.port, "http", {"admin"}, "must not listen on the port of admin");
  s.group("security", "Who may speak to this node, and how everybody proves who he is.",
          [&](section& g) { describe(g, security); });
  s.group("log", "What is written down, and where.", [&](section& g) { describe(g, log_); });
  s.number("threads", threads, {0, 1024, "threads"},
           "Threads that run actors; 0 takes as many as the machine has cores. Fewer leave room "
           "for Kafka and PostgreSQL on the same machine; more than cores gain nothing.");
}

}  // namespace troupe
