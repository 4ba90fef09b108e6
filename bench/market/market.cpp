// Nanoseconds per record of the market decoder and per trade of a symbol, on generated input.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/market/market_decoder.hpp"
#include "actors/market/symbol.hpp"

namespace {

using namespace troupe;
using namespace troupe::market;

constexpr int rounds = 15;
constexpr std::size_t records_a_call = 500, symbols = 200;
constexpr std::int64_t begin_micros = 1'700'000'000'000'000;

struct sample {
  std::vector<std::string> keys, payloads;
  std::vector<record_view> records;
};

using payload_maker = std::function<std::string(const std::string& symbol, std::size_t i)>;

sample make_sample(std::size_t count, const payload_maker& make) {
  sample s;
  for (std::size_t i = 0; i < count; ++i) {
    s.keys.push_back("SYM" + std::to_string(i * 7919 % symbols));
    s.payloads.push_back(make(s.keys.back(), i));
  }
  for (std::size_t i = 0; i < count; ++i)
    s.records.push_back(
        {s.keys[i], s.payloads[i], static_cast<std::int64_t>(i), 1'700'000'000'000});
  return s;
}

std::string own_trade(const std::string& symbol, std::size_t i) {
  return R"({"type":"trade","symbol":")" + symbol + R"(","time":)" +
         std::to_string(begin_micros + static_cast<std::int64_t>(i) * 1000) + R"(,"price":"167.)" +
         std::to_string(10 + i % 90) + R"(","size":"210","id":)" + std::to_string(i) + "}";
}

std::string own_quote(const std::string& symbol, std::size_t i) {
  return R"({"type":"quote","symbol":")" + symbol + R"(","time":)" +
         std::to_string(begin_micros + static_cast<std::int64_t>(i) * 1000) +
         R"(,"bid":"182.01","bid_size":"100","ask":"182.)" + std::to_string(10 + i % 90) +
         R"(","ask_size":"300"})";
}

std::string binance_trade(const std::string& symbol, std::size_t i) {
  return R"({"stream":"x@trade","data":{"e":"trade","E":1723161601438,"s":")" + symbol +
         R"(","t":)" + std::to_string(3'735'693'016 + i) +
         R"(,"p":"61685.99000000","q":"0.00017000","T":1723161601437,"m":true,"M":true}})";
}

std::string binance_book(const std::string& symbol, std::size_t i) {
  return R"({"stream":"x@bookTicker","data":{"u":)" + std::to_string(50'093'421'613 + i) +
         R"(,"s":")" + symbol +
         R"(","b":"61685.99000000","B":"1.25869000","a":"61686.00000000","A":"2.44816000"}})";
}

class counting_sink final : public decoder_sink {
 public:
  void deliver(std::string_view, event_batch_ptr events) override { taken += events->size(); }
  void deliver(const record_view&, entity_id, message, std::string) override { ++refused; }
  void refuse(const record_view&, std::string_view, std::string_view) override { ++refused; }

  std::size_t taken = 0, refused = 0;
};

class deaf_listener final : public symbol_listener {
 public:
  void bar_closed(period, const price_bar&, std::span<const double>) override { ++bars; }
  void second_ended(std::int64_t, const top_of_book&) override { ++seconds; }

  std::size_t bars = 0, seconds = 0;
};

/// CPU time of this thread: the machine may be shared.
double cpu_nanos() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Best of all rounds, in nanoseconds a unit.
double best_of(std::size_t units, const std::function<void()>& work) {
  double best = 1e18;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = cpu_nanos();
    work();
    const auto spent = cpu_nanos() - begin;
    best = std::min(best, spent / static_cast<double>(units));
  }
  return best;
}

double decode_nanos(const payload_maker& make) {
  const auto s = make_sample(100'000, make);
  market_decoder decoder{market_options{}};
  return best_of(s.records.size(), [&] {
    counting_sink sink;
    const std::span<const record_view> all(s.records);
    for (std::size_t at = 0; at < all.size(); at += records_a_call)
      decoder.decode(all.subspan(at, std::min(records_a_call, all.size() - at)), sink);
    if (sink.taken != s.records.size()) std::abort();
  });
}

market_event trade_at(std::size_t i, std::int64_t gap_micros) {
  market_event e;
  e.time = begin_micros + static_cast<std::int64_t>(i) * gap_micros;
  e.id = static_cast<std::int64_t>(i);
  e.price = fixed::from_raw((16'700 + static_cast<std::int64_t>(i * 7919 % 100)) * 1'000'000);
  e.size = fixed::from_raw(210 * fixed::scale);
  return e;
}

double absorb_nanos(const std::vector<std::string>& periods) {
  std::vector<market_event> events;
  for (std::size_t i = 0; i < 100'000; ++i) events.push_back(trade_at(i, 10'000));
  const market_batch batch(events, {});
  market_options options;
  options.periods = periods;
  const symbol_rules rules(options);
  return best_of(events.size(), [&] {
    symbol s(rules);
    deaf_listener out;
    std::size_t done = 0;
    s.apply(batch, done, out);
    if (s.counters().applied[0] != 100'000) std::abort();
  });
}

/// Every trade closes a one-second bar: bar, indicators and all.
double bar_nanos() {
  std::vector<market_event> events;
  for (std::size_t i = 0; i < 20'000; ++i) events.push_back(trade_at(i, 1'000'000));
  const market_batch batch(events, {});
  market_options options;
  options.periods = {"1s"};
  const symbol_rules rules(options);
  return best_of(events.size(), [&] {
    symbol s(rules);
    deaf_listener out;
    std::size_t done = 0;
    s.apply(batch, done, out);
    if (out.bars + 1 != events.size()) std::abort();
  });
}

symbol warm_symbol(const symbol_rules& rules) {
  std::vector<market_event> events;
  for (std::size_t i = 0; i < 5'000; ++i) events.push_back(trade_at(i, 1'000'000));
  symbol s(rules);
  deaf_listener out;
  std::size_t done = 0;
  s.apply(market_batch(events, {}), done, out);
  return s;
}

void print(bool json, std::string_view metric, double value, std::string_view unit) {
  if (json)
    std::printf(R"({"bench": "market", "metric": "%.*s", "value": %.1f, "unit": "%.*s"})"
                "\n",
                static_cast<int>(metric.size()), metric.data(), value,
                static_cast<int>(unit.size()), unit.data());
  else
    std::printf("%-36.*s %10.1f %.*s\n", static_cast<int>(metric.size()), metric.data(), value,
                static_cast<int>(unit.size()), unit.data());
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  print(json, "decode own trade", decode_nanos(own_trade), "ns/record");
  print(json, "decode own quote", decode_nanos(own_quote), "ns/record");
  print(json, "decode Binance trade", decode_nanos(binance_trade), "ns/record");
  print(json, "decode Binance bookTicker", decode_nanos(binance_book), "ns/record");
  print(json, "absorb a trade, 1m", absorb_nanos({"1m"}), "ns/trade");
  print(json, "absorb a trade, all six periods",
        absorb_nanos({"1s", "1m", "5m", "15m", "1h", "1d"}), "ns/trade");
  print(json, "close a bar with 12 indicators", bar_nanos(), "ns/bar");
  market_options options;
  const symbol_rules rules(options);
  const auto warm = warm_symbol(rules);
  const auto state = warm.save();
  print(json, "save a symbol", best_of(1, [&] { (void)warm.save(); }), "ns");
  print(json, "load a symbol", best_of(1, [&] { symbol(rules).load(state); }), "ns");
  print(json, "state of a symbol", static_cast<double>(state.size()), "bytes");
}
