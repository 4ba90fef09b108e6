#include <iomanip>
#include <iostream>

#include "app/catalog.hpp"
#include "app/client.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/entity_command.hpp"
#include "runtime/store/status_reader.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;

struct options {
  std::string file = "config/local/node-1.json";
  bool as_json = false;
  std::uint32_t shard = 0;
  std::string node;
  std::string entity;
  std::string kind;
  std::string after;
  int limit = 100;
};

json ask(const options& o, const json& request) {
  auto answer = client(read_settings(o.file)).ask(request);
  throw_refusal(answer);
  return answer;
}

int leader(const options& o) {
  const auto answer = ask(o, {{"verb", "leader"}});
  if (o.as_json)
    std::cout << answer.dump() << '\n';
  else
    std::cout << text_of(answer.at("leader")) << " at " << text_of(answer.at("address"))
              << ", incarnation " << answer.at("incarnation") << '\n'
              << stale_note(answer);
  return 0;
}

std::string positions_text(const json& shard) {
  std::string text;
  const auto positions = shard.value("positions", json::object());
  for (const auto& [topic, next] : positions.items())
    text += (text.empty() ? "" : " ") + topic + '@' + next.dump();
  return text.empty() ? "-" : text;
}

int shard_list(const options& o) {
  const auto answer = ask(o, {{"verb", "shards"}});
  if (o.as_json)
    std::cout << answer.dump() << '\n';
  else
    print_shards(answer);
  return 0;
}

int shard_show(const options& o) {
  const auto answer = ask(o, {{"verb", "shards"}});
  if (answer.empty())
    throw failure("not_joined", "node has not joined the cluster yet: repeat it in a moment");
  if (o.shard >= answer.size())
    throw failure("unknown_shard", "shards are 0 to " + std::to_string(answer.size() - 1));
  std::cout << answer.at(o.shard).dump(o.as_json ? -1 : 2) << '\n';
  return 0;
}

int order(const options& o, const json& request, const std::string& said) {
  return print_answer(ask(o, request), o.as_json, said);
}

int shard_move(const options& o) {
  return order(o, {{"verb", "move"}, {"shard", o.shard}, {"node", o.node}},
               "shard " + std::to_string(o.shard) + " goes to " + o.node +
                   "; `troupe shard list` shows when it has arrived");
}

int node_drain(const options& o) {
  return order(o, {{"verb", "drain"}, {"node", o.node}},
               o.node + " gives its shards away, a few at a time");
}

int node_undrain(const options& o) {
  return order(o, {{"verb", "undrain"}, {"node", o.node}}, o.node + " takes shards again");
}

int node_forget(const options& o) {
  return order(o, {{"verb", "forget"}, {"node", o.node}}, o.node + " is no longer listed");
}

/// The next entities by kind and key, each shard's taken from its index: a million others cost
/// nothing.
std::string entity_query(const options& o) {
  std::string which;
  if (!o.kind.empty()) which += " and kind = " + sql_text(o.kind);
  if (!o.after.empty()) {
    const auto after = parse_entity_id(o.after);
    which += " and (kind, key) > (" + sql_text(after.kind) + ", " + sql_text(after.key) + ")";
  }
  const auto limit = " order by kind, key limit " + std::to_string(o.limit);
  return "select e.kind, e.key, e.shard, s.owner, e.saved_at from shard s cross join lateral "
         "(select kind, key, shard, saved_at from entity where shard = s.id" +
         which + limit + ") e" + limit;
}

/// `symbol/SPY`. `option`: what it belongs to.
entity_id entity_of(const std::string& text, const std::string& option = "") {
  auto id = parse_entity_id(text);
  if (id.kind.empty() || id.key.empty())
    throw wrong_arguments(option + "\"" + text + "\": write KIND/KEY, for example symbol/SPY");
  return id;
}

void refuse_unknown_kind(const settings& all, const std::string& kind) {
  const auto things = make_catalog(all);
  std::string known;
  for (const auto& one : things.kinds) {
    if (one.name == kind) return;
    known += (known.empty() ? "" : ", ") + std::string(one.name);
  }
  throw failure("unknown_kind", "there is no \"" + kind + "\"; kinds are " + known);
}

int entity_list(const options& o) {
  if (!o.after.empty()) entity_of(o.after, "--after ");
  const auto all = read_settings(o.file);
  store::status_reader reader(all.cluster.postgres.dsn);
  const auto rows = json::parse(reader.read_json(entity_query(o)));
  if (rows.empty() && !o.kind.empty()) refuse_unknown_kind(all, o.kind);
  if (o.as_json) {
    std::cout << rows.dump() << '\n';
    return 0;
  }
  const auto name = [](const json& row) {
    return text_of(row.at("kind")) + '/' + text_of(row.at("key"));
  };
  for (const auto& row : rows)
    std::cout << std::left << std::setw(32) << name(row) << " shard " << std::setw(5)
              << text_of(row.at("shard")) << std::setw(14) << text_of(row.at("owner"))
              << text_of(row.at("saved_at")) << '\n';
  if (rows.size() == static_cast<std::size_t>(o.limit))
    std::cerr << "the first " << o.limit << "; go on with --after " << name(rows.back()) << '\n';
  if (rows.empty())
    std::cerr << "no entity" << (o.kind.empty() ? "" : " of kind " + o.kind)
              << (o.after.empty() ? "" : " after " + o.after) << '\n';
  return 0;
}

