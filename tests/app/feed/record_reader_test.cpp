#include "app/feed/record_reader.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/app/feed/temp_folder.hpp"

using namespace troupe::feed;
using troupe::feed::test::temp_folder;

namespace {

const std::string trades = "ts_ms,symbol,price,size,venue,condition,suspicious\n";
const std::string quotes = "ts_ms,symbol,bid,bid_size,ask,ask_size,venue,condition,suspicious\n";
const std::string daily = "date,open,high,low,close,volume\n";

std::vector<std::string> payloads(record_reader& from) {
  std::vector<std::string> all;
  for (record r; from.next(r);) all.push_back(r.payload);
  return all;
}

std::vector<std::string> payloads_of(const std::string& text, const char* name = "f.csv") {
  temp_folder folder;
  record_reader reader(folder.write(name, text));
  return payloads(reader);
}

/// Why the only line after `header` is skipped; empty if it is not.
std::string reason(const std::string& header, const std::string& line) {
  temp_folder folder;
  record_reader reader(folder.write("f.csv", header + line + "\n"));
  payloads(reader);
  return reader.bad() == 0 ? "" : std::string(reader.bad_lines().at(0).why);
}

std::string refusal(const std::string& text, const char* name = "f.csv") {
  temp_folder folder;
  const auto path = folder.write(name, text);
  try {
    record_reader reader(path);
  } catch (const std::runtime_error& e) {
    return std::string(e.what()).substr(folder.path().size() + 1);
  }
  return "";
}

}  // namespace

TEST_CASE("trades, quotes and daily bars become records") {
  using list = std::vector<std::string>;
  CHECK(
      payloads_of(trades + "1381219217034,SPY,167.4200,210,Q,2000,0\n") ==
      list{
          R"({"type":"trade","symbol":"SPY","time":1381219217034000,"price":"167.42","size":"210"})"});
  CHECK(payloads_of(trades + "1,A,1,2,Q,2000,1") ==
        list{R"({"type":"trade","symbol":"A","time":1000,"price":"1","size":"2"})"});
  CHECK(
      payloads_of(quotes +
                  "5,IBM,180.0100,200,,,P,1,0\n6,IBM,,,182.62,100,P,1,0\n7,IBM,0,0,1,1,P,1,0\n") ==
      list{
          R"({"type":"quote","symbol":"IBM","time":5000,"bid":"180.01","bid_size":"200"})",
          R"({"type":"quote","symbol":"IBM","time":6000,"ask":"182.62","ask_size":"100"})",
          R"({"type":"quote","symbol":"IBM","time":7000,"bid":"0","bid_size":"0","ask":"1","ask_size":"1"})"});
  CHECK(
      payloads_of(daily + "1998-01-02,97.31,97.53,96.53,97.36,2150000\n", "SPY.csv") ==
      list{
          R"({"type":"bar","symbol":"SPY","period":"1d","time":883699200000000,"open":"97.31","high":"97.53","low":"96.53","close":"97.36","volume":"2150000"})"});
}

TEST_CASE("fields may stand in quotes") {
  CHECK(payloads_of("\"ts_ms\",\"symbol\",\"price\",\"size\"\n\"1\",\"A\",1.5,\"2\"\n") ==
        std::vector<std::string>{
            R"({"type":"trade","symbol":"A","time":1000,"price":"1.5","size":"2"})"});
}

TEST_CASE("columns are found by name; line ends, blank lines and a byte order mark do not matter") {
  CHECK(
      payloads_of("\xef\xbb\xbfsize,x,price,symbol,ts_ms\r\n2,?,1.50,A,1\r\n\r\n3,?,1.5,A,2\r\n") ==
      std::vector<std::string>{
          R"({"type":"trade","symbol":"A","time":1000,"price":"1.5","size":"2"})",
          R"({"type":"trade","symbol":"A","time":2000,"price":"1.5","size":"3"})"});
}

TEST_CASE("empty lines before the first one are skipped, and count as lines") {
  CHECK(payloads_of("\xef\xbb\xbf\r\n\n" + trades + "1,A,1,1,Q,0,0\n").size() == 1);
  CHECK(refusal("\n\nhello\n").starts_with("f.csv:3: \"hello\" is no kind of file"));
  CHECK(refusal("\xef\xbb\xbf\n\r\n") == "f.csv: is empty");
}

TEST_CASE("a symbol's characters are counted, not its bytes: what the topic takes can be fed") {
  const std::string header = "ts_ms,symbol,price,size\n";
  const auto of = [](int count) {
    std::string symbol;
    for (; count > 0; --count) symbol += "\xe6\xa0\xaa";
    return symbol;
  };
  CHECK(payloads_of(header + "1," + of(32) + ",1,2\n") ==
        std::vector<std::string>{R"({"type":"trade","symbol":")" + of(32) +
                                 R"(","time":1000,"price":"1","size":"2"})"});
  CHECK(reason(header, "1," + of(33) + ",1,2").find("is no symbol") != std::string::npos);
  CHECK(payloads_of(R"({"type":"trade","symbol":")" + of(32) + R"(","time":1})").size() == 1);
}

