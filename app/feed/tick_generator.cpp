#include "app/feed/tick_generator.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace troupe::feed {

namespace {

constexpr std::uint32_t guide_bits = 12, gap_bits = 12;
constexpr double us_per_minute = 60e6;
constexpr std::int64_t price_min = 100;

std::uint64_t mixed(std::uint64_t x) {  // SplitMix64's output function.
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Between 5 and 500, the same for a seed whatever the number of symbols.
std::int64_t base_price(std::uint64_t seed, std::uint32_t symbol) {
  const auto share =
      static_cast<double>(mixed(seed * 0x9e3779b97f4a7c15ULL + symbol + 1) >> 11) * 0x1p-53;
  return static_cast<std::int64_t>(500 * std::pow(100.0, share));
}

/// Round lots mostly, now and then a block or an odd lot.
std::int64_t size_of(std::uint64_t bits) {
  const auto lots = static_cast<std::int64_t>(1 + (bits & 7));
  const auto what = (bits >> 3) & 31;
  if (what == 0) return lots * 1'000;
  return what < 8 ? lots * 10 + static_cast<std::int64_t>((bits >> 8) & 7) : lots * 100;
}

void append(std::string& to, std::int64_t number) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  to.append(text, end);
}

void append_cents(std::string& to, std::int64_t cents) {
  append(to, cents / 100);
  const char rest[] = {'.', static_cast<char>('0' + cents % 100 / 10),
                       static_cast<char>('0' + cents % 10)};
  to.append(rest, sizeof rest);
}

}  // namespace

tick_generator::tick_generator(const generator_shape& shape, std::int64_t start_us)
    : tick_generator(shape, {shape.seed, shape.seed, start_us, 0, {}}, start_us) {}

tick_generator::tick_generator(const generator_shape& shape, generator_state from,
                               std::int64_t start_us)
    : shape_(shape), state_(std::move(from)) {
  if (state_.seed != shape.seed) state_.seed = state_.random = shape.seed;
  state_.time_us = std::max(state_.time_us, start_us);
  for (std::uint32_t s = 0; s < shape.symbols; ++s) bases_.push_back(base_price(shape.seed, s));
  for (auto s = state_.mids.size(); s < shape.symbols; ++s) state_.mids.push_back(bases_[s]);
  make_weights();
  const auto mean_us = us_per_minute / (shape.rate * shape.symbols);
  constexpr auto quantiles = 1U << gap_bits;
  for (std::uint32_t q = 0; q < quantiles; ++q)
    gaps_.push_back(-mean_us * std::log((q + 0.5) / quantiles));
}

/// The n-th symbol's share falls with the root of n.
void tick_generator::make_weights() {
  std::vector<double> sums;
  double sum = 0;
  for (std::uint32_t s = 0; s < shape_.symbols; ++s) sums.push_back(sum += 1 / std::sqrt(s + 1.0));
  for (const auto upto : sums)
    limits_.push_back(static_cast<std::uint32_t>(upto / sum * 0xffffffffU));
  limits_.back() = 0xffffffffU;
  for (std::uint32_t top = 0; top < 1U << guide_bits; ++top) {
    const auto first = std::lower_bound(limits_.begin(), limits_.end(), top << (32 - guide_bits));
    guide_.push_back(static_cast<std::uint32_t>(first - limits_.begin()));
  }
}

std::uint64_t tick_generator::draw() {
  return mixed(state_.random += 0x9e3779b97f4a7c15ULL);
}

std::uint32_t tick_generator::pick_symbol(std::uint64_t bits) const {
  const auto point = static_cast<std::uint32_t>(bits);
  auto s = guide_[point >> (32 - guide_bits)];
  while (limits_[s] < point) ++s;
  return s;
}

/// A tick up or down half of the time, a little more often back to where the price began.
void tick_generator::walk(std::int64_t& mid, std::int64_t base, std::uint64_t bits) const {
  if ((bits & 1) == 0) return;
  const auto step = std::max<std::int64_t>(1, base / 10'000);
  const auto pull = (base - mid) * 16 / base;  // Out of 128.
  const bool up = static_cast<std::int64_t>((bits >> 1) & 127) < 64 + pull;
  mid = std::max(price_min, mid + (up ? step : -step));
}

const tick& tick_generator::next() {
  const auto first = draw(), second = draw();
  // Fractions of a microsecond are rounded by chance, so that no state but whole numbers has to be
  // kept.
  const auto chance = static_cast<double>((first >> 32) & 1023) / 1024;
  const auto gap = static_cast<std::int64_t>(gaps_[first >> (64 - gap_bits)] + chance);
  const auto s = pick_symbol(first);
  auto& mid = state_.mids[s];
  walk(mid, bases_[s], second);
  state_.time_us += gap;
  tick_.symbol = s;
  tick_.time_us = state_.time_us;
  tick_.id = ++state_.last_id;
  const auto half =
      std::max<std::int64_t>(1, bases_[s] / 10'000) + static_cast<std::int64_t>((second >> 8) & 1);
  const auto bid = std::max<std::int64_t>(1, mid - half), ask = mid + half;
  if (((second >> 9) & 15) < 6) {
    tick_.kind = tick::what::trade;
    tick_.price = (second >> 13) & 1 ? bid : ask;
    tick_.size = size_of(second >> 16);
  } else {
    tick_.kind = tick::what::quote;
    tick_.bid = bid;
    tick_.ask = ask;
    tick_.bid_size = size_of(second >> 16);
    tick_.ask_size = size_of(second >> 32);
  }
  return tick_;
}

std::string symbol_name(std::uint32_t symbol) {
  char text[16];
  std::snprintf(text, sizeof text, "SYM%04u", symbol + 1);
  return text;
}

void append_json(std::string& to, const tick& t, std::string_view name) {
  const auto field = [&to](std::string_view before, std::int64_t value,
                           void (*write)(std::string&, std::int64_t)) {
    to += before;
    write(to, value);
  };
  const bool trade = t.kind == tick::what::trade;
  to += trade ? R"({"type":"trade","symbol":")" : R"({"type":"quote","symbol":")";
  to += name;
  field(R"(","time":)", t.time_us, append);
  if (trade) {
    field(R"(,"price":")", t.price, append_cents);
    field(R"(","size":")", t.size, append);
  } else {
    field(R"(,"bid":")", t.bid, append_cents);
    field(R"(","bid_size":")", t.bid_size, append);
    field(R"(","ask":")", t.ask, append_cents);
    field(R"(","ask_size":")", t.ask_size, append);
  }
  field(R"(","id":)", t.id, append);
  to += '}';
}

void append_csv(std::string& to, const tick& t, std::string_view name) {
  append(to, t.time_us / 1'000);
  (to += ',') += name;
  const auto pair = [&to](std::int64_t price, std::int64_t size) {
    append_cents(to += ',', price);
    append(to += ',', size);
  };
  if (t.kind == tick::what::trade) {
    pair(t.price, t.size);
  } else {
    pair(t.bid, t.bid_size);
    pair(t.ask, t.ask_size);
  }
  to += ",G,,0\n";
}

}  // namespace troupe::feed
