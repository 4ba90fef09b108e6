#include <doctest/doctest.h>

#include "market_support.hpp"

using namespace troupe;
using namespace troupe::market;
using namespace troupe::market::test;

namespace {

/// The one event of a record that must be taken.
struct decoded {
  market_event event;
  ohlcv extra;
};

decoded event_of(std::string_view key, std::string_view payload) {
  const auto kept = decode_one(key, payload);
  INFO(payload);
  for (const auto& r : kept.refusals) INFO(r.reason << ' ' << r.detail);
  REQUIRE(kept.refusals.empty());
  REQUIRE(kept.batches.size() == 1);
  REQUIRE(kept.batches[0].first == key);
  REQUIRE(kept.batches[0].second->size() == 1);
  CHECK(kept.batches[0].second->at(0) == position{77});
  const auto& e = kept.batches[0].second->events()[0];
  const bool has_extra = e.kind == event_kind::bar || e.kind == event_kind::ticker;
  return {e, has_extra ? kept.batches[0].second->detail_of(e) : ohlcv{}};
}

}  // namespace

TEST_CASE("own trade: numbers as strings or as JSON numbers") {
  for (
      const auto* payload :
      {R"({"type":"trade","symbol":"SPY","time":1381219217034000,"price":"167.42","size":"210","id":9})",
       R"({"type":"trade","symbol":"SPY","time":1381219217034000,"price":167.42,"size":210,"id":9})",
       R"( { "id" : 9 , "size" : "210.00000000" , "x" : [1,{"price":"1"}], "price" : "167.42000000",
              "time" : "1381219217034000" , "symbol" : "SPY" , "type" : "trade" } )"}) {
    const auto [e, _] = event_of("SPY", payload);
    CHECK(e.kind == event_kind::trade);
    CHECK(e.time == 1'381'219'217'034'000);
    CHECK(e.price == fixed::from_raw(16'742'000'000));
    CHECK(e.size == fixed::from_raw(21'000'000'000));
    CHECK(e.id == 9);
  }
}

TEST_CASE("own trade without an id, key in another case") {
  const auto [e, _] = event_of(
      "spy",
      R"({"type":"trade","symbol":"SPY","time":0,"price":"0.00000001","size":"1","id":null})");
  CHECK(e.id == market_event::no_id);
  CHECK(e.price.raw() == 1);
}

TEST_CASE("own quote: a side that is absent is not told") {
  const auto bid =
      event_of("IBM", R"({"type":"quote","symbol":"IBM","time":5,"bid":"180.01","bid_size":"200"})")
          .event;
  CHECK(bid.kind == event_kind::quote);
  CHECK(bid.flags == market_event::has_bid);
  CHECK(bid.price == units(180.01));
  CHECK(bid.size == units(200));
  const auto ask = event_of("IBM", R"({"type":"quote","symbol":"IBM","time":5,"bid":null,)"
                                   R"("bid_size":null,"ask":182.62,"ask_size":100,"id":4})")
                       .event;
  CHECK(ask.flags == market_event::has_ask);
  CHECK(ask.ask == units(182.62));
  CHECK(ask.ask_size == units(100));
  CHECK(ask.id == 4);
}

TEST_CASE("own quote: crossed and empty sides are taken") {
  const auto e =
      event_of("IBM", R"({"type":"quote","symbol":"IBM","time":5,"bid":"12","bid_size":"0",)"
                      R"("ask":"0","ask_size":"0.00"})")
          .event;
  CHECK(e.flags == (market_event::has_bid | market_event::has_ask));
  CHECK(e.price == units(12));
  CHECK(e.ask == fixed{});
  event_of("IBM", R"({"type":"quote","symbol":"IBM","time":5,"bid":"13","bid_size":"1","ask":"12",)"
                  R"("ask_size":"1"})");
}

TEST_CASE("own bar") {
  const auto [e, x] = event_of(
      "SPY", R"({"type":"bar","symbol":"SPY","period":"1d","time":883699200000000,"open":"97.31",)"
             R"("high":"97.53","low":"96.53","close":"97.36","volume":"2150000"})");
  CHECK(e.kind == event_kind::bar);
  CHECK(e.length == period::d1);
  CHECK(e.flags == 0);
  CHECK(e.time == 883'699'200'000'000);
  CHECK(x.open == units(97.31));
  CHECK(x.high == units(97.53));
  CHECK(x.low == units(96.53));
  CHECK(x.close == units(97.36));
  CHECK(x.volume == wide{2'150'000} * fixed::scale);
  CHECK(x.trades == 0);
}

TEST_CASE("Binance trade, wrapped and bare, milliseconds and microseconds") {
  const std::string_view data =
      R"({"e":"trade","E":1723161601438,"s":"BTCUSDT","t":3735693016,"p":"61685.99000000",)"
      R"("q":"0.00017000","T":1723161601437,"m":true,"M":true})";
  const auto bare = event_of("BTCUSDT", data).event;
  CHECK(bare.kind == event_kind::trade);
  CHECK(bare.time == 1'723'161'601'437'000);
  CHECK(bare.id == 3'735'693'016);
  CHECK(bare.price.raw() == 6'168'599'000'000);
  CHECK(bare.size.raw() == 17'000);
  const auto wrapped =
      event_of("btcusdt", R"({"stream":"btcusdt@trade","data":)" + std::string(data) + "}").event;
  CHECK(wrapped.time == bare.time);
  CHECK(wrapped.price == bare.price);
  const auto micros =
      event_of("BTCUSDT", R"({"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1","q":"1",)"
                          R"("T":1723161601437123})")
          .event;
  CHECK(micros.time == 1'723'161'601'437'123);
}

TEST_CASE("Binance bookTicker: known by its stream or its shape, time of the record") {
  for (
      const auto* payload :
      {R"({"stream":"btcusdt@bookTicker","data":{"u":50093421613,"s":"BTCUSDT","b":"61685.99000000","B":"1.25869000","a":"61686.00000000","A":"2.44816000"}})",
       R"({"u":50093421613,"s":"BTCUSDT","b":"61685.99000000","B":"1.25869000","a":"61686.00000000","A":"2.44816000"})"}) {
    const auto e = event_of("BTCUSDT", payload).event;
    CHECK(e.kind == event_kind::quote);
    CHECK(e.time == record_millis * 1000);
    CHECK(e.id == 50'093'421'613);
    CHECK(e.price.raw() == 6'168'599'000'000);
    CHECK(e.size.raw() == 125'869'000);
    CHECK(e.ask.raw() == 6'168'600'000'000);
    CHECK(e.ask_size.raw() == 244'816'000);
  }
  const auto timed =
      event_of("X", R"({"e":"bookTicker","u":1,"E":1723161601437,"s":"X","b":"1","B":"1",)"
                    R"("a":"2","A":"1"})")
          .event;
  CHECK(timed.time == 1'723'161'601'437'000);
}

TEST_CASE("Binance 24hrTicker") {
  const auto [e, x] = event_of(
      "BNBBTC",
      R"({"e":"24hrTicker","E":1672515782136,"s":"BNBBTC","p":"-0.0015","P":"250.00","w":"0.0018","x":"0.0009","c":"0.0025","Q":"10","b":"0.0024","B":"10","a":"0.0026","A":"100","o":"0.0010","h":"0.0026","l":"0.0009","v":"123456789012345.5","q":"18","O":1672429382136,"C":1672515782136,"F":0,"L":18150,"n":18151})");
  CHECK(e.kind == event_kind::ticker);
  CHECK(e.time == 1'672'515'782'136'000);
  CHECK(x.open_time == 1'672'429'382'136'000);
  CHECK(x.high.raw() == 260'000);
  CHECK(x.close.raw() == 250'000);
  CHECK(x.volume == wide{1'234'567'890'123'455} * 10'000'000);
  CHECK(x.quote_volume == wide{18} * fixed::scale);
  CHECK(x.trades == 18'151);
}

TEST_CASE("Binance kline, closed and forming") {
  const auto payload = [](const char* closed) {
    return std::string(
               R"({"stream":"x@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0010","v":"1000","n":100,"x":)") +
           closed + R"(,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}})";
  };
  const auto [e, x] = event_of("BNBBTC", payload("true"));
  CHECK(e.kind == event_kind::bar);
  CHECK(e.length == period::m1);
  CHECK(e.time == 1'672'515'780'000'000);
  CHECK(e.flags == 0);
  CHECK(x.open.raw() == 100'000);
  CHECK(x.close.raw() == 200'000);
  CHECK(x.high.raw() == 250'000);
  CHECK(x.volume == wide{1000} * fixed::scale);
  CHECK(x.trades == 100);
  CHECK(event_of("BNBBTC", payload("false")).event.flags == market_event::forming);
}

TEST_CASE(
    "one batch a symbol and call, in order, with offsets; buffers do not leak into the next call") {
  const auto payload = [](std::string_view symbol, int i) {
    return R"({"type":"trade","symbol":")" + std::string(symbol) + R"(","time":)" +
           std::to_string(i) + R"(,"price":"1","size":"1"})";
  };
  const std::string keys[] = {"B", "A", "B", "C", "A", "B"};
  std::vector<std::string> payloads;
  std::vector<record_view> records;
  for (int i = 0; i < 6; ++i) payloads.push_back(i == 3 ? "{" : payload(keys[i], i));
  for (std::size_t i = 0; i < 6; ++i)
    records.push_back({keys[i], payloads[i], 100 + static_cast<std::int64_t>(i), 1});
  market_decoder decoder{market_options{}};
  for (int call = 0; call < 3; ++call) {
    kept_deliveries kept;
    decoder.decode(records, kept);
    REQUIRE(kept.batches.size() == 2);
    CHECK(kept.batches[0].first == "B");
    CHECK(kept.batches[1].first == "A");
    const auto& b = *kept.batches[0].second;
    REQUIRE(b.size() == 3);
    CHECK(b.at(0) == position{100});
    CHECK(b.at(1) == position{102});
    CHECK(b.at(2) == position{105});
    CHECK(b.events()[2].time == 5);
    REQUIRE(kept.refusals.size() == 1);
    CHECK(kept.refusals[0].offset == 103);
  }
}

TEST_CASE("bars of one batch keep their own details") {
  const auto payload = [](const char* period, const char* price) {
    return std::string(R"({"type":"bar","symbol":"A","time":0,"volume":"1","period":")") + period +
           R"(","open":)" + price + R"(,"high":)" + price + R"(,"low":)" + price + R"(,"close":)" +
           price + "}";
  };
  const std::string first = payload("1m", "1"), second = payload("1h", "2");
  const record_view records[] = {{"A", first, 0, 1}, {"A", second, 1, 1}};
  market_decoder decoder{market_options{}};
  kept_deliveries kept;
  decoder.decode(records, kept);
  const auto& batch = *kept.batches.at(0).second;
  CHECK(batch.detail_of(batch.events()[0]).open == units(1));
  CHECK(batch.detail_of(batch.events()[1]).open == units(2));
}