TEST_CASE("the volume of a day may be above all prices and sizes") {
  CHECK(
      payloads_of(daily + "1998-01-02,1,1,1,1,12345678901234.5\n", "PEPE.csv") ==
      std::vector<std::string>{
          R"({"type":"bar","symbol":"PEPE","period":"1d","time":883699200000000,"open":"1","high":"1","low":"1","close":"1","volume":"12345678901234.5"})"});
}

TEST_CASE("lines that are nothing are skipped, with a reason") {
  struct row {
    const std::string& header;
    const char* line;
    const char* why;
  };
  const row rows[] = {
      {trades, "1,A,1,1,Q,0,0", ""},
      {trades, "1,A,1,1,Q,0", "6 fields, and the header has 7"},
      {trades, "1,A,1,1,Q,0,0,0", "8 fields, and the header has 7"},
      {trades, "x,A,1,1,Q,0,0", "ts_ms: \"x\" is no time in milliseconds since 1970"},
      {trades, ",A,1,1,Q,0,0", "ts_ms: \"\" is no time in milliseconds since 1970"},
      {trades, "-1,A,1,1,Q,0,0", "ts_ms: \"-1\" is no time in milliseconds since 1970"},
      {trades, "99999999999999999999,A,1,1,Q,0,0",
       "ts_ms: \"99999999999999999999\" is no time in milliseconds since 1970"},
      {trades, "253402300800000,A,1,1,Q,0,0",
       "ts_ms: \"253402300800000\" looks like microseconds; ts_ms is in milliseconds since 1970"},
      {trades, "1609718400000000000,A,1,1,Q,0,0",
       "ts_ms: \"1609718400000000000\" looks like nanoseconds; ts_ms is in milliseconds since "
       "1970"},
      {trades, "1609718400,A,1,1,Q,0,0",
       "ts_ms: \"1609718400\" looks like seconds; ts_ms is in milliseconds since 1970"},
      {trades, "1,,1,1,Q,0,0",
       "symbol: \"\""
       " is no symbol (1 to 32 characters, no quotes, no backslash)"},
      {trades, "1,A\"B,1,1,Q,0,0",
       "symbol: \"A\"B\""
       " is no symbol (1 to 32 characters, no quotes, no backslash)"},
      {trades, "1,A\\,1,1,Q,0,0",
       "symbol: \"A\\\""
       " is no symbol (1 to 32 characters, no quotes, no backslash)"},
      {trades, "1,A\tB,1,1,Q,0,0",
       "symbol: \"A\\x09B\""
       " is no symbol (1 to 32 characters, no quotes, no backslash)"},
      {trades, "1,ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG,1,1,Q,0,0",
       "symbol: \"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG\""
       " is no symbol (1 to 32 characters, no quotes, no backslash)"},
      {trades, "1,A,,1,Q,0,0",
       "price: \"\""
       " is no number of 0 to 92233720368 with at most 8 decimals"},
      {trades, "1,A,1,1e3,Q,0,0",
       "size: \"1e3\""
       " is no number of 0 to 92233720368 with at most 8 decimals"},
      {trades, "1,A,-1,1,Q,0,0",
       "price: \"-1\""
       " is no number of 0 to 92233720368 with at most 8 decimals"},
      {trades, "1,A,nan,1,Q,0,0",
       "price: \"nan\""
       " is no number of 0 to 92233720368 with at most 8 decimals"},
      {trades, "1,A,1.000000001,1,Q,0,0",
       "price: \"1.000000001\" has more than 8 decimals: round it to 8"},
      {trades, "1,A,1.00000000x,1,Q,0,0",
       "price: \"1.00000000x\""
       " is no number of 0 to 92233720368 with at most 8 decimals"},
      {trades, "1,A,99999999999999,1,Q,0,0",
       "price: \"99999999999999\""
       " is no number of 0 to 92233720368 with at most 8 decimals"},
      {quotes, "1,A,,,,,Q,0,0", "bid, bid_size, ask, ask_size: all are empty"},
      {quotes, "1,A,1,,,,Q,0,0",
       "bid_size: \"\""
       " is no number of 0 to 92233720368 with at most 8 decimals"},
      {quotes, "1,A,1,1,,5,Q,0,0",
       "ask: \"\""
       " is no number of 0 to 92233720368 with at most 8 decimals"},
      {daily, "1998-02-30,1,1,1,1,1", "date: \"1998-02-30\" is no date such as 2024-08-09"},
      {daily, "1998-01-02T00:00:00,1,1,1,1,1",
       "date: \"1998-01-02T00:00:00\" is no date such as 2024-08-09"},
      {daily, "1998-01-02,1,1,1,1,-1",
       "volume: \"-1\""
       " is no number of 0 or more with at most 8 decimals"},
      {daily, "1998-01-02,1,1,1,1,99999999999999.000000001",
       "volume: \"99999999999999.000000001\" has more than 8 decimals: round it to 8"},
      {daily, "1998-01-02,1,1,1,,1",
       "close: \"\""
       " is no number of 0 to 92233720368 with at most 8 decimals"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.line);
    CHECK(reason(r.header, r.line) == r.why);
  }
}

