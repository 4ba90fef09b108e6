#include <doctest/doctest.h>

#include "market_support.hpp"

using namespace troupe;
using namespace troupe::market;
using namespace troupe::market::test;

namespace {

struct refusal_case {
  std::string payload;
  std::string reason;
  std::string detail = {};
  std::string key = "A";
  std::int64_t timestamp_ms = record_millis;
};

void check(const refusal_case& c) {
  const auto kept = decode_one(c.key, c.payload, c.timestamp_ms);
  INFO(c.payload.substr(0, 300));
  CHECK(kept.batches.empty());
  REQUIRE(kept.refusals.size() == 1);
  CHECK(kept.refusals[0].reason == c.reason);
  CHECK(kept.refusals[0].detail == c.detail);
  CHECK(kept.refusals[0].offset == 77);
}

/// A good own trade with one field replaced, or left out when `value` is empty.
std::string trade_with(const std::string& name, const std::string& value) {
  const std::pair<std::string, std::string> fields[] = {
      {"type", R"("trade")"}, {"symbol", R"("A")"}, {"time", "1000000"},
      {"price", R"("2")"},    {"size", R"("3")"},   {"id", "4"}};
  std::string text = "{";
  for (const auto& [field, good] : fields) {
    const auto& v = field == name ? value : good;
    if (!v.empty()) text += (text == "{" ? "\"" : ",\"") + field + "\":" + v;
  }
  return text + "}";
}

std::string bar_with(const std::string& name, const std::string& value) {
  const std::pair<std::string, std::string> fields[] = {
      {"type", R"("bar")"}, {"symbol", R"("A")"}, {"period", R"("1m")"}, {"time", "60000000"},
      {"open", "2"},        {"high", "4"},        {"low", "1"},          {"close", "3"},
      {"volume", "5"},      {"trades", "6"}};
  std::string text = "{";
  for (const auto& [field, good] : fields) {
    const auto& v = field == name ? value : good;
    if (!v.empty()) text += (text == "{" ? "\"" : ",\"") + field + "\":" + v;
  }
  return text + "}";
}

}  // namespace

TEST_CASE("the unchanged cases are taken") {
  CHECK(decode_one("A", trade_with("", "")).delivered() == 1);
  CHECK(decode_one("A", bar_with("", "")).delivered() == 1);
}

