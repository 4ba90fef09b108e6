#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "actors/trading/portfolio_entity.hpp"
#include "actors/trading/trading_tables.hpp"
#include "trading_support.hpp"

namespace troupe::trading::test {

inline risk_limits generous() {
  risk_limits limits;
  limits.symbols["SPY"].short_max = dec("1000");
  return limits;
}

/// One shard: delivers what the entities tell each other at once, and keeps what goes elsewhere.
class shard {
 public:
  explicit shard(const notice_rules& notices = {}) {
    kinds["risk"] = make_risk_kind([](std::string_view) { return generous(); }, notices);
    kinds["portfolio"] = make_portfolio_kind(notices.fills);
  }

  /// The answer to a message.
  nlohmann::json send(std::string kind, std::string type, nlohmann::json body,
                      std::string portfolio = "p1") {
    answer = nullptr;
    waiting.push_back(
        {{std::move(kind), std::move(portfolio)}, {std::move(type), std::move(body)}});
    while (!waiting.empty()) {
      auto next = std::move(waiting.front());
      waiting.pop_front();
      deliver(next);
    }
    return answer;
  }
  strings taken() { return std::exchange(outside, {}); }
  std::size_t rows_of(const table_def& table) const {
    std::size_t sum = 0;
    for (const auto& b : blocks)
      if (&b.table() == &table) sum += b.rows();
    return sum;
  }
  /// A text cell of the newest row of a table.
  std::string cell(const table_def& table, std::size_t column) const {
    for (auto b = blocks.rbegin(); b != blocks.rend(); ++b)
      if (&b->table() == &table) return std::get<std::string>(b->column(column).back());
    return {};
  }
  /// Every entity is saved and made anew.
  void restart() {
    for (auto& [id, one] : entities) {
      const auto text = one->save();
      auto again = kinds.at(id.first).make({id.first, id.second});
      again->load(text, kinds.at(id.first).schema);
      CHECK(again->save() == text);
      one = std::move(again);
    }
  }

  std::vector<effects::published> records;
  std::vector<row_block> blocks;
  time_point now = from_micros(begin_micros);

 private:
  void deliver(const effects::told& what) {
    if (!kinds.contains(what.to.kind)) {
      outside.push_back(what.to.kind + "/" + what.to.key + " " + what.what.type + " " +
                        what.what.body.dump());
      return;
    }
    auto& one = entities[{what.to.kind, what.to.key}];
    if (!one) one = kinds.at(what.to.kind).make(what.to);
    effects out;
    one->handle(what.what, {what.to, now}, out);
    for (auto& t : out.tells) waiting.push_back(std::move(t));
    for (auto& r : out.records) records.push_back(std::move(r));
    for (auto& b : out.blocks) blocks.push_back(std::move(b));
    if (out.answer && answer.is_null()) answer = *out.answer;  // The first of a unit counts.
  }

  std::map<std::string, kind_def> kinds;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<entity>> entities;
  std::deque<effects::told> waiting;
  strings outside;
  nlohmann::json answer;
};

inline nlohmann::json body_of(const order_request& r) {
  return json_of(r);
}

inline nlohmann::json reports_of(const order_report& r) {
  return {{"reports", {json_of(r)}}, {"symbol", "SPY"}};
}

}  // namespace troupe::trading::test