TEST_CASE("a file whose first time is none of seconds is none of seconds") {
  CHECK(payloads_of("ts_ms,symbol,price,size\n1,A,1,1\n1609718400,A,1,1\n").size() == 2);
  CHECK(payloads_of("ts_ms,symbol,price,size\n1609718400,A,1,1\n1609718460,A,1,1\n").empty());
  CHECK(payloads_of("ts_ms,symbol,price,size\nx,A,1,1\n1609718400,A,1,1\n").empty());
}

TEST_CASE("a header's names count whatever their case and the blanks around them") {
  CHECK(payloads_of("TS_MS, Symbol ,Price,SIZE\n1,A,1,2\n") ==
        std::vector<std::string>{
            R"({"type":"trade","symbol":"A","time":1000,"price":"1","size":"2"})"});
  CHECK(payloads_of("Date,Open,High,Low,Close,Adj Close,Volume\n1998-01-02,1,2,1,2,9,5\n").size() ==
        1);
  CHECK(refusal("date,open,high,low,close,Close,volume\n") ==
        "f.csv:1: the header has the column close twice");
}

TEST_CASE("daily bars are of the symbols in their column, if there is one") {
  CHECK(
      payloads_of("date,symbol,open,high,low,close,volume\n1998-01-02,IBM,1,1,1,1,0\n",
                  "a\"b.csv") ==
      std::vector<std::string>{
          R"({"type":"bar","symbol":"IBM","period":"1d","time":883699200000000,"open":"1","high":"1","low":"1","close":"1","volume":"0"})"});
  CHECK(reason("date,symbol,open,high,low,close,volume\n", "1998-01-02,,1,1,1,1,0")
            .starts_with("symbol: \"\" is no symbol"));
}

TEST_CASE("all bad lines are counted, the first ones kept with their numbers") {
  temp_folder folder;
  std::string text = trades + "1,A,1,1,Q,0,0\n";
  for (int i = 0; i < 8; ++i) text += "bad\n";
  record_reader reader(folder.write(
      "f.csv", text + std::string(line_source::line_max + 10, 'x') + "\n2,A,1,1,Q,0,0\n"));
  CHECK(payloads(reader).size() == 2);
  CHECK(reader.bad() == 9);
  REQUIRE(reader.bad_lines().size() == record_reader::bad_lines_kept);
  CHECK(reader.bad_lines().front().number == 3);
  CHECK(reader.bad_lines().back().number == 7);
}

TEST_CASE(
    "frames go on as they came, keyed by the symbol, with the time at which they were recorded") {
  temp_folder folder;
  const std::string trade =
      R"({"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","p":"1"}})";
  const std::string bare = R"({"e":"trade","s":"ethusdt","p":"1"})";
  record_reader reader(folder.write_gzip(
      "f.gz",
      "1723161600001658384 " + trade + "\nx {}\n5 []\n6 {}\n1723161600002999999 " + bare + "\n"));
  record r;
  REQUIRE(reader.next(r));
  CHECK(r.key == "BTCUSDT");
  CHECK(r.payload == trade);
  CHECK(r.time_us == 1723161600001658);
  CHECK(r.timestamp_ms == 1723161600001);
  REQUIRE(reader.next(r));
  CHECK(r.key == "ETHUSDT");
  CHECK(r.payload == bare);
  CHECK(!reader.next(r));
  REQUIRE(reader.bad_lines().size() == 3);
  CHECK(reader.bad_lines()[0].why == "does not begin with a time in nanoseconds");
  CHECK(reader.bad_lines()[1].why == "no JSON object after the time");
  CHECK(reader.bad_lines()[2].why == "symbol: none of 1 to 32 characters");
}

TEST_CASE("Troupe's own records go on as they are") {
  temp_folder folder;
  const std::string line =
      R"({"type":"trade","symbol":"A","time":1234567,"price":"1","size":"2","id":3})";
  record_reader reader(
      folder.write("f.json", line + "\n{\"symbol\":\"A\"}\n{\"time\":1}\n" + line));
  CHECK(payloads(reader) == std::vector<std::string>{line, line});
  CHECK(reader.bad() == 2);
}

