#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "app/failure.hpp"
#include "app/settings.hpp"
#include "runtime/base/ids.hpp"

namespace troupe::app {

/// One command to one entity.
struct entity_command {
  entity_id to;
  std::string type;
  nlohmann::json body = nlohmann::json::object();
  std::string id{};      // Empty: a new one is made.
  bool tell_id = false;  // In the body, too: it is told in the events.
};

/// Gives a command to an entity by way of a node's admin actor, and repeats it with the same id
/// while the shard is being recovered, so that it has its effect once. Returns the answer. Throws
/// failure when it is a refusal, client_error when there is none in time.
nlohmann::json give_command(const settings& all, entity_command what);
/// The entity as its actor has it, committed. Throws as give_command does.
nlohmann::json entity_state(const settings& all, const entity_id& which);

/// Prints an answer: as JSON, or `said`.
int print_answer(const nlohmann::json& answer, bool as_json, const std::string& said);

/// `-` for null, texts without quotes and without control characters.
std::string text_of(const nlohmann::json& value);
/// Rows of objects as columns, each as wide as what stands in it.
void print_table(const nlohmann::json& rows, const std::vector<std::string>& columns);

/// `text` with `'` doubled, between `'`: a literal of SQL.
std::string sql_text(const std::string& text);

}  // namespace troupe::app
