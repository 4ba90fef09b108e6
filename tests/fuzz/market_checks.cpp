#include "tests/fuzz/market_checks.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/market/market_decoder.hpp"
#include "actors/market/symbol.hpp"
#include "runtime/base/ensure.hpp"

namespace troupe::market::fuzz {

namespace {

const symbol_rules& rules() {
  static const symbol_rules made = [] {
    market_options options;
    options.periods = {"1s", "1m", "1d"};
    options.lateness_max = std::chrono::milliseconds(1500);
    return symbol_rules(options);
  }();
  return made;
}

class deaf_listener final : public symbol_listener {
 public:
  void bar_closed(period, const price_bar& b, std::span<const double>) override {
    ensure(b.trades >= 0 && b.volume >= 0 && b.low <= b.high, "a sane bar");
  }
  void second_ended(std::int64_t second, const top_of_book&) override {
    ensure(second % second_micros == 0, "a whole second");
  }
};

/// What must hold of any symbol at any time; returns the symbol as it comes back from its state.
symbol reloaded(const symbol& s) {
  const auto state = s.save();
  symbol again(rules());
  again.load(state);
  ensure(again.save() == state, "a state loads back the same");
  std::int64_t balance = 0;
  for (auto n : s.counters().received) balance += n;
  for (auto n : s.counters().applied) balance -= n;
  for (auto n : s.counters().refused) balance -= n;
  ensure(balance == 0, "received = applied + refused");
  return again;
}

class symbols_sink final : public decoder_sink {
 public:
  void deliver(std::string_view key, event_batch_ptr events) override {
    ensure(events->size() > 0, "no empty batch");
    for (std::size_t i = 0; i < events->size(); ++i) seen(events->at(i).value());
    auto [at, fresh] = symbols.try_emplace(std::string(key), rules());
    deaf_listener out;
    std::size_t done = 0;
    at->second.apply(dynamic_cast<const market_batch&>(*events), done, out);
    ensure(done == events->size(), "all events are finished");
    at->second = reloaded(at->second);
  }
  void deliver(const record_view&, entity_id, message, std::string) override {
    ensure(false, "market records make no messages");
  }
  void refuse(const record_view& record, std::string_view reason, std::string_view) override {
    ensure(!reason.empty(), "every refusal has a name");
    seen(record.offset);
  }

  std::map<std::string, symbol> symbols;
  std::map<std::int64_t, int> accounted;

 private:
  void seen(std::int64_t offset) { ensure(++accounted[offset] == 1, "a record counts once"); }
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// Borrowed exactly as large as it is, so that a sanitizer sees any read behind it.
struct exact_copy {
  explicit exact_copy(std::string_view text) : bytes(text.begin(), text.end()) {}
  std::string_view view() const { return {bytes.data(), bytes.size()}; }
  std::vector<char> bytes;
};

}  // namespace

void check_decoder(std::string_view input) {
  std::vector<exact_copy> payloads;
  for (auto line : lines_of(input)) payloads.emplace_back(line);
  std::vector<record_view> records;
  for (const auto& p : payloads) {
    const bool crypto = p.view().find("BTCUSDT") != std::string_view::npos;
    records.push_back({crypto ? "BTCUSDT" : "SPY", p.view(),
                       static_cast<std::int64_t>(records.size()), 1'700'000'000'000});
  }
  market_decoder decoder{market_options{}};
  symbols_sink sink;
  const std::span<const record_view> all(records);
  decoder.decode(all.subspan(0, all.size() / 2), sink);
  decoder.decode(all.subspan(all.size() / 2), sink);
  ensure(sink.accounted.size() == records.size(), "every record is delivered or refused");
}

void check_state(std::string_view input) {
  symbol s(rules());
  try {
    s.load(input);
  } catch (const bad_state&) {
    return;
  }
  deaf_listener out;
  std::vector<market_event> events(6);
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].kind = i % 2 == 0 ? event_kind::trade : event_kind::quote;
    events[i].flags = market_event::has_bid;
    events[i].time = 1'700'000'000'000'000 + static_cast<std::int64_t>(i) * 30'000'000;
    events[i].price = events[i].size = fixed::from_raw(fixed::scale);
  }
  std::size_t done = 0;
  s = reloaded(s);
  s.apply(market_batch(events, {}), done, out);
  reloaded(s);
}

void check(std::string_view input) {
  if (input.starts_with('s'))
    check_state(input.substr(1));
  else
    check_decoder(input);
}

}  // namespace troupe::market::fuzz
