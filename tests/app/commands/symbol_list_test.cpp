#include <doctest/doctest.h>

#include <sstream>

#include "tests/support/node_process.hpp"

using namespace troupe;
using strings = std::vector<std::string>;

namespace {

strings words_of(const std::string& line) {
  std::istringstream in(line);
  strings words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace

TEST_CASE("symbol list keeps its columns apart, however long names and numbers are") {
  const test::cluster_folder cluster("");
  REQUIRE(test::run_troupe({"migrate", "--config", cluster.node_config()}).exit_code == 0);
  const std::string long_name(32, 'X');
  cluster.database().run(
      "insert into entity(shard, kind, key, schema, state) values "
      "(0, 'symbol', 'A', 1, '{\"trades\": 10, \"volume\": \"50000000008.00000001\", "
      "\"last_price\": \"12345678901.12345678\", \"last_time\": 1000000, "
      "\"refused\": 123456789012}'), "
      "(0, 'symbol', '" +
      long_name + "', 1, '{\"trades\": 0, \"volume\": \"0\", \"refused\": 0}')");
  const auto list = test::run_troupe({"symbol", "list", "--config", cluster.node_config()});
  CAPTURE(list.output);
  REQUIRE(list.exit_code == 0);
  std::istringstream in(list.output);
  strings lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  REQUIRE(lines.size() == 3);
  const strings header{"symbol", "trades", "volume", "last_price", "refused", "last_time"};
  CHECK(words_of(lines[0]) == header);
  CHECK(words_of(lines[1]) == strings{"A", "10", "50000000008.00000001", "12345678901.12345678",
                                      "123456789012", "1970-01-01T00:00:01+00:00"});
  CHECK(words_of(lines[2]) == strings{long_name, "0", "0", "-", "0", "-"});
  for (const auto& column : header) {  // Each begins where its name stands.
    const auto at = lines[0].find(column);
    for (const auto& line : lines) {
      CAPTURE(column);
      CHECK(line[at] != ' ');
      CHECK((at == 0 || line[at - 1] == ' '));
    }
  }
}
