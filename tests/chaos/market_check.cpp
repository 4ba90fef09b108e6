#include "tests/chaos/market_check.hpp"

#include <doctest/doctest.h>

namespace troupe::test {

const market_outcome& undisturbed(const market_run::records& records) {
  static std::map<std::tuple<int, int, unsigned>, market_outcome> made;
  const std::tuple key{records.symbols, records.each, records.shards};
  auto it = made.find(key);
  if (it == made.end()) {
    market_run run({records.symbols, records.each, 1, records.shards});
    it = made.emplace(key, run.play({}, std::chrono::seconds(240))).first;
  }
  return it->second;
}

void check_outcome(const market_outcome& outcome, const market_run::records& records) {
  const auto& expected = undisturbed(records);
  for (const auto& [view, rows] : expected.tables) {
    CAPTURE(view);
    CHECK((outcome.tables.at(view) == rows));
  }
  for (const auto& [topic, lines] : expected.egress) {
    CAPTURE(topic);
    CHECK(outcome.egress.at(topic).size() == lines.size());
    CHECK((outcome.egress.at(topic) == lines));
  }
  CHECK(outcome.egress_defects.empty());
  CHECK(outcome.received + outcome.dead_letters == std::int64_t{records.symbols} * records.each);
}

}  // namespace troupe::test
