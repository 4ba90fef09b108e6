#include <cstdlib>
#include <iostream>

#include "actors/trading/names.hpp"
#include "actors/trading/risk_entity.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/entity_command.hpp"
#include "runtime/codec/json.hpp"
#include "runtime/store/status_reader.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;

struct options {
  std::string file = "config/local/node-1.json";
  std::string portfolio, session, order, by, reason, id, cash, request, venue = "paper";
  std::vector<std::string> changes;
  bool as_json = false, open = false, cancel_orders = false;
  int limit = 100;
};

std::string operator_name(const options& o) {
  if (!o.by.empty()) return o.by;
  const auto* user = std::getenv("USER");
  return user == nullptr || *user == '\0' ? "operator" : user;
}

entity_id risk_of(const options& o) {
  return {std::string(trading::risk_kind), o.portfolio};
}

json read(const options& o, const std::string& query) {
  store::status_reader reader(read_settings(o.file).cluster.postgres.dsn);
  return json::parse(reader.read_json(query));
}

json order_of(const options& o) {
  return {{"by", operator_name(o)}, {"reason", o.reason}};
}

// ---- risk ---------------------------------------------------------------------------------------

int risk_show(const options& o) {
  const auto answer =
      give_command(read_settings(o.file), {risk_of(o), "show", json::object(), o.id});
  return print_answer(answer, o.as_json, answer.contains("risk") ? answer.at("risk").dump(2) : "");
}

/// A number, true, false and null as they are, anything else as a text.
json value_of(const std::string& text) {
  const auto value = json::parse(text, nullptr, false);
  const bool plain =
      value.is_null() || value.is_boolean() || (value.is_number_integer() && text[0] != '-');
  return plain ? value : json(text);
}

/// `open_orders_max=5`, `symbols.SPY.position_max=100`, `daily_loss_max=null`. Symbols may have
/// dots and equals signs of their own. What is no limit is refused by the risk check.
json changes_of(const options& o) {
  json all = json::object();
  for (const auto& one : o.changes) {
    const auto member = [&one](json& of, const std::string& name) -> json& {
      if (!of.is_null() && !of.is_object())
        throw wrong_arguments(one + ": contradicts another of the changes");
      return of[name];
    };
    const auto equals = one.rfind('=');
    if (equals == std::string::npos || equals == 0)
      throw wrong_arguments(one + ": write LIMIT=VALUE, for example open_orders_max=5");
    const auto path = one.substr(0, equals);
    constexpr std::string_view symbols = "symbols.";
    const auto last = path.rfind('.');
    if (!path.starts_with(symbols)) {
      member(all, path) = value_of(one.substr(equals + 1));
    } else if (last < symbols.size()) {
      member(member(all, "symbols"), path.substr(symbols.size())) =
          value_of(one.substr(equals + 1));
    } else {
      const auto symbol = path.substr(symbols.size(), last - symbols.size());
      member(member(member(all, "symbols"), symbol), path.substr(last + 1)) =
          value_of(one.substr(equals + 1));
    }
  }
  return all;
}

/// Limits and states can be set before a portfolio begins; so can those of a misspelt one.
std::string warning_of(const options& o, const json& answer) try {
  const auto query = "select 1 as one from portfolios where portfolio = " + sql_text(o.portfolio);
  if (answer.contains("error") || !read(o, query).empty()) return {};
  return "\nno portfolio " + o.portfolio + " is open; `troupe portfolio list` has those that are";
} catch (const std::exception&) {
  return {};  // What was ordered has been done all the same.
}

int risk_set(const options& o) {
  auto body = order_of(o);
  body["limits"] = changes_of(o);
  const auto answer = give_command(read_settings(o.file), {risk_of(o), "set_limits", body, o.id});
  return print_answer(answer, o.as_json,
                      "the limits of " + o.portfolio + " are set" + warning_of(o, answer));
}

/// What becomes of the open orders.
std::string fate_of_orders(const json& answer) {
  const auto open = answer.value("open_orders", std::int64_t{0});
  if (open == 0 || answer.value("state", "") == "active") return {};
  const auto orders = std::to_string(open) + (open == 1 ? " open order" : " open orders");
  if (answer.value("cancel_orders", false)) return "; the venue is asked to cancel " + orders;
  return "; " + orders + (open == 1 ? " stays" : " stay") + ", --cancel-orders cancels " +
         (open == 1 ? "it" : "them");
}

int set_state(const options& o, const char* state) {
  auto body = order_of(o);
  body["state"] = state;
  if (o.cancel_orders) body["cancel_orders"] = true;
  const auto answer = give_command(read_settings(o.file), {risk_of(o), "set_state", body, o.id});
  return print_answer(answer, o.as_json,
                      "trading of " + o.portfolio + " is " +
                          text_of(answer.value("state", json())) + fate_of_orders(answer) +
                          warning_of(o, answer));
}

// ---- portfolios and orders ----------------------------------------------------------------------

