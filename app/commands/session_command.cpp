#include <iostream>
#include <sstream>

#include "actors/trading/names.hpp"
#include "actors/trading/session_messages.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/entity_command.hpp"
#include "runtime/store/status_reader.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;

struct options {
  std::string file = "config/local/node-1.json";
  std::string name, id;
  std::string portfolio, strategy, period = "1m", size = "1", size_by = "quantity", from = "now";
  std::vector<std::string> symbols, parameters;
  bool as_json = false;
  int limit = 100;
};

entity_id session_of(const options& o) {
  return {std::string(trading::session_kind), o.name};
}

/// `fast=10`. What is no number stays a text, and is refused by name by the session.
json parameters_of(const options& o) {
  json all = json::object();
  for (const auto& one : o.parameters) {
    const auto equals = one.find('=');
    if (equals == std::string::npos || equals == 0)
      throw wrong_arguments("--param " + one + ": write NAME=NUMBER, for example fast=10");
    const auto name = one.substr(0, equals), text = one.substr(equals + 1);
    if (all.contains(name)) throw wrong_arguments("--param " + name + " is there twice");
    const auto value = json::parse(text, nullptr, false);
    all[name] = value.is_number() ? value : json(text);
  }
  return all;
}

std::vector<std::string> symbols_of(const options& o) {
  std::vector<std::string> all;
  for (const auto& one : o.symbols) {
    std::istringstream names(one + ',');
    for (std::string name; std::getline(names, name, ',');) {
      if (name.empty())
        throw wrong_arguments("--symbols " + one + ": a name is missing; write it as SPY,IBM");
      all.push_back(name);
    }
  }
  return all;
}

int create(const options& o) {
  const json body{{"portfolio", o.portfolio},
                  {"strategy", o.strategy},
                  {"symbols", symbols_of(o)},
                  {"parameters", parameters_of(o)},
                  {"period", o.period},
                  {"size", {{"by", o.size_by}, {"amount", o.size}}},
                  {"from", o.from}};
  const auto answer =
      give_command(read_settings(o.file), {session_of(o), "create", body, o.id, true});
  return print_answer(
      answer, o.as_json,
      "session " + o.name + " is created; `troupe session start " + o.name + "` lets it trade");
}

int obey(const options& o, const std::string& type) {
  const auto answer =
      give_command(read_settings(o.file), {session_of(o), type, json::object(), o.id, true});
  return print_answer(answer, o.as_json, "session " + o.name + " is " + answer.value("phase", ""));
}

int list(const options& o) {
  store::status_reader reader(read_settings(o.file).cluster.postgres.dsn);
  const auto rows = json::parse(reader.read_json(
      "select session, phase, portfolio, strategy, parameters, period, array_to_string(symbols, "
      "',') as symbols, requests, open_orders, created_at, commanded_at from sessions order by "
      "session"));
  if (o.as_json)
    std::cout << rows.dump() << '\n';
  else
    print_table(rows, {"session", "phase", "portfolio", "strategy", "symbols", "period", "requests",
                       "open_orders"});
  return 0;
}

void print_session(const json& state) {
  const auto& settings = state.at("settings");
  std::cout << "session " << text_of(settings.at("name")) << " is " << text_of(state.at("phase"))
            << "\n  strategy " << text_of(settings.at("strategy")) << ' '
            << settings.at("parameters").dump() << " on bars of " << text_of(settings.at("bars"))
            << "\n  portfolio " << text_of(settings.at("portfolio")) << ", requests "
            << state.at("last_number") << '\n';
  for (const auto& symbol : state.at("symbols")) {
    std::cout << "  " << text_of(symbol.at("instrument").at("symbol")) << ": position "
              << text_of(symbol.at("position")) << ", last price "
              << symbol.at("now").value("last", "-") << ", read up to offset "
              << symbol.at("cursor") << ", " << symbol.at("open").size() << " open order(s)\n";
  }
}

int show(const options& o) {
  const auto answer = entity_state(read_settings(o.file), session_of(o));
  if (o.as_json) return print_answer(answer, true, "");
  print_session(answer.at("state").at("session"));
  return 0;
}

