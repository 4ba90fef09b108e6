#include <doctest/doctest.h>

#include "tests/fuzz/mutations.hpp"
#include "tests/fuzz/trading_checks.hpp"

using namespace troupe::trading;

namespace {

std::string repeated(std::string_view piece, std::size_t bytes) {
  std::string all;
  while (all.size() < bytes) all += piece;
  return all;
}

}  // namespace

TEST_CASE("the corpus and seeded damages of it break nothing") {
  const auto inputs = troupe::fuzz::corpus_of(TROUPE_CORPUS);
  REQUIRE(inputs.size() >= 30);
  for (const auto& input : inputs) CHECK_NOTHROW(fuzz::check(input));
  std::mt19937 random(20'141'008);
  for (int i = 0; i < 15'000; ++i) {
    CAPTURE(i);
    REQUIRE_NOTHROW(fuzz::check(troupe::fuzz::damaged_one(inputs, random)));
  }
}

TEST_CASE("a record of a megabyte of one thing breaks nothing, and is told in few words") {
  constexpr std::size_t megabyte = 1 << 20;
  const std::string command = R"({"to": "session/s1", "type": "create", "id": "a", "body": )",
                    report = R"({"what": "filled", "order": "p1-1", "trade": )";
  for (const auto* piece : {"[", "{\"a\":", "[[],", "\"", "{\"\\u0001\":1},", "-", "\xff"})
    for (const auto* kind : {"c", "f", "o", "l"})
      for (const auto& before : {std::string(), command, report})
        CHECK_NOTHROW(fuzz::check(kind + before + repeated(piece, megabyte)));
  std::string many;
  for (int i = 0; many.size() < megabyte - 100; ++i)
    many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
  for (const auto& input :
       {'f' + ("{" + many + "}"), 'o' + ("{" + many + "}"), 'l' + ("{" + many + "}"),
        'c' + command + "{" + many + "}}",
        'c' + command + R"({"portfolio": "p1", "strategy": "sma_cross", "symbols": ["SPY"],)" +
            R"("parameters": {)" + many + "}}}",
        R"(c{"to": "session/s1", "type": ")" + std::string(megabyte, '\\') + "\"}",
        R"(c{"to": "session/s1", "type": "start", "body": {"id": ")" + std::string(megabyte, 'x') +
            "\"}}"})
    CHECK_NOTHROW(fuzz::check(input));
}
