#include "app/backtest/market_files.hpp"

#include <doctest/doctest.h>

#include "app/failure.hpp"
#include "tests/app/feed/temp_folder.hpp"

using namespace troupe;
using namespace troupe::app;
using troupe::feed::test::temp_folder;

namespace {

const std::string daily = "date,open,high,low,close,volume\n";
const std::string by_time = "ts_ms,open,high,low,close,volume\n";
const std::string trades = "ts_ms,symbol,price,size\n";
const std::string quotes = "ts_ms,symbol,bid,bid_size,ask,ask_size\n";

loaded_market load(std::vector<std::string> files) {
  market_files from;
  from.files = std::move(files);
  return load_market(from);
}

/// What is told of one file's text, without its folder.
std::string refusal(const temp_folder& folder, const std::string& text, market_files from = {}) {
  from.files = {folder.write("X.csv", text)};
  try {
    load_market(from);
  } catch (const std::runtime_error& e) {
    std::string what = e.what();
    for (auto at = what.find(folder.path() + '/'); at != std::string::npos;
         at = what.find(folder.path() + '/'))
      what.erase(at, folder.path().size() + 1);
    return what;
  }
  return "nothing";
}

}  // namespace

TEST_CASE("daily bars: the symbol is the file's name, the columns stand in any order") {
  temp_folder folder;
  const auto path = folder.write("SPY.csv",
                                 "close,date,low,high,open,volume,more\n10.5,2024-01-02,9,11,10,"
                                 "1000,x\n\n12,2024-01-03,10,12,11,0,y\n");
  const auto market = load({path});
  REQUIRE(market.symbols.size() == 1);
  CHECK(market.bars == market::period::d1);
  CHECK(market.events == 2);
  const auto& spy = market.symbols[0];
  CHECK(spy.rules.symbol == "SPY");
  CHECK(spy.events[0].time == 1'704'153'600'000'000);
  CHECK(spy.events[1].offset == 1);
  CHECK(spy.details[0].close == *parse_fixed("10.5"));
  CHECK(spy.details[0].volume == parse_fixed("1000")->raw());
}

TEST_CASE("bars by time: their length is told by two without a gap between, or said") {
  temp_folder folder;
  const auto path =
      folder.write("b.csv", by_time + "0,1,1,1,1,0\n60000,1,1,1,1,0\n300000,1,1,1,1,0\n");
  const auto market = load({"EUR/USD=" + path});
  CHECK(market.symbols.at(0).rules.symbol == "EUR/USD");
  CHECK(market.bars == market::period::m1);
  CHECK(trading::known_at(market.symbols[0].events[2]) == 360'000'000);
  market_files said;
  said.bars = market::period::m15;
  const auto odd = by_time + "0,1,1,1,1,0\n1000000,1,1,1,1,0\n";
  CHECK(refusal(folder, odd) ==
        "X.csv: the least time between two bars (1000000 ms) is not the length of bars; say "
        "--period");
  CHECK(refusal(folder, odd, said) == "nothing");
  CHECK(refusal(folder, by_time + "0,1,1,1,1,0\n") ==
        "X.csv: the least time between two bars (there is one) is not the length of bars; say "
        "--period");
}

TEST_CASE("a gap in the first two bars is no length, and bars do not overlap") {
  temp_folder folder;
  const auto gap = by_time + "0,1,1,1,1,0\n3600000,1,1,1,1,0\n3660000,1,1,1,1,0\n";
  CHECK(load({"A=" + folder.write("b.csv", gap)}).bars == market::period::m1);
  market_files said;
  said.bars = market::period::m5;
  CHECK(refusal(folder, gap, said) ==
        "X.csv: two bars open 60000 ms apart; of 5m (--period) they would overlap");
}

TEST_CASE("a file of ticks that is given twice is refused, whatever its path") {
  temp_folder folder;
  const auto t = folder.write("t.csv", trades + "1000,SPY,10,1\n");
  CHECK_THROWS_WITH_AS(
      load({t, folder.path() + "/./t.csv"}),
      (folder.path() + "/./t.csv: is given twice; each trade would count twice").c_str(), failure);
}

TEST_CASE("a line that is no bar is refused with file, line and field") {
  temp_folder folder;
  const std::string good = "2024-01-02,10,11,9,10.5,1000\n";
  CHECK(refusal(folder, daily + good + "2024-13-02,10,11,9,10,1\n") ==
        "X.csv:3: date: \"2024-13-02\" is no date such as 2024-08-09");
  CHECK(refusal(folder, daily + "2024-01-02,10,11,9,1o,1\n") ==
        "X.csv:2: close: \"1o\" is no number of 0 to 92233720368 with at most 8 decimals");
  CHECK(refusal(folder, daily + "2024-01-02,0,11,9,10,1\n") ==
        "X.csv:2: open: a price must be above 0");
  CHECK(refusal(folder, daily + "2024-01-02,10,11,9,10,-1\n") ==
        "X.csv:2: volume: \"-1\" is no number of 0 to 92233720368 with at most 8 decimals");
  CHECK(refusal(folder, daily + "2024-01-02,10,11,9,12,1\n") ==
        "X.csv:2: open and close must lie between low and high");
  CHECK(refusal(folder, daily + "2024-01-02,10,11\n") == "X.csv:2: 3 fields, and the header has 6");
  CHECK(refusal(folder, daily + good + good) == "X.csv:3: date: not later than the bar before it");
  CHECK(refusal(folder, by_time + "-1,10,11,9,10,1\n") ==
        "X.csv:2: ts_ms: \"-1\" is no time in milliseconds since 1970");
  CHECK(refusal(folder, daily) == "X.csv: has a header and no bars");
  CHECK(refusal(folder, "date,open,high,low,close,close,volume\n2024-01-02,10,11,9,10,9,1\n") ==
        "X.csv:1: the header has the column close twice");
  CHECK(refusal(folder, "date,open,high,low,close,volume,x,x\n2024-01-02,10,11,9,10,1,,\n") ==
        "nothing");
  CHECK(refusal(folder, "ts_ms,symbol,price,price,size\n1,A,1,2,1\n") ==
        "X.csv:1: the header has the column price twice");
  CHECK(refusal(folder, "a,b\n1,2\n").find("is no kind of file that can be fed") !=
        std::string::npos);
}

TEST_CASE("trades and quotes of one symbol are merged by time, with offsets of their own") {
  temp_folder folder;
  const auto t = folder.write("t.csv", trades + "1000,SPY,10,1\n3000,SPY,11,1\n3000,IBM,20,1\n");
  const auto q = folder.write("q.csv", quotes + "2000,SPY,9.9,5,10.1,6\n3000,SPY,10.9,5,11.1,6\n");
  const auto market = load({t, q});
  REQUIRE(market.symbols.size() == 2);
  const auto& spy = market.symbols[0].events;
  REQUIRE(spy.size() == 4);
  CHECK(spy[1].kind == market::event_kind::quote);
  CHECK(spy[2].kind == market::event_kind::trade);  // At equal times the first file goes first.
  CHECK(spy[3].ask == *parse_fixed("11.1"));
  for (std::size_t i = 0; i < spy.size(); ++i) CHECK(spy[i].offset == static_cast<std::int64_t>(i));
  CHECK(market.bars == market::period::m1);
}

TEST_CASE(
    "only the symbols asked for, in their order; one that the data does not have is refused") {
  temp_folder folder;
  const auto path = folder.write("t.csv", trades + "1,A,10,1\n2,B,10,1\n3,C,10,1\n");
  market_files from;
  from.files = {path};
  from.symbols = {"C", "A"};
  const auto market = load_market(from);
  REQUIRE(market.symbols.size() == 2);
  CHECK(market.symbols[0].rules.symbol == "C");
  CHECK(market.events == 2);
  from.symbols = {"A", "X"};
  CHECK_THROWS_WITH(load_market(from), "the data has nothing of symbol X (--symbol)");
}

TEST_CASE("bad lines of ticks end the run, or are left out") {
  temp_folder folder;
  const auto text = trades + "1,A,10,1\nx,A,10,1\n3,A,-1,1\n";
  CHECK(refusal(folder, text) ==
        "X.csv:3: bad time (2 such lines; --skip-bad-lines goes on without them)");
  CHECK(
      refusal(folder, trades + "1,A,0,1\n").starts_with("X.csv:2: price_out_of_range: price in "));
  market_files from;
  from.files = {folder.write("Y.csv", text)};
  from.skip_bad_lines = true;
  const auto market = load_market(from);
  CHECK(market.events == 1);
  CHECK(market.skipped == 2);
}

TEST_CASE("recorded frames: trades and best prices are taken, other streams left out") {
  temp_folder folder;
  const auto path = folder.write(
      "f.frames",
      "1000000000 "
      "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":1,\"s\":\"BTCUSDT\",\"t\":1,"
      "\"p\":\"100.5\",\"q\":\"1\",\"T\":1000,\"m\":true,\"M\":true}}\n"
      "1000000001 "
      "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\"}}\n"
      "1000000002 "
      "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":7,\"s\":\"BTCUSDT\",\"b\":\"100\",\"B\":"
      "\"1\","
      "\"a\":\"101\",\"A\":\"2\"}}\n");
  const auto market = load({path});
  REQUIRE(market.symbols.size() == 1);
  CHECK(market.symbols[0].rules.symbol == "BTCUSDT");
  CHECK(market.events == 2);
  CHECK(market.skipped == 1);
}

TEST_CASE("bars and ticks of one symbol, and bars of two lengths, do not go together") {
  temp_folder folder;
  const auto bars = folder.write("A.csv", daily + "2024-01-02,1,1,1,1,0\n");
  const auto ticks = folder.write("t.csv", trades + "1,A,10,1\n");
  const auto minutes = folder.write("B.csv", by_time + "0,1,1,1,1,0\n60000,1,1,1,1,0\n");
  CHECK_THROWS_WITH(load({bars, ticks}), "symbol A has both bars and ticks; give one of them");
  CHECK_THROWS_WITH(load({bars, minutes}),
                    (minutes + ": its bars are of 1m, those before of 1d").c_str());
  CHECK_THROWS_WITH(load({bars, bars}), (bars + ": symbol A has bars already").c_str());
  CHECK_THROWS(load({"A=" + ticks}));
}
