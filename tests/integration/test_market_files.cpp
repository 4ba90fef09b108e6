// Recorded market data, from files through `troupe feed`, Kafka and a node into the views, held
// against the files themselves. Small files of the test's own; whole folders of yours with
//   TROUPE_TEST_TICKS    trades and quotes as CSV, e.g. SPY-trades.csv.gz
//   TROUPE_TEST_DAILY    daily bars as CSV, one file a symbol
//   TROUPE_TEST_FRAMES   recorded frames of Binance
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>

#include "tests/integration/trading_run.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

using words = std::vector<std::string>;
/// Symbol and event (`trade`, `quote`, `bar`; empty: none that symbols know) to a count.
using counts = std::map<std::pair<std::string, std::string>, std::int64_t>;

words lines_of(const std::string& text) {
  words all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

words file_lines(const std::string& file) {
  const auto read = run_program({"gzip", "-cdf", file});
  REQUIRE_MESSAGE(read.exit_code == 0, read.output);
  return lines_of(read.output);
}

words fields_of(const std::string& line) {
  words all;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, ',');) all.push_back(field);
  if (line.ends_with(',')) all.emplace_back();
  return all;
}

/// The files of the folder that this variable names; nothing if it is not set.
std::optional<words> files_from(const char* variable) {
  const char* folder = std::getenv(variable);
  if (folder == nullptr) return std::nullopt;
  words all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) all.push_back(entry.path());
  std::ranges::sort(all);
  REQUIRE(!all.empty());
  return all;
}

/// Where two lists differ first; empty if they do not.
std::string first_difference(const words& a, const words& b) {
  const auto [x, y] = std::ranges::mismatch(a, b);
  if (x == a.end() && y == b.end()) return "";
  return (x == a.end() ? "nothing" : *x) + " against " + (y == b.end() ? "nothing" : *y);
}

/// A node that takes files.
class fed_node {
 public:
  explicit fed_node(const std::string& periods)
      : periods_(json::parse(periods)),
        run_(1, {{"default", {{"symbols", json::object()}}}}, "",
             R"("market": {"periods": )" + periods + "}") {
    run_.start();
  }

  /// Feeds all of it and waits until it is committed; returns what the program says of it.
  json feed(const words& files) {
    words command{"feed", "--state", run_.path("feed")};
    command.insert(command.end(), files.begin(), files.end());
    command.emplace_back("--json");
    const auto said = run_.cli(command);
    REQUIRE_MESSAGE(said.exit_code == 0, said.output);
    // Before it, on standard error, what was skipped.
    const auto answer = json::parse(lines_of(said.output).back());
    sent_ = answer.at("sent").get<std::int64_t>();
    wait_until("everything committed and delivered", 300s, [&] {
      return run_.sql("select coalesce(sum(next), 0) from position where topic = 'market'") ==
                 std::to_string(sent_) &&
             run_.sql("select count(*) from outbox") == "0";
    });
    CHECK(json::parse(run_.cli(command).output).at("finished_before") == true);
    return answer;
  }

  /// Every record of the files has become an event of its symbol or a dead letter, and every event
  /// was applied or refused by name.
  void check_accounts(const counts& in_files) const {
    std::int64_t rows = 0, dead = 0;
    for (const auto& [of, count] : in_files) rows += count;
    CHECK(rows == sent_);
    counts found;
    for (const auto& letter : run_.read("dead-letter")) {
      ++found[{letter.at("key"), event_of(json::parse(letter.at("payload").get<std::string>()))}];
      ++dead;
    }
    for (const auto& r : run_.rows("select symbol, event, received from symbol_events"))
      if (r.at("received") != 0)
        found[{r.at("symbol"), r.at("event")}] += r.at("received").get<int>();
    CHECK((found == in_files));
    const auto number = [&](const std::string& query) { return std::stoll(run_.sql(query)); };
    const auto applied = number("select sum(applied) from symbol_events");
    const auto refused = number("select coalesce(sum(count), 0) from refusals");
    CHECK(refused == number("select sum(refused) from symbols"));
    CHECK(applied + refused + dead == sent_);
    MESSAGE(sent_ << " records: " << applied << " applied, " << refused << " refused, " << dead
                  << " dead letters");
  }