int trades(const options& o) {
  store::status_reader reader(read_settings(o.file).cluster.postgres.dsn);
  auto rows = json::parse(reader.read_json(
      "select time, symbol, side, quantity, price, fee, \"order\", id from fills where session = " +
      sql_text(o.name) + " order by time, portfolio, \"order\", id limit " +
      std::to_string(o.limit + 1)));
  if (rows.empty() && !trading::is_by_hand(o.name) &&
      json::parse(reader.read_json("select 1 from sessions where session = " + sql_text(o.name)))
          .empty())
    throw failure("unknown_session", o.name + ": `troupe session list` tells which there are");
  const bool cut = rows.size() > static_cast<std::size_t>(o.limit);
  if (cut) rows.erase(static_cast<std::size_t>(o.limit));
  if (o.as_json)
    std::cout << rows.dump() << '\n';
  else
    print_table(rows, {"time", "symbol", "side", "quantity", "price", "fee", "order"});
  if (!o.as_json && rows.empty()) std::cerr << "no fills of session " << printable(o.name) << '\n';
  if (cut && !o.as_json) std::cout << "the first " << o.limit << ", by time; --limit shows more\n";
  return 0;
}

template <class Work>
CLI::App* add(CLI::App& to, int& exit_code, const std::string& name, const char* text, options& o,
              Work work) {
  auto* command = to.add_subcommand(name, text);
  add_config_option(*command, o.file);
  command->add_flag("--json", o.as_json, "JSON instead of text");
  on_run(*command, exit_code, [work, &o] { return work(o); });
  return command;
}

void add_name(CLI::App& to, options& o) {
  to.add_option("session", o.name, "Its name")->required();
}

void add_create(CLI::App& session, int& exit_code, options& o) {
  auto* command =
      add(session, exit_code, "create", "A new session; it trades once it is started", o, create);
  command->add_option("--name", o.name, "1 to 64 of letters, digits, _, - and .")->required();
  command->add_option("--portfolio", o.portfolio, "Whose cash and positions it trades")->required();
  command->add_option("--strategy", o.strategy, "One of " + trading::strategy_names())->required();
  command->add_option("--symbols", o.symbols, "Such as SPY,IBM: what it follows and trades")
      ->required()
      ->allow_extra_args(false);
  command
      ->add_option("--param", o.parameters,
                   "NAME=NUMBER of the strategy, such as fast=10; repeatable")
      ->allow_extra_args(false);
  command->add_option("--period", o.period, "Length of its bars: 1s, 1m, 5m, 15m, 1h, 1d")
      ->capture_default_str();
  command
      ->add_option(
          "--size", o.size,
          "How much an order trades where the strategy does not say: a decimal, by --size-by")
      ->capture_default_str();
  command
      ->add_option("--size-by", o.size_by,
                   "What that is: quantity (units), notional (money), percent_of_equity, or "
                   "volatility_target (percent of equity that one day's deviation is to be)")
      ->capture_default_str();
  command
      ->add_option(
          "--from", o.from,
          "Where it begins to read its symbols: now (what comes after the start), beginning, or "
          "an offset of the log")
      ->capture_default_str();
  add_id_option(*command, o.id);
}

}  // namespace

void add_session_command(CLI::App& app, int& exit_code) {
  static options o;
  auto* session = app.add_subcommand(
      "session", "Trading sessions: a strategy at work on symbols, for a portfolio");
  session->require_subcommand(1);
  add_create(*session, exit_code, o);
  const std::vector<std::pair<std::string, const char*>> commands{
      {"start", "Lets a created session trade"},
      {"pause", "It goes on to follow the market and asks for nothing; its orders stay"},
      {"resume", "Lets a paused session trade again"},
      {"stop", "Ends its trading: open orders are canceled, positions stay"},
      {"delete", "Ends a created or stopped session for ever; its name is not used again"}};
  for (const auto& [name, text] : commands) {
    auto* command = add(*session, exit_code, name, text, o,
                        [type = name](const options& given) { return obey(given, type); });
    add_name(*command, o);
    add_id_option(*command, o.id);
  }
  add(*session, exit_code, "list", "All sessions, as last committed", o, list);
  add_name(*add(*session, exit_code, "show", "One session, committed, asked of its actor", o, show),
           o);
  auto* fills =
      add(*session, exit_code, "trades", "The fills of its orders, oldest first", o, trades);
  add_name(*fills, o);
  fills->add_option("--limit", o.limit, "At most so many")
      ->capture_default_str()
      ->check(whole_number(1, 1'000'000));
}

}  // namespace troupe::app