int portfolio_list(const options& o) {
  const auto rows = read(o, "select * from portfolios order by portfolio");
  if (o.as_json)
    std::cout << rows.dump() << '\n';
  else
    print_table(rows, {"portfolio", "venue", "initial", "cash", "equity", "realised", "unrealised",
                       "fees", "orders"});
  return 0;
}

int portfolio_show(const options& o) {
  const auto where = " where portfolio = " + sql_text(o.portfolio);
  const auto found = read(o, "select * from portfolios" + where);
  if (found.empty())
    throw failure("unknown_portfolio", "there is no portfolio " + o.portfolio +
                                           ": `troupe portfolio list` tells those there are");
  const auto positions = read(o, "select * from positions" + where + " order by symbol");
  if (o.as_json) {
    auto whole = found[0];
    whole["positions"] = positions;
    std::cout << whole.dump() << '\n';
    return 0;
  }
  print_table(found, {"portfolio", "venue", "initial", "cash", "equity", "realised", "unrealised",
                      "fees", "orders"});
  std::cout << '\n';
  print_table(positions, {"symbol", "quantity", "entry_price", "mark", "unrealised", "realised",
                          "fees", "fills"});
  return 0;
}

int portfolio_open(const options& o) {
  json body{{"venue", o.venue}};
  if (!o.cash.empty()) body["cash"] = o.cash;
  const auto answer = give_command(
      read_settings(o.file),
      {{std::string(trading::portfolio_kind), o.portfolio}, "open_portfolio", body, o.id});
  return print_answer(
      answer, o.as_json,
      "portfolio " + o.portfolio + " begins with " + text_of(answer.value("cash", json())));
}

/// The figures of a verdict; where it has none, where to look.
std::string why_refused(const options& o, const json& verdict) {
  if (auto told = verdict.value("detail", ""); !told.empty()) return told;
  const auto code = text_of(verdict.at("refused"));
  if (code == "halted" || code == "reducing")
    return "by an operator: `troupe risk resume " + o.portfolio + "` lets " + o.portfolio +
           " trade again";
  return "docs/orders.md explains this code; `troupe risk show " + o.portfolio +
         "` has limits and state";
}

/// An order by hand. It has no session that could hold the paper venue back.
int order_submit(const options& o) {
  const auto all = read_settings(o.file);
  const auto [request, wrong] = parse_json_object(o.request);
  if (!wrong.empty())
    throw wrong_arguments("the request " + wrong +
                          ": it is one JSON object in one argument, such as '{\"session\": "
                          "\"by-hand\", ...}'; `troupe order submit --help` has a whole one");
  const auto answer = give_command(all, {risk_of(o), "submit_order_by_hand", request, o.id});
  if (answer.contains("refused"))
    throw failure(text_of(answer.at("refused")), why_refused(o, answer));
  return print_answer(answer, o.as_json,
                      "approved, quantity " + text_of(answer.value("quantity", json())));
}

/// An empty list of a misspelt name would pass for one without orders.
void check_names(const options& o) {
  if (!o.portfolio.empty() &&
      read(o, "select 1 from portfolios where portfolio = " + sql_text(o.portfolio)).empty())
    throw failure("unknown_portfolio",
                  o.portfolio + " is not open: `troupe portfolio list` tells which are");
  if (!o.session.empty() && !trading::is_by_hand(o.session) &&
      read(o, "select 1 from sessions where session = " + sql_text(o.session)).empty())
    throw failure("unknown_session", o.session + ": `troupe session list` tells which there are");
}

int order_list(const options& o) {
  std::string where = " where true";
  if (!o.portfolio.empty()) where += " and portfolio = " + sql_text(o.portfolio);
  if (!o.session.empty()) where += " and session = " + sql_text(o.session);
  if (o.open) where += " and status in ('pending', 'working', 'partially_filled')";
  auto rows = read(o, "select * from orders" + where + " order by portfolio, number limit " +
                          std::to_string(o.limit + 1));
  if (rows.empty()) check_names(o);
  const bool cut = rows.size() > static_cast<std::size_t>(o.limit);
  if (cut) rows.erase(static_cast<std::size_t>(o.limit));
  if (o.as_json)
    std::cout << rows.dump() << '\n';
  else
    print_table(rows, {"id", "session", "symbol", "side", "type", "quantity", "limit_price",
                       "status", "filled", "average_price", "fees"});
  if (cut && !o.as_json)
    std::cout << "the first " << o.limit << ", by portfolio and number; --limit shows more\n";
  return 0;
}

