#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::feed {

/// A made-up trade or quote; prices in cents.
struct tick {
  enum class what : std::uint8_t { trade, quote };
  what kind = what::trade;
  std::uint32_t symbol = 0;
  std::int64_t time_us = 0;
  std::int64_t id = 0;
  std::int64_t price = 0, size = 0;                           // Trades.
  std::int64_t bid = 0, bid_size = 0, ask = 0, ask_size = 0;  // Quotes.
};

/// What the market looks like.
struct generator_shape {
  std::uint32_t symbols = 200;
  std::uint64_t seed = 1;
  /// Mean events of a symbol in a minute; the first symbols get more of them, the last ones less.
  double rate = 800;
  bool operator==(const generator_shape&) const = default;
};

/// Where a generator stands: one that goes on from here makes what this one would have made.
struct generator_state {
  std::uint64_t seed = 0;
  std::uint64_t random = 0;
  std::int64_t time_us = 0;
  std::int64_t last_id = 0;
  std::vector<std::int64_t> mids;  // In cents, a symbol each.
  bool operator==(const generator_state&) const = default;
};

/// Random trades and quotes: prices walk by ticks around where they began, quotes stand around the
/// price, trades happen at one of its sides. Times never step back; ids grow with every event,
/// whatever its symbol.
class tick_generator {
 public:
  tick_generator(const generator_shape& shape, std::int64_t start_us);
  /// Goes on from `from`; another seed or more symbols are fine. Times go on after the later of
  /// `from` and `start_us`.
  tick_generator(const generator_shape& shape, generator_state from, std::int64_t start_us);

  /// The reference is good until the next call.
  const tick& next();
  const generator_state& state() const { return state_; }

 private:
  std::uint64_t draw();
  void make_weights();
  std::uint32_t pick_symbol(std::uint64_t bits) const;
  void walk(std::int64_t& mid, std::int64_t base, std::uint64_t bits) const;

  generator_shape shape_;
  generator_state state_;
  std::vector<std::uint32_t> limits_;  // Cumulated weights.
  std::vector<std::uint32_t> guide_;   // First symbol worth looking at, by the top bits of a draw.
  std::vector<std::int64_t> bases_;
  std::vector<double> gaps_;  // Quantiles of the time between two events, µs.
  tick tick_;
};

/// `SYM0001` for 0.
std::string symbol_name(std::uint32_t symbol);

/// Appends the record as Troupe's own JSON, without a line end.
void append_json(std::string& to, const tick& t, std::string_view name);
/// Appends the line of a trades' or quotes' CSV file, with a line end; times in milliseconds.
void append_csv(std::string& to, const tick& t, std::string_view name);
inline constexpr std::string_view csv_trades_header =
    "ts_ms,symbol,price,size,venue,condition,suspicious";
inline constexpr std::string_view csv_quotes_header =
    "ts_ms,symbol,bid,bid_size,ask,ask_size,venue,condition,suspicious";

}  // namespace troupe::feed
