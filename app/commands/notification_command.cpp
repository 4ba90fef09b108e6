#include <chrono>
#include <iostream>
#include <thread>

#include "actors/ops/notification_entity.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/commands/entity_command.hpp"
#include "runtime/store/status_reader.hpp"

namespace troupe::app {

namespace {

using nlohmann::json;

struct options {
  std::string file = "config/local/node-1.json";
  std::string channel;
  int wait_s = 30;
  bool as_json = false;
};

std::string names_of_channels(const settings& all) {
  std::string known;
  for (const auto& [name, one] : all.notifications.channels)
    known += (known.empty() ? "" : ", ") + name;
  return known.empty() ? "none" : known;
}

/// Reads the config; the channel must be in it.
settings settings_with_channel(const options& o) {
  auto all = read_settings(o.file);
  if (all.notifications.channels.contains(o.channel)) return all;
  throw failure("unknown_channel",
                "the config has no channel " + o.channel + " in notifications.channels; it has " +
                    names_of_channels(all) + ": write it there, and start the nodes again");
}

entity_id channel_of(const options& o) {
  return {std::string(trading::notification_kind), o.channel};
}

/// Channels of the config, and those that once were and still have a state.
int list(const options& o) {
  const auto all = read_settings(o.file);
  store::status_reader reader(all.cluster.postgres.dsn);
  auto rows = json::parse(reader.read_json("select * from notifications order by channel"));
  for (const auto& [name, one] : all.notifications.channels) {
    const auto has_name = [&name = name](const json& row) { return row.at("channel") == name; };
    if (std::any_of(rows.begin(), rows.end(), has_name)) continue;
    rows.push_back({{"channel", name},
                    {"type", trading::name_of(one.type)},
                    {"delivered", 0},
                    {"waiting", 0},
                    {"dead", 0},
                    {"dead_by", json::object()},
                    {"repeated", 0},
                    {"delivered_at", nullptr},
                    {"last_error", ""}});
  }
  if (o.as_json)
    std::cout << rows.dump() << '\n';
  else
    print_table(rows,
                {"channel", "type", "delivered", "waiting", "dead", "delivered_at", "last_error"});
  return 0;
}

void print_channel(const std::string& name, const json& state) {
  std::cout << "channel " << name << " (" << text_of(state.at("type"))
            << "): " << state.at("delivered") << " delivered, " << state.at("waiting").size()
            << " waiting, " << state.at("dead") << " given up\n";
  for (const auto& one : state.at("waiting"))
    std::cout << "  waiting: " << text_of(one.at("id")) << ", " << one.at("attempts")
              << " attempt(s), " << text_of(one.at("error")) << '\n';
  for (const auto& one : state.at("last_dead"))
    std::cout << "  given up: " << text_of(one.at("id")) << ", " << text_of(one.at("reason"))
              << ", " << text_of(one.at("detail")) << '\n';
}

/// Of the config, or one that once was and still has a state.
bool is_channel(const settings& all, const options& o) {
  if (all.notifications.channels.contains(o.channel)) return true;
  store::status_reader reader(all.cluster.postgres.dsn);
  return !json::parse(reader.read_json("select 1 as found from notifications where channel = " +
                                       sql_text(o.channel)))
              .empty();
}

int show(const options& o) {
  const auto all = read_settings(o.file);
  if (!is_channel(all, o))
    throw failure("unknown_channel", "there is no channel " + o.channel + "; the config has " +
                                         names_of_channels(all));
  const auto answer = give_command(all, {channel_of(o), "show"});
  if (o.as_json) return print_answer(answer, true, "");
  print_channel(o.channel, answer);
  return 0;
}

/// Sends one and waits until it has ended.
int test(const options& o) {
  const auto all = settings_with_channel(o);
  const auto now = std::to_string(to_micros(wall_now()));
  const json notice{{"id", "test-" + now},
                    {"rule", ops::test_rule},
                    {"text", "a test of channel " + o.channel},
                    {"facts", json::object()}};
  auto answer = give_command(all, {channel_of(o), "notify", notice});
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(o.wait_s);
  while (true) {
    answer = give_command(all, {channel_of(o), "fate", {{"id", notice.at("id")}}});
    if (answer.value("state", "") != "waiting" || std::chrono::steady_clock::now() > until) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const auto state = answer.value("state", "");
  answer["id"] = notice.at("id");
  const auto failed = [&](const std::string& name, const std::string& detail) {
    throw failure(name, text_of(notice.at("id")) + ' ' + detail, answer);
  };
  if (state == "dead")
    failed(text_of(answer.at("reason")),
           "was given up: " + text_of(answer.value("detail", json())));
  if (state == "waiting")
    failed("not_delivered_yet", "is not delivered after " + std::to_string(o.wait_s) +
                                    " s, and goes on to be tried: `troupe notification show " +
                                    o.channel + "` tells how that ends");
  return print_answer(answer, o.as_json, text_of(notice.at("id")) + " is " + state);
}

CLI::App* add(CLI::App& to, int& exit_code, const std::string& name, const char* text, options& o,
              int (*work)(const options&)) {
  auto* command = to.add_subcommand(name, text);
  add_config_option(*command, o.file);
  command->add_flag("--json", o.as_json, "JSON instead of text");
  on_run(*command, exit_code, [work, &o] { return work(o); });
  return command;
}

}  // namespace

void add_notification_command(CLI::App& app, int& exit_code) {
  static options o;
  auto* notification =
      app.add_subcommand("notification", "Channels that tell the outside what happens");
  notification->require_subcommand(1);
  add(*notification, exit_code, "list", "All channels, as last committed", o, list);
  const auto named = [&](const char* name, const char* text, int (*work)(const options&)) {
    auto* command = add(*notification, exit_code, name, text, o, work);
    command->add_option("channel", o.channel, "Its name")->required();
    return command;
  };
  named("show", "One channel: what waits, and what was given up and why", show);
  named("test", "Sends a notification and says how it ended", test)
      ->add_option("--wait", o.wait_s, "Seconds after which it says that it is not delivered yet")
      ->capture_default_str()
      ->check(whole_number(1, 3600));
}

}  // namespace troupe::app