TEST_CASE("what is not one JSON object is malformed") {
  for (const std::string payload : {"",
                                    " ",
                                    "null",
                                    "1",
                                    "\"trade\"",
                                    "[]",
                                    "[{\"type\":\"trade\"}]",
                                    "{",
                                    "}",
                                    "{\"type\":}",
                                    "{\"type\" \"trade\"}",
                                    "{\"type\":\"trade\"",
                                    "{\"type\":\"trade}",
                                    "{\"type\":\"trade\"}{}",
                                    "{\"type\":\"trade\"} x",
                                    "{type:1}",
                                    "\xEF\xBB\xBF{}x",
                                    "{\"type\":\"tr\xFF\xFE\"}",
                                    "{\"symbol\":\"\xC3\x28\"}",
                                    "{\"a\":1 2}",
                                    "{\"a\":1,,}",
                                    "{\"a\"",
                                    "{1:2}"})
    check({payload, "malformed_json"});
  check({std::string("{\"type\":\"tr\0ade\"}", 17), "malformed_json"});
  check({std::string("\0\0\0\0", 4), "malformed_json"});
  check({std::string(5'000, '['), "malformed_json"});
  check({"{\"a\":" + std::string(5'000, '{'), "malformed_json"});
  check({"{\"a\":" + std::string(5'000, '[') + std::string(5'000, ']') + "}", "unknown_type"});
}

TEST_CASE("unknown type") {
  check({"{}", "unknown_type"});
  check({R"({"result":null,"id":1})", "unknown_type"});
  check({trade_with("type", R"("order")"), "unknown_type", "order"});
  check({trade_with("type", "7"), "unknown_type", "7"});
  check({trade_with("type", ""), "unknown_type"});
  check({trade_with("type", '"' + std::string(65, 'x') + '"'), "unknown_type"});
  check(
      {R"({"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"A","U":1,"u":2,"b":[],"a":[]}})",
       "unknown_type", "depthUpdate"});
  check({R"({"stream":"a@trade","data":[1,2]})", "unknown_type"});
  check({R"({"stream":"a@trade","data":null})", "unknown_type"});
}

TEST_CASE("symbol and key") {
  check({trade_with("symbol", ""), "missing_field", "symbol"});
  check({trade_with("symbol", "5"), "bad_field", "symbol"});
  check({trade_with("symbol", "{}"), "bad_field", "symbol"});
  check({trade_with("symbol", R"("")"), "symbol_invalid", "symbol", ""});
  const std::string longest(32, 'x'), too_long(33, 'x');
  CHECK(decode_one(longest, trade_with("symbol", '"' + longest + '"')).delivered() == 1);
  check({trade_with("symbol", '"' + too_long + '"'), "symbol_invalid", "symbol", too_long});
  check({trade_with("symbol", R"("A\u0000")"), "symbol_invalid", "symbol"});
  check({trade_with("symbol", R"("A\"")"), "symbol_invalid", "symbol", "A\""});
  check({trade_with("symbol", "\"A\x7F\""), "symbol_invalid", "symbol", "A\x7F"});
  check({trade_with("symbol", "\"A\xC2\x85\""), "symbol_invalid", "symbol", "A\xC2\x85"});
  std::string wide_symbol;
  for (int i = 0; i < 32; ++i) wide_symbol += "\xE5\xB8\x81";
  CHECK(decode_one(wide_symbol, trade_with("symbol", '"' + wide_symbol + '"')).delivered() == 1);
  check({trade_with("symbol", '"' + wide_symbol + "x\""), "symbol_invalid", "symbol",
         wide_symbol + "x"});
  check({trade_with("", ""), "wrong_key", "symbol", ""});
  check({trade_with("", ""), "wrong_key", "symbol", "B"});
  check({trade_with("", ""), "wrong_key", "symbol", "AA"});
  check({R"({"e":"trade","s":"X"})", "wrong_key", "s"});
  check({R"({"e":"trade"})", "missing_field", "s"});
}

TEST_CASE("each field of a trade is needed and checked") {
  for (const auto* name : {"time", "price", "size"}) {
    check({trade_with(name, ""), "missing_field", name});
    check({trade_with(name, "null"), "missing_field", name});
    for (const auto* bad : {"true", "{}", "[1]", "\"\"", "\"1 \"", "1e400", "-", "\"1,5\"", "nope"})
      check({trade_with(name, bad), "bad_field", name});
  }
  check({trade_with("price", "\"1.000000001\""), "bad_field", "price"});
  check({trade_with("time", "1.5"), "bad_field", "time"});
  check({trade_with("id", "\"x\""), "bad_field", "id"});
  check({trade_with("id", "-1"), "bad_field", "id"});
  check({trade_with("id", "99999999999999999999"), "bad_field", "id"});
}

TEST_CASE("prices, sizes and times have bounds") {
  for (const auto* price : {"0", "-1", "\"0.00000000\"", "100000000.00000001", "1000000000000000"})
    check({trade_with("price", price), "price_out_of_range", "price"});
  CHECK(decode_one("A", trade_with("price", "100000000")).delivered() == 1);
  for (const auto* size : {"0", "-0.5", "50000000000.00000001", "99999999999999999999"})
    check({trade_with("size", size), "size_out_of_range", "size"});
  CHECK(decode_one("A", trade_with("size", "50000000000")).delivered() == 1);
  for (const auto* time : {"-1", "4102444800000000", "9223372036854775807", "9223372036854775808"})
    check({trade_with("time", time), "time_out_of_range", "time"});
  CHECK(decode_one("A", trade_with("time", "4102444799999999")).delivered() == 1);
}

TEST_CASE("quotes") {
  const std::string head = R"({"type":"quote","symbol":"A","time":1,)";
  check({R"({"type":"quote","symbol":"A","time":1})", "missing_field", "bid_size"});
  check({head + R"("bid":"1"})", "missing_field", "bid_size"});
  check({head + R"("bid_size":"1"})", "missing_field", "bid"});
  check({head + R"("ask":"1"})", "missing_field", "ask_size"});
  check({head + R"("bid":"0","bid_size":"1"})", "price_out_of_range", "bid"});
  check({head + R"("bid":"-1","bid_size":"1"})", "price_out_of_range", "bid"});
  check({head + R"("bid":"1","bid_size":"-1"})", "size_out_of_range", "bid_size"});
  check({R"({"u":1,"s":"A","b":"1","B":"1","a":"1","A":"1"})", "time_out_of_range",
         "record timestamp", "A", -1});
  check({R"({"u":-1,"s":"A","b":"1","B":"1","a":"1","A":"1"})", "bad_field", "u"});
  check({R"({"stream":"a@bookTicker","data":{"s":"A","b":"1","B":"1","a":"1","A":"1"}})",
         "missing_field", "u"});
}

TEST_CASE("bars") {
  for (const auto* name : {"time", "open", "high", "low", "close", "volume", "period"})
    check({bar_with(name, ""), "missing_field", name});
  for (const auto* period : {R"("3m")", R"("")", "1", R"("1M")"})
    check({bar_with("period", period), "bad_field", "period"});
  check({bar_with("time", "60000001"), "bad_field", "time"});
  check({bar_with("high", "2.5"), "bad_field", "high"});
  check({bar_with("low", "2.5"), "bad_field", "low"});
  check({bar_with("volume", "-1"), "size_out_of_range", "volume"});
  check({bar_with("volume", "50000000000000001"), "size_out_of_range", "volume"});
  check({bar_with("trades", "-1"), "bad_field", "trades"});
  check(
      {R"({"e":"kline","s":"A","k":{"t":0,"i":"1m","o":"1","c":"1","h":"1","l":"1","v":"1","n":1}})",
       "missing_field", "k.x"});
  check(
      {R"({"e":"kline","s":"A","k":{"t":0,"i":"1m","o":"1","c":"1","h":"1","l":"1","v":"1","n":1,"x":1}})",
       "bad_field", "k.x"});
  check({R"({"e":"kline","s":"A","k":5})", "missing_field", "k.i"});
}

TEST_CASE("of a repeated field the last counts, and refusals come by precedence") {
  CHECK(
      decode_one(
          "A",
          R"({"type":"x","type":"trade","symbol":"B","symbol":"A","time":1,"price":0,"price":1,"size":1})")
          .delivered() == 1);
  check({R"({"type":"order","symbol":""})", "unknown_type", "order"});
  check({R"({"type":"trade","symbol":"","price":-1})", "symbol_invalid", "symbol"});
  check({R"({"type":"trade","symbol":"B","price":-1})", "wrong_key", "symbol"});
  check({R"({"type":"trade","symbol":"A","time":-1,"price":-1})", "time_out_of_range", "time"});
}