  /// The bars of these trades, computed on their own, are those in the view, to the last digit.
  void check_bars(const words& trades, const std::string& which = "true") const {
    for (const std::string period : periods_) {
      CAPTURE(period);
      words command{BARS_FROM_TICKS, std::to_string(seconds_.at(period))};
      command.insert(command.end(), trades.begin(), trades.end());
      const auto expected = run_program(command);
      REQUIRE_MESSAGE(expected.exit_code == 0, expected.output);
      const auto found = bars(period, which);
      CHECK(found.size() > 0);
      CHECK(first_difference(found, lines_of(expected.output)) == "");
      MESSAGE(found.size() << " bars of " << period);
    }
  }

  words bars(const std::string& period, const std::string& which = "true") const {
    return lines_of(run_.sql(
        "select string_agg(concat_ws('|', symbol, extract(epoch from open_time)::bigint, "
        "trim_scale(open), trim_scale(high), trim_scale(low), trim_scale(close), "
        "trim_scale(volume), trades), E'\\n' order by symbol collate \"C\", open_time) from bars "
        "where period = '" +
        period + "' and " + which));
  }
  trading_run& run() { return run_; }

  /// What a payload is, by its own words.
  static std::string event_of(const json& payload) {
    if (payload.contains("type")) return payload.at("type");
    const auto stream = payload.at("stream").get<std::string>();
    for (const auto& [name, event] : streams)
      if (stream.find(name) != std::string::npos) return event;
    return "";
  }