TEST_CASE("a record of one's own may have spaces, its fields in any order, its time as a text") {
  temp_folder folder;
  const std::vector<std::string> lines{
      R"({"symbol": "A", "type": "trade", "time": 7, "price": "1", "size": "2"})",
      R"({ "time" : 8 , "symbol"	:	"B" , "type" : "trade", "price": "1", "size": "2" })",
      R"({"note": "symbol", "type": "trade", "symbol": "C", "time": 9, "price": "1", "size": "2"})",
      R"({"type": "trade", "symbol": "D", "time": "10", "price": "1", "size": "2"})"};
  record_reader reader(folder.write(
      "f.json", lines[0] + '\n' + lines[1] + '\n' + lines[2] + '\n' + lines[3] + '\n'));
  record r;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    REQUIRE(reader.next(r));
    CHECK(r.payload == lines[i]);
    CHECK(r.key == std::string(1, static_cast<char>('A' + i)));
    CHECK(r.time_us == static_cast<std::int64_t>(7 + i));
  }
  CHECK_FALSE(reader.next(r));
  CHECK(reader.bad() == 0);
}

TEST_CASE("files of no kind are refused by name") {
  CHECK(refusal("") == "f.csv: is empty");
  CHECK(refusal("hello\n").starts_with("f.csv:1: \"hello\" is no kind of file"));
  CHECK(refusal("ts_ms,symbol,price\n1,A,1\n") != "");
  CHECK(refusal("{\"at\":{}}\n") != "");
  CHECK(refusal(std::string("\0\1\2", 3)) != "");
  CHECK(refusal(daily, "a\"b.csv").find("no symbol") != std::string::npos);
  CHECK(refusal("ts_ms,symbol,price,size,price\n1,A,1,1,2\n") ==
        "f.csv:1: the header has the column price twice");
  CHECK(refusal("ts_ms,symbol,ask_size,bid,bid_size,ask,\"ask_size\"\n") ==
        "f.csv:1: the header has the column ask_size twice");
  CHECK(refusal("date,date,open,high,low,close,volume\n") ==
        "f.csv:1: the header has the column date twice");
  CHECK(refusal("ts_ms,symbol,price,size,,,x,x\n1,A,1,1,,,,\n") == "");  // Nobody reads these.
  CHECK_THROWS(record_reader("/no/such/file"));
  CHECK_THROWS(record_reader(temp_folder().path()));
}

namespace {

std::string many_trades() {
  std::string text = trades;
  for (int i = 0; i < 20'000; ++i)
    text += std::to_string(i * 7919) + ",A," + std::to_string(i % 977) + ",1,Q,0,0\n";
  return text;
}

std::vector<std::string> records_of(const std::string& path) {
  record_reader reader(path);
  return payloads(reader);
}

}  // namespace

TEST_CASE("compressed files are told by how they begin, and read like plain ones") {
  const temp_folder folder;
  const auto text = many_trades();
  const auto plain = records_of(folder.write("plain.csv", text));
  CHECK(plain.size() == 20'000);
  CHECK(records_of(folder.write_gzip("gzip.csv", text)) == plain);
  CHECK(records_of(folder.write_zstd("zstd.csv", text)) == plain);
  const auto half = text.find('\n', text.size() / 2) + 1;
  const auto first = folder.write_zstd("first", text.substr(0, half));
  std::ofstream(first, std::ios::app | std::ios::binary)
      << std::ifstream(folder.write_zstd("second", text.substr(half)), std::ios::binary).rdbuf();
  CHECK(records_of(first) == plain);  // Two frames, as `cat a.zst b.zst` makes them.
}

TEST_CASE("a compressed file that is cut off or damaged is an error, after its good lines") {
  const temp_folder folder;
  const auto text = many_trades();
  for (const auto& path :
       {folder.write_gzip("f.csv.gz", text), folder.write_zstd("f.csv.zst", text)}) {
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    CAPTURE(path);
    CHECK_THROWS_WITH_AS(records_of(path), doctest::Contains("damaged after line"),
                         std::runtime_error);
  }
  CHECK_THROWS_WITH_AS(records_of(folder.write("bad.zst", "\x28\xb5\x2f\xfd" + text)),
                       doctest::Contains("damaged after line 0"), std::runtime_error);
}

TEST_CASE("the symbol of a file is its name") {
  CHECK(symbol_of_file("a/b/AAPL.csv") == "AAPL");
  CHECK(symbol_of_file("AAPL.csv.gz") == "AAPL");
  CHECK(symbol_of_file("AAPL.csv.zst") == "AAPL");
  CHECK(symbol_of_file("BRK.B.csv") == "BRK.B");
}
