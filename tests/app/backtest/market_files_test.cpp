#include "app/backtest/market_files.hpp"

#include <doctest/doctest.h>

#include "app/backtest/bar_file.hpp"
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
                                 "12345678901234,x\n\n12,2024-01-03,10,12,11,0,y\n");
  const auto market = load({path});
  REQUIRE(market.symbols.size() == 1);
  CHECK(market.bars == market::period::d1);
  CHECK(market.events == 2);
  const auto& spy = market.symbols[0];
  CHECK(spy.rules.symbol == "SPY");
  CHECK(spy.events[0].time == 1'704'153'600'000'000);
  CHECK(spy.events[1].offset == 1);
  CHECK(spy.details[0].close == *parse_fixed("10.5"));
  CHECK(spy.details[0].volume == *parse_wide("12345678901234"));
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

TEST_CASE("a line that is no bar is refused with file, line, field and what goes on without it") {
  temp_folder folder;
  const std::string good = "2024-01-02,10,11,9,10.5,1000\n";
  const auto told = [&](const std::string& text) {
    auto what = refusal(folder, text);
    CHECK(what.ends_with(skip_hint));
    return what.substr(0, what.size() - std::min(what.size(), skip_hint.size()));
  };
  const std::string no_number = " is no number of 0 to 92233720368 with at most 8 decimals";
  CHECK(told(daily + good + "2024-13-02,10,11,9,10,1\n") ==
        "X.csv:3: date: \"2024-13-02\" is no date such as 2024-08-09");
  CHECK(told(daily + "2024-01-02,10,11,9,1o,1\n") == "X.csv:2: close: \"1o\"" + no_number);
  CHECK(told(daily + std::string("2024-01-02,1\0,11,9,10,1\n", 25)) ==
        "X.csv:2: open: \"1\\x00\"" + no_number);
  CHECK(told(daily + "2024-01-02,27.209999084472656,28,9,10,1\n") ==
        "X.csv:2: open: \"27.209999084472656\" has more than 8 decimals: round it to 8");
  CHECK(told(daily + "2024-01-02,0,11,9,10,1\n") == "X.csv:2: open: a price must be above 0");
  CHECK(told(daily + "2024-01-02,10,11,9,10,-1\n") ==
        "X.csv:2: volume: \"-1\" is no number of 0 or more with at most 8 decimals");
  CHECK(told(daily + "2024-01-02,10,11,9,12,1\n") ==
        "X.csv:2: open and close must lie between low and high");
  CHECK(told(daily + "2024-01-02,10,11\n") == "X.csv:2: 3 fields, and the header has 6");
  CHECK(told(daily + good + good) == "X.csv:3: date: not later than the bar before it");
  CHECK(told(by_time + "-1,10,11,9,10,1\n") ==
        "X.csv:2: ts_ms: \"-1\" is no time in milliseconds since 1970");
  CHECK(told(by_time + "1609718400,10,11,9,10,1\n") ==
        "X.csv:2: ts_ms: \"1609718400\" looks like seconds; ts_ms is in milliseconds since 1970");
}

TEST_CASE("a header that is none, has nothing below it or a column twice is refused") {
  temp_folder folder;
  CHECK(refusal(folder, daily) == "X.csv: has a header and no bars");
  CHECK(refusal(folder, "date,open,high,low,close,close,volume\n2024-01-02,10,11,9,10,9,1\n") ==
        "X.csv:1: the header has the column close twice");
  CHECK(refusal(folder, "date,open,high,low,close,volume,x,x\n2024-01-02,10,11,9,10,1,,\n") ==
        "nothing");
  CHECK(refusal(folder, "ts_ms,symbol,price,price,size\n1,A,1,2,1\n") ==
        "X.csv:1: the header has the column price twice");
  const auto none = refusal(folder, "a,b\n1,2\n");
  CHECK(none.starts_with("X.csv:1: \"a,b\" is no kind of data that can be read"));
  CHECK(none.find("ts_ms,open,high,low,close,volume") != std::string::npos);
}

TEST_CASE("lines that are no bars are skipped, if that is said") {
  temp_folder folder;
  market_files from;
  from.skip_bad_lines = true;
  const std::string good = "2024-01-02,10,11,9,10.5,1000\n";
  from.files = {
      folder.write("Y.csv", daily + good + "garbage\n" + good + "2024-01-03,9,9,9,9,0\n")};
  const auto market = load_market(from);
  CHECK(market.events == 2);
  CHECK(market.bad_lines == 2);
  CHECK(refusal(folder, daily + "x\ny\n", from) ==
        "X.csv: none of its 2 lines is a bar; the first: X.csv:2: 1 fields, and the header has 6");
}

TEST_CASE("a column symbol says whose bar each line is, as in files of ticks") {
  temp_folder folder;
  const auto path = folder.write("b.csv",
                                 "Date,Symbol,Open,High,Low,Close,Volume\n2024-01-02,SPY,10,10,10,"
                                 "10,1\n2024-01-02,IBM,100,100,100,100,1\n2024-01-03,SPY,11,11,11,"
                                 "11,1\n");
  const auto market = load({path});
  REQUIRE(market.symbols.size() == 2);
  CHECK(market.symbols[0].rules.symbol == "SPY");
  CHECK(market.symbols[0].events.size() == 2);
  CHECK(market.symbols[1].details.at(0).close == *parse_fixed("100"));
  market_files one;
  one.files = {path};
  one.symbols = {"IBM"};
  CHECK(load_market(one).events == 1);
  CHECK_THROWS_WITH(load({"SPY=" + path}),
                    (path + ": has a column symbol, so it is given none; --symbol chooses some of "
                            "its symbols")
                        .c_str());
}

TEST_CASE("bars of a symbol may be spread over files, in any order, that do not overlap") {
  temp_folder folder;
  const auto first = folder.write("1.csv", daily + "2023-01-02,1,1,1,1,0\n2023-01-03,1,1,1,1,0\n");
  const auto second = folder.write("2.csv", daily + "2024-01-02,2,2,2,2,0\n");
  const auto market = load({"A=" + second, "B=" + second, "A=" + first});
  REQUIRE(market.symbols.size() == 2);
  const auto& a = market.symbols[0];
  REQUIRE(a.events.size() == 3);
  CHECK(a.events[0].time < a.events[2].time);
  for (std::size_t i = 0; i < 3; ++i) CHECK(a.events[i].offset == static_cast<std::int64_t>(i));
  CHECK(a.details[a.events[2].detail].close == *parse_fixed("2"));
  CHECK_THROWS_WITH(load({"A=" + first, "A=" + first}),
                    (first + ": its bars of symbol A overlap those of " + first).c_str());
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
        "X.csv:3: ts_ms: \"x\" is no time in milliseconds since 1970 (2 such lines; "
        "--skip-bad-lines goes on without them)");
  const auto zero = refusal(folder, trades + "1,A,0,1\n");
  CHECK(zero.starts_with("X.csv:2: price: must be above 0 and at most 100000000 in {"));
  CHECK(zero.ends_with(skip_hint));
  CHECK(refusal(folder, "1 {\"s\":\"A\",\n") ==
        "X.csv:1: is not one JSON object in UTF-8 in {\"s\":\"A\"," + std::string(skip_hint));
  market_files from;
  from.files = {folder.write("Y.csv", text)};
  from.skip_bad_lines = true;
  const auto market = load_market(from);
  CHECK(market.events == 1);
  CHECK(market.bad_lines == 2);
}

