#include "app/commands/entity_command.hpp"

#include <array>
#include <cstdio>
#include <iostream>
#include <random>
#include <thread>

#include "app/client.hpp"
#include "app/commands/commands.hpp"

namespace troupe::app {

using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr auto tried_for = 30s;
constexpr auto between_tries = 200ms;

std::string new_id() {
  std::random_device random;
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "cli-%08x%08x%08x", random(), random(), random());
  return text.data();
}

/// The shard is on its way to another owner, or the database away for a moment.
bool passes(const json& answer) {
  const auto error = answer.is_object() ? answer.value("error", "") : "";
  return error.ends_with("_unavailable") || error == "timeout" || error == "busy";
}

}  // namespace

settings load_settings_or_throw(const std::string& file) {
  auto all = load_settings(file);
  if (!all) throw client_error("the config cannot be used");
  return std::move(*all);
}

json give_command(const settings& all, entity_command what) {
  if (what.id.empty()) what.id = new_id();
  what.body["id"] = what.id;
  const json request{{"verb", "ask"},
                     {"entity", to_string(what.to)},
                     {"type", what.type},
                     {"body", what.body},
                     {"id", what.id}};
  const auto until = std::chrono::steady_clock::now() + tried_for;
  while (true) {
    auto answer = client(all).ask(request);
    if (!passes(answer) || std::chrono::steady_clock::now() > until) return answer;
    std::this_thread::sleep_for(between_tries);
  }
}

int print_answer(const char* command, const json& answer, bool as_json, const std::string& said) {
  const bool failed = answer.is_object() && answer.contains("error");
  if (as_json) {
    std::cout << answer.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
  } else if (failed) {
    std::cerr << "troupe " << command << ": " << answer.at("error").get<std::string>() << ": "
              << answer.value("detail", "") << '\n';
  } else {
    std::cout << said << '\n';
  }
  return failed ? exit_failed : 0;
}

std::string sql_text(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + '\'';
}

}  // namespace troupe::app