 private:
  static constexpr std::pair<const char*, const char*> streams[] = {
      {"@trade", "trade"}, {"@bookTicker", "quote"}, {"@ticker", "ticker"}, {"@kline_", "bar"}};
  inline static const std::map<std::string, int> seconds_{
      {"1s", 1}, {"1m", 60}, {"5m", 300}, {"1h", 3600}, {"1d", 86'400}};
  const json periods_;
  trading_run run_;
  std::int64_t sent_ = 0;
};

std::string gzipped(const std::string& file) {
  REQUIRE(run_program({"gzip", file}).exit_code == 0);
  return file + ".gz";
}

/// Rows by symbol, of trades or quotes as the header says.
void count_rows(const std::string& file, counts& into) {
  const auto lines = file_lines(file);
  const auto header = fields_of(lines.at(0));
  const auto at = std::ranges::find(header, "symbol") - header.begin();
  const bool trades = std::ranges::find(header, "price") != header.end();
  for (std::size_t i = 1; i < lines.size(); ++i)
    ++into[{fields_of(lines[i]).at(static_cast<std::size_t>(at)), trades ? "trade" : "quote"}];
}

bool holds_trades(const std::string& file) {
  return file_lines(file).at(0).find("price") != std::string::npos;
}

/// `2150000.0100` as `2150000.01`.
std::string trimmed(std::string number) {
  if (number.find('.') == std::string::npos) return number;
  number.erase(number.find_last_not_of('0') + 1);
  if (number.ends_with('.')) number.pop_back();
  return number;
}

}  // namespace

TEST_CASE("trades and quotes from CSV, gzip too: every row accounted for, bars to the last digit") {
  fed_node node(R"(["1s", "1m", "5m", "1h"])");
  auto files = files_from("TROUPE_TEST_TICKS");
  words odd;
  if (!files) {
    const auto write = [&](const std::string& name, const std::string& text) {
      write_file(node.run().path(name), text);
      return node.run().path(name);
    };
    files = {write("AAA-trades.csv", ticks_csv("AAA", 3000, 1)),
             gzipped(write("BBB-trades.csv", ticks_csv("BBB", 2000, 2))),
             write("AAA-quotes.csv", quotes_csv("AAA", 1000, 3)),
             gzipped(write("CCC-quotes.csv", quotes_csv("CCC", 1500, 4)))};
    // The columns in another order, one more, and what cannot be used or is refused.
    odd = {write("odd.csv",
                 "symbol,size,price,ts_ms,venue\n"
                 "ODD,1,10,1700000000000,P\n"
                 "ODD,1,11,1700000010000,P\n"
                 "ODD,1,12,1700000005000,P\n"    // late
                 "ODD,0,13,1700000011000,P\n"    // size_out_of_range
                 "ODD,1,0,1700000012000,P\n")};  // price_out_of_range
  }
  counts rows;
  for (const auto* list : {&*files, &odd})
    for (const auto& file : *list) count_rows(file, rows);
  // Lines that are no records are skipped, counted and told; they are no rows.
  for (const auto& file : odd)
    write_file(file, [&] {
      std::string text;
      for (const auto& line : file_lines(file)) text += line + '\n';
      return text + "ODD,1,10\nODD,1,10,soon,P\n";
    }());
  auto all = *files;
  all.insert(all.end(), odd.begin(), odd.end());
  const auto said = node.feed(all);
  CHECK(said.at("skipped_lines") == 2 * odd.size());
  node.check_accounts(rows);
  auto trades = *files;
  std::erase_if(trades, [](const std::string& file) { return !holds_trades(file); });
  node.check_bars(trades, odd.empty() ? "true" : "symbol <> 'ODD'");
  if (odd.empty()) return;
  CHECK(node.run().rows("select * from refusals") ==
        json{{{"symbol", "ODD"}, {"reason", "late"}, {"count", 1}}});
  words reasons;
  for (const auto& letter : node.run().read("dead-letter")) reasons.push_back(letter.at("reason"));
  std::ranges::sort(reasons);
  CHECK(reasons == words{"price_out_of_range", "size_out_of_range"});
}

TEST_CASE("daily bars from CSV are in the view as they are in the files") {
  fed_node node(R"(["1d"])");
  auto files = files_from("TROUPE_TEST_DAILY");
  if (!files) {
    write_file(node.run().path("XYZ.csv"),
               "date,open,high,low,close,volume\n"
               "1998-01-02,97.3100,97.5300,96.5300,97.3600,2150000\n"
               "1998-01-05,97.8400,98.4400,96.7800,97.7500,4030800\n"
               "2000-02-29,100,100.00000001,99.9,100.00000000,0\n");
    write_file(node.run().path("Q.csv"), "date,volume,close,low,high,open\n1970-01-01,7,2,1,4,3\n");
    files = {node.run().path("XYZ.csv"), gzipped(node.run().path("Q.csv"))};
  }
  counts rows;
  words expected;
  for (const auto& file : *files) {
    auto symbol = std::filesystem::path(file).stem();
    if (symbol.extension() == ".csv") symbol = symbol.stem();
    const auto lines = file_lines(file);
    const auto header = fields_of(lines.at(0));
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const auto row = fields_of(lines[i]);
      std::string bar = symbol.string();
      for (const auto* name : {"date", "open", "high", "low", "close", "volume"})
        bar += '|' + trimmed(row.at(static_cast<std::size_t>(std::ranges::find(header, name) -
                                                             header.begin())));
      expected.push_back(bar);
      ++rows[{symbol, "bar"}];
    }
  }
  CHECK(node.feed(*files).at("skipped_lines") == 0);
  node.check_accounts(rows);
  auto found = lines_of(node.run().sql(
      "select string_agg(concat_ws('|', symbol, to_char(open_time at time zone 'UTC', "
      "'YYYY-MM-DD'), trim_scale(open), trim_scale(high), trim_scale(low), trim_scale(close), "
      "trim_scale(volume)), E'\\n') from bars where period = '1d'"));
  std::ranges::sort(found);
  std::ranges::sort(expected);
  CHECK(first_difference(found, expected) == "");
}

