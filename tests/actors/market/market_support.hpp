#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/market/market_decoder.hpp"
#include "actors/market/symbol.hpp"

namespace troupe::market::test {

/// Keeps what a decoder makes of records.
class kept_deliveries final : public decoder_sink {
 public:
  struct refusal {
    std::int64_t offset;
    std::string reason, detail;
  };

  void deliver(std::string_view key, event_batch_ptr events) override {
    batches.emplace_back(key, std::dynamic_pointer_cast<const market_batch>(events));
  }
  void deliver(const record_view&, entity_id, message, std::string) override { ++messages; }
  void refuse(const record_view& record, std::string_view reason,
              std::string_view detail) override {
    refusals.push_back({record.offset, std::string(reason), std::string(detail)});
  }

  std::size_t delivered() const {
    std::size_t sum = 0;
    for (const auto& [key, batch] : batches) sum += batch->size();
    return sum;
  }

  std::vector<std::pair<std::string, std::shared_ptr<const market_batch>>> batches;
  std::vector<refusal> refusals;
  std::size_t messages = 0;
};

inline constexpr std::int64_t record_millis = 1'700'000'000'123;

inline kept_deliveries decode_one(std::string_view key, std::string_view payload,
                                  std::int64_t timestamp_ms = record_millis) {
  market_decoder decoder{market_options{}};
  kept_deliveries kept;
  const record_view record{key, payload, 77, timestamp_ms};
  decoder.decode({&record, 1}, kept);
  return kept;
}

/// Keeps what a symbol brings forth.
class kept_output final : public symbol_listener {
 public:
  struct closed_bar {
    period length;
    price_bar bar;
    std::vector<double> values;
  };
  struct ended_second {
    std::int64_t second;
    top_of_book top;
    bool operator==(const ended_second&) const = default;
  };

  void bar_closed(period length, const price_bar& bar, std::span<const double> values) override {
    bars.push_back({length, bar, {values.begin(), values.end()}});
  }
  void second_ended(std::int64_t second, const top_of_book& last) override {
    seconds.push_back({second, last});
  }

  std::vector<closed_bar> bars;
  std::vector<ended_second> seconds;
};

constexpr fixed units(double whole_and_cents) {
  return fixed::from_raw(static_cast<std::int64_t>(whole_and_cents * 100 + 0.5) * 1'000'000);
}

inline market_event trade(std::int64_t time, double price, double size,
                          std::int64_t id = market_event::no_id) {
  market_event e;
  e.time = time;
  e.id = id;
  e.price = units(price);
  e.size = units(size);
  return e;
}

inline market_event quote(std::int64_t time, double bid, double ask,
                          std::int64_t id = market_event::no_id) {
  market_event e;
  e.kind = event_kind::quote;
  e.time = time;
  e.id = id;
  e.flags = market_event::has_bid | market_event::has_ask;
  e.price = units(bid);
  e.size = units(1);
  e.ask = units(ask);
  e.ask_size = units(2);
  return e;
}

inline ohlcv flat(double price, double volume) {
  ohlcv x;
  x.open = x.high = x.low = x.close = units(price);
  x.volume = units(volume).raw();
  x.trades = 3;
  return x;
}

inline market_event bar_event(period length, std::int64_t open_time, std::uint32_t detail,
                              bool forming = false) {
  market_event e;
  e.kind = event_kind::bar;
  e.length = length;
  e.time = open_time;
  e.detail = detail;
  e.flags = forming ? market_event::forming : 0;
  return e;
}

inline market_options options_with(std::vector<std::string> periods, std::int64_t lateness_ms = 0) {
  market_options options;
  options.periods = std::move(periods);
  options.lateness_max = std::chrono::milliseconds(lateness_ms);
  return options;
}

inline void apply(symbol& to, const std::vector<market_event>& events, symbol_listener& out,
                  const std::vector<ohlcv>& details = {}) {
  std::size_t done = 0;
  to.apply(market_batch(events, details), done, out);
}

inline std::int64_t refused(const symbol& s, refusal r) {
  return s.counters().refused[static_cast<std::size_t>(r)];
}

inline bool adds_up(const symbol_counters& c) {
  std::int64_t balance = 0;
  for (auto n : c.received) balance += n;
  for (auto n : c.applied) balance -= n;
  for (auto n : c.refused) balance -= n;
  return balance == 0;
}

}  // namespace troupe::market::test
