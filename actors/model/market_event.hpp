#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "actors/model/period.hpp"
#include "runtime/base/fixed.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::market {

enum class event_kind : std::uint8_t { trade = 0, quote = 1, ticker = 2, bar = 3 };
inline constexpr std::size_t event_kind_count = 4;

constexpr std::string_view name_of(event_kind k) {
  constexpr std::array<std::string_view, event_kind_count> names{"trade", "quote", "ticker", "bar"};
  return names[static_cast<std::size_t>(k)];
}

/// Open, high, low, close and what goes with them: the part of bars and tickers that does not fit
/// into an event.
struct ohlcv {
  wide volume = 0;        // Units of 1e-8.
  wide quote_volume = 0;  // Tickers; 0 when unknown.
  fixed open, high, low, close;
  std::int64_t trades = 0;     // 0 when unknown.
  std::int64_t open_time = 0;  // Tickers: begin of their window. Microseconds since 1970.
};

/// One thing that happened to one symbol. A cache line: rare big parts are kept in the batch's
/// details.
struct market_event {
  static constexpr std::int64_t no_id = -1;
  static constexpr std::uint8_t has_bid = 1, has_ask = 2, forming = 4;

  std::int64_t time = 0;    // Microseconds since 1970; a bar's open time.
  std::int64_t id = no_id;  // Trade or update id, growing per symbol and kind.
  std::int64_t offset = 0;  // Of the record.
  fixed price;  // Trade price, bid price. A price and size of 0: that side of the book is empty.
  fixed size;   // Trade size, bid size.
  fixed ask;
  fixed ask_size;
  std::uint32_t detail = 0;  // Bars and tickers: index of their ohlcv.
  event_kind kind = event_kind::trade;
  period length = period::s1;  // Bars.
  std::uint8_t flags = 0;      // Quotes: which sides they tell. Bars: still forming.
};
static_assert(sizeof(market_event) == 64);

/// Events of one symbol from one decoding.
class market_batch final : public event_batch {
 public:
  market_batch(std::span<const market_event> events, std::span<const ohlcv> details)
      : events_(events.begin(), events.end()), details_(details.begin(), details.end()) {}

  std::size_t size() const override { return events_.size(); }
  position at(std::size_t i) const override { return position{events_[i].offset}; }

  std::span<const market_event> events() const { return events_; }
  /// The long part of a bar or ticker of this batch.
  const ohlcv& detail_of(const market_event& e) const { return details_[e.detail]; }

 private:
  std::vector<market_event> events_;
  std::vector<ohlcv> details_;
};

}  // namespace troupe::market
