#include "actors/trading/recording.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "tests/actors/trading/sweep/sweep_support.hpp"

using namespace troupe;
using namespace troupe::trading;
using namespace troupe::trading::test;

namespace {

/// Every member of every event and detail, as text.
std::string all_of(std::span<const symbol_data> data) {
  std::string text;
  const auto put = [&](wide n) { text += to_string(n) + ' '; };
  for (const auto& one : data) {
    text += one.rules.symbol + ": ";
    for (const auto& e : one.events)
      for (const wide n : {wide{e.time}, wide{e.id}, wide{e.offset}, wide{e.price.raw()},
                           wide{e.size.raw()}, wide{e.ask.raw()}, wide{e.ask_size.raw()},
                           wide{e.detail}, wide(e.kind), wide(e.length), wide{e.flags}})
        put(n);
    for (const auto& x : one.details)
      for (const wide n :
           {x.volume, x.quote_volume, wide{x.open.raw()}, wide{x.high.raw()}, wide{x.low.raw()},
            wide{x.close.raw()}, wide{x.trades}, wide{x.open_time}})
        put(n);
    text += '\n';
  }
  return text;
}

/// Numbers at the ends of what there can be.
symbol_data extremes() {
  constexpr auto least = std::numeric_limits<std::int64_t>::min(),
                 most = std::numeric_limits<std::int64_t>::max();
  symbol_data data;
  data.rules.symbol = "E/M";
  std::int64_t offset = 0;
  for (const auto n : {least, most, std::int64_t{0}, least, std::int64_t{-1}, most}) {
    market::market_event e;
    e.kind = market::event_kind::quote;
    e.flags = 7;
    e.offset = offset;
    offset = offset == 0 ? 1'000'000'000'000 : offset + 1;
    e.time = e.id = n;
    e.price = e.ask = fixed::from_raw(n);
    e.size = e.ask_size = fixed::from_raw(most);
    data.events.push_back(e);
  }
  market::ohlcv x;
  x.volume = ~(wide{1} << 126);
  x.quote_volume = wide{most} * most;
  x.open = fixed::from_raw(least);
  data.details.push_back(x);
  data.details.emplace_back();
  return data;
}

}  // namespace

TEST_CASE("what was recorded comes back to the last bit, and equal data gives equal bytes") {
  const std::vector<symbol_data> data{bars_of("X", 1, 500), extremes(), bars_of("Y", 2, 3), {}};
  const auto bytes = encode_recording(data);
  const auto back = decode_recording(bytes);
  REQUIRE(back.size() == data.size());
  CHECK(all_of(back) == all_of(data));
  CHECK(encode_recording(back) == bytes);
  auto changed = data;
  changed[0].details[499].close = fixed::from_raw(1);
  CHECK(encode_recording(changed) != bytes);
}

TEST_CASE("a recording is far smaller than what it takes in memory") {
  const std::vector<symbol_data> data{bars_of("X", 3, 10'000)};
  CHECK(encode_recording(data).size() * 3 < bytes_of(data));
}

TEST_CASE("whatever is no recording is refused by name, never more") {
  const std::vector<symbol_data> data{bars_of("X", 4, 20)};
  const auto bytes = encode_recording(data);
  CHECK_THROWS_WITH_AS(decode_recording("date,open\n"),
                       "not a recording, or one of another version of troupe", bad_recording);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_THROWS_AS(decode_recording(bytes.substr(0, size)), bad_recording);
  CHECK_THROWS_WITH_AS(decode_recording(bytes + "x"), "the recording goes on behind its end",
                       bad_recording);
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (const int bit : {1, 16, 128}) {
      auto damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ bit);
      std::size_t symbols = 0;
      try {
        symbols = decode_recording(damaged).size();
      } catch (const bad_recording&) {
      }
      CHECK(symbols <= 1);
    }
}
