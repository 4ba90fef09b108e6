#include "app/commands/entity_command.hpp"

#include <array>
#include <cstdio>
#include <iomanip>
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

/// The shard is on its way to another owner, or the database away for a moment. With shard_failed
/// and lease_lost nobody knows whether the command had its effect: repeated with its id it has one.
bool passes(const json& answer) {
  const auto error = answer.is_object() ? answer.value("error", "") : "";
  return error.ends_with("_unavailable") || error == "timeout" || error == "busy" ||
         error == "shard_failed" || error == "lease_lost";
}

}  // namespace

json give_command(const settings& all, entity_command what) {
  if (what.id.empty()) what.id = new_id();
  if (what.tell_id) what.body["id"] = what.id;
  const json request{{"verb", "ask"},
                     {"entity", to_string(what.to)},
                     {"type", what.type},
                     {"body", what.body},
                     {"id", what.id}};
  const auto until = std::chrono::steady_clock::now() + tried_for;
  while (true) {
    auto answer = client(all).ask(request);
    if (!passes(answer) || std::chrono::steady_clock::now() > until) {
      throw_refusal(answer);
      return answer;
    }
    std::this_thread::sleep_for(between_tries);
  }
}

json entity_state(const settings& all, const entity_id& which) {
  auto answer = client(all).ask({{"verb", "show"}, {"entity", to_string(which)}});
  throw_refusal(answer);
  return answer;
}

int print_answer(const json& answer, bool as_json, const std::string& said) {
  std::cout << (as_json ? answer.dump(-1, ' ', false, json::error_handler_t::replace)
                        : printable(said))
            << '\n';
  return 0;
}

std::string text_of(const json& value) {
  return value.is_null()     ? "-"
         : value.is_string() ? printable(value.get_ref<const std::string&>())
                             : value.dump();
}

void print_table(const json& rows, const std::vector<std::string>& columns) {
  std::vector<std::size_t> widths;
  for (const auto& column : columns) {
    auto width = column.size();
    for (const auto& row : rows) width = std::max(width, text_of(row.at(column)).size());
    widths.push_back(width);
  }
  const auto line = [&](const auto& cell) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      std::cout << (i == 0 ? "" : "  ") << std::left << std::setw(static_cast<int>(widths[i]))
                << cell(columns[i]);
    std::cout << '\n';
  };
  line([](const std::string& column) { return column; });
  for (const auto& row : rows)
    line([&](const std::string& column) { return text_of(row.at(column)); });
}

std::string sql_text(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + '\'';
}

}  // namespace troupe::app