int entity_show(const options& o) {
  const auto which = entity_of(o.entity);
  const auto answer = entity_state(read_settings(o.file), which);
  std::cout << answer.dump(o.as_json ? -1 : 2) << '\n';
  return 0;
}

CLI::App* add(CLI::App& to, int& exit_code, const char* name, const char* text,
              int (*work)(const options&), options& o) {
  auto* command = to.add_subcommand(name, text);
  add_config_option(*command, o.file);
  command->add_flag("--json", o.as_json, "JSON instead of text");
  on_run(*command, exit_code, [work, &o] { return work(o); });
  return command;
}

}  // namespace

std::string stale_note(const json& answer) {
  const auto& one = answer.is_array() && !answer.empty() ? answer.front() : answer;
  if (!one.is_object() || !one.value("stale", false)) return {};
  return "STALE: this node has no valid lease, so this is what it knew last; ask another one\n";
}

void print_shards(const json& shards) {
  std::cout << std::setw(6) << "shard"
            << "  " << std::left << std::setw(16) << "node" << std::setw(16) << "assigned to"
            << std::right << std::setw(7) << "epoch" << std::setw(6) << "live" << std::setw(10)
            << "lag" << std::setw(13) << "uncommitted" << std::setw(11) << "oldest ms"
            << std::setw(13) << "undelivered"
            << "  position\n";
  for (const auto& s : shards) {
    const auto of = [&](const char* name) { return s.contains(name) ? text_of(s.at(name)) : "-"; };
    std::cout << std::setw(6) << of("shard") << "  " << std::left << std::setw(16) << of("node")
              << std::setw(16) << of("assigned") << std::right << std::setw(7) << of("epoch")
              << std::setw(6) << (s.value("live", false) ? "yes" : "no") << std::setw(10)
              << of("lag") << std::setw(13) << of("uncommitted") << std::setw(11)
              << of("oldest_uncommitted_ms") << std::setw(13) << of("undelivered") << "  "
              << positions_text(s) << '\n';
  }
  std::cout << stale_note(shards);
}

void add_cluster_commands(CLI::App& app, int& exit_code) {
  static options o;
  add(app, exit_code, "leader", "Which node assigns shards", leader, o);

  auto* shard =
      app.add_subcommand("shard", "Slices of all entities: who has them, and moving them");
  shard->require_subcommand(1);
  add(*shard, exit_code, "list", "Every shard with its node, epoch, lag and age of its work",
      shard_list, o);
  const auto add_number = [](CLI::App* command) {
    command->add_option("shard", o.shard, "Its number, from 0")
        ->required()
        ->check(whole_number(0, 1'000'000));
    return command;
  };
  add_number(add(*shard, exit_code, "show", "One shard, with its positions", shard_show, o));
  auto* move = add_number(
      add(*shard, exit_code, "move", "Hands a shard over to another node", shard_move, o));
  move->add_option("--to", o.node, "The node that is to have it")->required();

  auto* node = app.get_subcommand("node");
  auto* drain = add(*node, exit_code, "drain",
                    "Has a node give all its shards away, a few at a time, and keeps it empty",
                    node_drain, o);
  drain->add_option("node", o.node, "Its id")->required();
  auto* undrain =
      add(*node, exit_code, "undrain", "Lets a drained node take shards again", node_undrain, o);
  undrain->add_option("node", o.node, "Its id")->required();

  auto* forget = add(*node, exit_code, "forget",
                     "Strikes a node that is gone for good off the list", node_forget, o);
  forget->add_option("node", o.node, "Its id")->required();

  auto* entity = app.add_subcommand(
      "entity", "Entities of any kind: symbols, sessions, portfolios and all others");
  entity->require_subcommand(1);
  auto* list = add(*entity, exit_code, "list", "Entities as last committed, by kind and key",
                   entity_list, o);
  list->add_option("--kind", o.kind, "Only this kind");
  list->add_option("--after", o.after, "Only those after this KIND/KEY: the next page");
  list->add_option("--limit", o.limit, "At most so many")
      ->capture_default_str()
      ->check(whole_number(1, 1'000'000));
  add(*entity, exit_code, "show", "The state of one entity, asked of its actor on whatever node",
      entity_show, o)
      ->add_option("entity", o.entity, "KIND/KEY, for example symbol/SPY")
      ->required();
}

}  // namespace troupe::app