TEST_CASE("a record that cannot be taken is told with its file and line, also of several files") {
  temp_folder folder;
  const auto bad = folder.write("bad.csv", trades + "1,A,10,1\n5,A,0,1\n9,A,10,1\n");
  const auto good = folder.write("good.csv", trades + "1,A,10,1\n2,A,10,1\n7,A,10,1\n8,A,10,1\n");
  for (const auto& files : {std::vector{bad, good}, std::vector{good, bad}})
    CHECK_THROWS_WITH_AS(load(files), doctest::Contains((bad + ":3: price: must be ").c_str()),
                         failure);
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
  CHECK(market.left_out == 1);
}

TEST_CASE("of a file with trades and bars the trades are taken, or the bars that --period names") {
  temp_folder folder;
  const auto trade = [](int minute) {
    return R"({"type":"trade","symbol":"A","time":)" + std::to_string(minute * 60'000'000) +
           R"(,"price":"1","size":"1"})" + "\n";
  };
  const std::string bar =
      R"({"type":"bar","symbol":"A","period":"5m","time":0,"open":"1","high":"2","low":"1","close":"2","volume":"1"})"
      "\n";
  market_files from;
  from.files = {folder.write("r.json", trade(0) + trade(1) + bar + trade(5))};
  const auto ticks = load_market(from);
  CHECK(ticks.events == 3);
  CHECK(ticks.left_out == 1);
  CHECK(ticks.bars == market::period::m1);
  CHECK(ticks.symbols[0].events[2].offset == 2);
  from.bars = market::period::m5;
  const auto bars = load_market(from);
  CHECK(bars.events == 1);
  CHECK(bars.left_out == 3);
  CHECK(bars.bars == market::period::m5);
  CHECK(bars.symbols[0].details.at(0).close == *parse_fixed("2"));
  from.bars = market::period::m1;
  CHECK(load_market(from).events == 3);
}

TEST_CASE("bars of another length than --period are named, also when there is nothing else") {
  temp_folder folder;
  market_files from;
  from.bars = market::period::m5;
  from.symbols = {"A"};
  CHECK(
      refusal(
          folder,
          R"({"type":"bar","symbol":"A","period":"1m","time":0,"open":"1","high":"1","low":"1","close":"1","volume":"1"})",
          from) == "the data has bars of 1m, and --period says 5m");
  from.skip_bad_lines = true;
  from.symbols.clear();
  CHECK(refusal(folder, trades + "x\n", from) ==
        "the data holds no events: all lines were skipped (--skip-bad-lines)");
}

TEST_CASE("bars and ticks of one symbol, and bars of two lengths, do not go together") {
  temp_folder folder;
  const auto bars = folder.write("A.csv", daily + "2024-01-02,1,1,1,1,0\n");
  const auto ticks = folder.write("t.csv", trades + "1,A,10,1\n");
  const auto minutes = folder.write("B.csv", by_time + "0,1,1,1,1,0\n60000,1,1,1,1,0\n");
  CHECK_THROWS_WITH(load({bars, ticks}), "symbol A has both bars and ticks; give one of them");
  CHECK_THROWS_WITH(load({bars, minutes}),
                    (minutes + ": its bars are of 1m, those before of 1d").c_str());
  const auto record = folder.write(
      "r.json",
      R"({"type":"bar","symbol":"A","period":"1d","time":0,"open":"1","high":"1","low":"1","close":"1","volume":"0"})");
  CHECK_THROWS_WITH(load({bars, record}),
                    (record + ":1: symbol A has bars of another file; give one of them").c_str());
  CHECK_THROWS(load({"A=" + ticks}));
}