int order_cancel(const options& o) {
  const auto dash = o.order.rfind('-');
  if (dash == std::string::npos)
    throw wrong_arguments(o.order + ": an order's id is PORTFOLIO-NUMBER, for example p1-3");
  const auto portfolio = o.order.substr(0, dash);
  const auto answer =
      give_command(read_settings(o.file), {{std::string(trading::portfolio_kind), portfolio},
                                           "cancel_order",
                                           {{"order", o.order}},
                                           o.id});
  if (const auto refused = answer.value("refused", "none"); refused != "none")
    throw failure(refused, "order " + o.order + ": `troupe order list --portfolio " + portfolio +
                               "` tells what there is and how it stands");
  return print_answer(answer, o.as_json, "the venue is asked to cancel " + o.order);
}

CLI::App* add(CLI::App& to, int& exit_code, const std::string& name, const char* text, options& o,
              std::function<int(const options&)> work) {
  auto* command = to.add_subcommand(name, text);
  add_config_option(*command, o.file);
  command->add_flag("--json", o.as_json, "JSON instead of text");
  on_run(*command, exit_code, [work = std::move(work), &o] { return work(o); });
  return command;
}

void add_risk(CLI::App& app, int& exit_code, options& o) {
  auto* risk = app.add_subcommand("risk", "The risk check of a portfolio: limits, trading state");
  risk->require_subcommand(1);
  const auto with_portfolio = [&o](CLI::App* command) {
    command->add_option("portfolio", o.portfolio, "Its name")->required();
    return command;
  };
  with_portfolio(
      add(*risk, exit_code, "show", "Limits, trading state and what counts now", o, risk_show));
  const auto changing = [&](const char* name, const char* text,
                            std::function<int(const options&)> work) {
    auto* command = with_portfolio(add(*risk, exit_code, name, text, o, std::move(work)));
    command->add_option("--by", o.by, "Who orders it (default: $USER)");
    command->add_option("--reason", o.reason, "Why; kept with the change");
    add_id_option(*command, o.id);
    return command;
  };
  changing("set", "Changes limits, at once; each change is kept in risk_audit", risk_set)
      ->add_option("changes", o.changes,
                   "LIMIT=VALUE as in config/risk_limits.json, such as open_orders_max=5 or "
                   "symbols.SPY.position_max=100; null takes a limit away")
      ->required();
  const auto stopping = [&](CLI::App* command) {
    command->add_flag("--cancel-orders", o.cancel_orders,
                      "Asks the venue to cancel all open orders; without it they stay");
  };
  stopping(changing("halt", "Lets no more orders pass; cancels always do",
                    [](const options& given) { return set_state(given, "halted"); }));
  stopping(changing("reduce", "Lets only orders pass that close positions",
                    [](const options& given) { return set_state(given, "reducing"); }));
  changing("resume",
           "Lets it trade again as the limits allow; forgets the peak of the drawdown limit",
           [](const options& given) { return set_state(given, "active"); });
}

}  // namespace

void add_trading_commands(CLI::App& app, int& exit_code) {
  static options o;
  add_risk(app, exit_code, o);
  auto* portfolio =
      app.add_subcommand("portfolio", "Portfolios: cash and positions, as last committed");
  portfolio->require_subcommand(1);
  add(*portfolio, exit_code, "list", "All portfolios", o, portfolio_list);
  add(*portfolio, exit_code, "show", "One portfolio with its positions", o, portfolio_show)
      ->add_option("portfolio", o.portfolio, "Its name")
      ->required();
  auto* open =
      add(*portfolio, exit_code, "open", "A new portfolio, with its cash", o, portfolio_open);
  open->add_option("portfolio", o.portfolio, "Its name")->required();
  open->add_option("--cash", o.cash, "Money that it begins with: a decimal, 0 or more")->required();
  open->add_option("--venue", o.venue,
                   "Where its orders go: paper (the built-in venue), or orders (the topic, "
                   "for a gateway of your own)")
      ->capture_default_str();
  add_id_option(*open, o.id);
  auto* order = app.add_subcommand("order", "Orders: the list, one by hand, cancelling one");
  order->require_subcommand(1);
  auto* list = add(*order, exit_code, "list", "Orders, by portfolio and number", o, order_list);
  list->add_option("--portfolio", o.portfolio, "Only of this portfolio");
  list->add_option("--session", o.session, "Only of this session");
  list->add_flag("--open", o.open, "Only those that have not ended");
  list->add_option("--limit", o.limit, "At most so many")
      ->capture_default_str()
      ->check(whole_number(1, 1'000'000));
  auto* submit =
      add(*order, exit_code, "submit",
          "An order by hand, through the risk check; prints the verdict", o, order_submit);
  submit->add_option("--portfolio", o.portfolio, "Whose risk check judges it")->required();
  add_id_option(*submit, o.id);
  submit
      ->add_option(
          "request", o.request,
          "As one JSON object: session, number, symbol, side, type, amount, decided, and what "
          "the type needs; see below")
      ->required();
  auto* cancel =
      add(*order, exit_code, "cancel", "Asks the venue to cancel an order", o, order_cancel);
  cancel->add_option("order", o.order, "Its id, such as p1-3")->required();
  add_id_option(*cancel, o.id);
}

}  // namespace troupe::app