namespace {

/// Frames of a minute and a half, as a recorder writes them.
std::string frames() {
  std::string text;
  std::int64_t ms = 1'700'000'000'000;
  const auto frame = [&](const std::string& stream, const std::string& data) {
    text += std::to_string((ms + 3) * 1'000'000) + R"( {"stream":")" + stream + R"(","data":)" +
            data + "}\n";
  };
  const auto trade = [&](int id) {
    const auto time = std::to_string(ms);
    frame("btcusdt@trade", R"({"e":"trade","E":)" + time + R"(,"s":"BTCUSDT","t":)" +
                               std::to_string(id) + R"(,"p":"6168)" + std::to_string(id * 7 % 10) +
                               '.' + std::to_string(10 + id * 13 % 90) + R"(000000","q":"0.000)" +
                               std::to_string(id * 31 % 100) + R"(1","T":)" + time +
                               R"(,"m":true,"M":true})");
  };
  const auto book = [&](int id) {
    frame("btcusdt@bookTicker",
          R"({"u":)" + std::to_string(id) +
              R"(,"s":"BTCUSDT","b":"61685.99","B":"1.2","a":"61686","A":"2"})");
  };
  for (int i = 1; i <= 300; ++i, ms += 310) {
    trade(i);
    if (i % 50 == 0) trade(i);  // Once more.
    if (i % 2 == 0) book(i);
    if (i % 60 == 0) book(i - 30);  // Too late.
    if (i % 30 == 0)
      frame("btcusdt@depth@100ms", R"({"e":"depthUpdate","E":1,"s":"BTCUSDT","b":[],"a":[]})");
    if (i % 100 == 0)
      frame("ethusdt@kline_1m",
            R"({"e":"kline","E":1,"s":"ETHUSDT","k":{"t":)" + std::to_string(ms / 60'000 * 60'000) +
                R"(,"i":"1m","o":"2500.1","c":"2500.2","h":"2501","l":"2499.99","v":"12.5","n":4,)"
                R"("x":true}})");
  }
  return text;
}

}  // namespace

TEST_CASE("frames of Binance: each by its kind, bars of their trades to the last digit") {
  fed_node node(R"(["1s", "1m", "1h"])");
  auto files = files_from("TROUPE_TEST_FRAMES");
  const bool own = !files;
  if (own) {
    write_file(node.run().path("btcusdt.frames"), frames());
    files = {gzipped(node.run().path("btcusdt.frames"))};
  }
  counts rows;
  std::map<std::string, std::int64_t> last_trade;
  std::string trades = "ts_ms,symbol,price,size\n";
  for (const auto& file : *files)
    for (const auto& line : file_lines(file)) {
      const auto payload = json::parse(line.substr(line.find('{')));
      const auto& data = payload.at("data");
      const auto symbol = data.at("s").get<std::string>();
      const auto event = fed_node::event_of(payload);
      ++rows[{symbol, event}];
      if (event != "trade" || data.at("t") <= last_trade[symbol]) continue;
      last_trade[symbol] = data.at("t");
      trades += data.at("T").dump() + ',' + symbol + ',' + data.at("p").get<std::string>() + ',' +
                data.at("q").get<std::string>() + '\n';
    }
  CHECK(node.feed(*files).at("skipped_lines") == 0);
  node.check_accounts(rows);
  write_file(node.run().path("trades.csv"), trades);
  node.check_bars({node.run().path("trades.csv")}, own ? "symbol <> 'ETHUSDT'" : "true");
  for (const auto& letter : node.run().read("dead-letter"))
    CHECK(letter.at("reason") == "unknown_type");
  if (!own) return;
  CHECK(node.run().rows("select * from refusals order by reason") ==
        json{{{"symbol", "BTCUSDT"}, {"reason", "duplicate"}, {"count", 6}},
             {{"symbol", "ETHUSDT"}, {"reason", "stale_bar"}, {"count", 1}},
             {{"symbol", "BTCUSDT"}, {"reason", "stale_quote"}, {"count", 5}}});
  CHECK(node.bars("1m", "symbol = 'ETHUSDT'") ==
        words{"ETHUSDT|1699999980|2500.1|2501|2499.99|2500.2|12.5|4",
              "ETHUSDT|1700000040|2500.1|2501|2499.99|2500.2|12.5|4"});
}
