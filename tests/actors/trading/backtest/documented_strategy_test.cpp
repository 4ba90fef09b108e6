#include <doctest/doctest.h>

#include "rig.hpp"

namespace troupe::trading {
strategy_def dip_buyer_def();
}

namespace troupe::trading::test {

TEST_CASE("the strategy of docs/strategies.md buys dips and sells at two percent") {
  if (find_strategy("dip_buyer") == nullptr) add_strategy(dip_buyer_def());
  rig r(settings_for("dip_buyer", {}));
  for (const double close : {100.0, 99.0, 98.0, 99.0, 98.0, 97.0, 96.0, 96.5, 97.0, 98.0, 97.5})
    r.bar(close);
  CHECK(r.decisions == std::vector<decided>{{6, side::buy}, {9, side::sell}});
  CHECK(r.s.position(0) == fixed());
  const auto saved = r.s.save();
  CHECK(session::load(saved, session_schema)->save() == saved);
}

TEST_CASE("two strategies of one name are a defect") {
  CHECK_THROWS(add_strategy(*find_strategy("macd")));
}

}  // namespace troupe::trading::test
