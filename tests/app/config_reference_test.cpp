#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "app/settings.hpp"
#include "runtime/base/log.hpp"
#include "runtime/options/load.hpp"
#include "runtime/options/reader.hpp"

namespace troupe {
namespace {

std::string file_text(const std::string& path) {
  std::ifstream in(TROUPE_SOURCE_DIR "/" + path);
  REQUIRE_MESSAGE(in, path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string reference() {
  static app::settings all;
  return print_reference(app::domain_sections(all));
}

/// `lease.ttl_ms`, and `lease` itself.
void paths(const nlohmann::json& at, const std::string& prefix, known_options& out) {
  for (const auto& [key, value] : at.items()) {
    out[prefix + key] = value.dump();
    if (value.is_object()) paths(value, prefix + key + '.', out);
  }
}

/// What stands between backticks.
std::vector<std::string> code_words(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream in(text);
  std::string prose, code;
  while (std::getline(in, prose, '`') && std::getline(in, code, '`')) words.push_back(code);
  return words;
}

TEST_CASE("config/reference.json is what `troupe config reference` prints") {
  CHECK_MESSAGE(file_text("config/reference.json") == reference(),
                "print it again: troupe config reference > config/reference.json");
}

TEST_CASE("the reference holds defaults that the code has") {
  const auto all = nlohmann::json::parse(reference(), nullptr, true, true);
  CHECK(all["cluster"]["lease"]["ttl_ms"] == cluster_options{}.lease.ttl.count());
  CHECK(all["cluster"]["shards"] == cluster_options{}.shards);
  CHECK(all["cluster"]["market"]["periods"] == market::market_options{}.periods);
  CHECK(all["cluster"]["market"]["price_max"] == "100000000");
  CHECK(all["cluster"]["trading"]["cash"] == to_string(trading::trading_options{}.cash));
  CHECK(all["node"]["http"]["port"] == node_options{}.http.port);
}

TEST_CASE("reference and docs name the components that write lines") {
  std::string all;
  for (const auto name : log::components) all.append(all.empty() ? "of " : ", ").append(name);
  CHECK(file_text("docs/configuration.md").find("; " + all + " |") != std::string::npos);
  auto lines = reference();
  for (auto at = lines.find("\n      // "); at != std::string::npos; at = lines.find("\n      // "))
    lines.replace(at, std::string("\n      // ").size(), " ");
  CHECK(lines.find("Components with a level of their own, " + all + ".") != std::string::npos);
}

TEST_CASE("docs/configuration.md names no option that does not exist") {
  const auto all = nlohmann::json::parse(reference(), nullptr, true, true);
  known_options known;
  paths(all["cluster"], "", known);
  paths(all["node"], "", known);
  const auto text = file_text("docs/configuration.md");
  std::size_t named = 0;
  for (const auto& word : code_words(text)) {
    const bool is_option = word.find('.') != word.npos &&
                           word.find_first_not_of("abcdefghijklmnopqrstuvwxyz._") == word.npos &&
                           !word.ends_with(".json");
    if (!is_option) continue;
    ++named;
    CHECK_MESSAGE(known.contains(word), word);
  }
  CHECK(named > 15);
}

}  // namespace
}  // namespace troupe
