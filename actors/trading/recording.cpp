#include "actors/trading/recording.hpp"

namespace troupe::trading {

namespace {

using market::event_kind;
using market::market_event;
using market::ohlcv;

__extension__ typedef unsigned __int128 unsigned_wide;

constexpr std::string_view magic = "troupe recording 1\n";
constexpr std::size_t symbols_max = 65'536;
constexpr unsigned bits = 7;  // Of a number in each byte; the eighth says that more follow.
constexpr unsigned char more = 0x80, low = 0x7f;

/// Differences wrap around, so every number has one, and comes back.
class writer {
 public:
  writer() : to_(magic) {}

  void number(unsigned_wide n) {
    for (; n > low; n >>= bits) to_ += static_cast<char>(static_cast<unsigned char>(n) | more);
    to_ += static_cast<char>(n);
  }
  void text(std::string_view t) {
    number(t.size());
    to_ += t;
  }
  /// One member of all rows.
  template <class Rows, class Get>
  void column(const Rows& rows, Get get) {
    unsigned_wide before = 0;
    for (const auto& row : rows) {
      const auto now = static_cast<unsigned_wide>(static_cast<wide>(get(row)));
      const auto difference = static_cast<wide>(now - before);
      const auto sign = static_cast<unsigned_wide>(difference < 0 ? -1 : 0);
      number((static_cast<unsigned_wide>(difference) << 1) ^ sign);
      before = now;
    }
  }
  std::string bytes() && { return std::move(to_); }

 private:
  std::string to_;
};

class reader {
 public:
  explicit reader(std::string_view from) : from_(from) {
    if (!from_.starts_with(magic))
      throw bad_recording("not a recording, or one of another version of troupe");
    from_.remove_prefix(magic.size());
  }

  unsigned_wide number() {
    constexpr unsigned width = 128;
    unsigned_wide n = 0;
    for (unsigned shift = 0; shift < width; shift += bits) {
      if (from_.empty()) throw bad_recording("the recording ends in the middle of a number");
      const auto byte = static_cast<unsigned char>(from_.front());
      from_.remove_prefix(1);
      n |= static_cast<unsigned_wide>(byte & low) << shift;
      if ((byte & more) == 0) return n;
    }
    throw bad_recording("a number of the recording is too long");
  }
  /// How many of something follow, each of at least one byte.
  std::size_t count(std::size_t most) {
    const auto n = number();
    if (n > most || n > from_.size()) throw bad_recording("the recording is shorter than it says");
    return static_cast<std::size_t>(n);
  }
  std::string text() {
    std::string t(from_.substr(0, count(from_.size())));
    from_.remove_prefix(t.size());
    return t;
  }
  template <class Rows, class Set>
  void column(Rows& rows, Set set) {
    unsigned_wide before = 0;
    for (auto& row : rows) {
      const auto coded = number();
      before += (coded >> 1) ^ (~(coded & 1) + 1);
      set(row, static_cast<wide>(before));
    }
  }
  void finish() const {
    if (!from_.empty()) throw bad_recording("the recording goes on behind its end");
  }

 private:
  std::string_view from_;
};

/// Shows every member of a row to `visit`, in the order of the columns.
template <class Visit>
void each_member(Visit&& visit, const market_event*) {
  visit(&market_event::time);
  visit(&market_event::id);
  visit(&market_event::offset);
  visit(&market_event::price);
  visit(&market_event::size);
  visit(&market_event::ask);
  visit(&market_event::ask_size);
  visit(&market_event::detail);
  visit(&market_event::kind);
  visit(&market_event::length);
  visit(&market_event::flags);
}
template <class Visit>
void each_member(Visit&& visit, const ohlcv*) {
  visit(&ohlcv::volume);
  visit(&ohlcv::quote_volume);
  visit(&ohlcv::open);
  visit(&ohlcv::high);
  visit(&ohlcv::low);
  visit(&ohlcv::close);
  visit(&ohlcv::trades);
  visit(&ohlcv::open_time);
}

template <class Value>
wide to_wide(const Value& v) {
  if constexpr (std::is_same_v<Value, fixed>)
    return v.raw();
  else
    return static_cast<wide>(v);
}
template <class Value>
void from_wide(wide n, Value& to) {
  if constexpr (std::is_same_v<Value, fixed>)
    to = fixed::from_raw(static_cast<std::int64_t>(n));
  else
    to = static_cast<Value>(n);
}

template <class Row>
void write(writer& to, const std::vector<Row>& rows) {
  each_member(
      [&](auto member) { to.column(rows, [=](const Row& r) { return to_wide(r.*member); }); },
      static_cast<const Row*>(nullptr));
}
template <class Row>
void read(reader& from, std::vector<Row>& rows) {
  each_member(
      [&](auto member) { from.column(rows, [=](Row& r, wide n) { from_wide(n, r.*member); }); },
      static_cast<const Row*>(nullptr));
}

void check(const symbol_data& data) {
  std::int64_t last = -1;
  for (const auto& e : data.events) {
    if (static_cast<std::size_t>(e.kind) >= market::event_kind_count ||
        static_cast<std::size_t>(e.length) >= market::period_count || e.offset <= last ||
        (e.kind >= event_kind::ticker && e.detail >= data.details.size()))
      throw bad_recording("an event of " + data.rules.symbol + " is none");
    last = e.offset;
  }
}

}  // namespace

std::string encode_recording(std::span<const symbol_data> data) {
  writer to;
  to.number(data.size());
  for (const auto& one : data) {
    to.text(one.rules.symbol);
    to.number(one.events.size());
    to.number(one.details.size());
    write(to, one.events);
    write(to, one.details);
  }
  return std::move(to).bytes();
}

std::vector<symbol_data> decode_recording(std::string_view bytes) {
  reader from(bytes);
  std::vector<symbol_data> all(from.count(symbols_max));
  for (auto& one : all) {
    one.rules.symbol = from.text();
    const auto events = from.count(bytes.size()), details = from.count(bytes.size());
    one.events.resize(events);
    one.details.resize(details);
    read(from, one.events);
    read(from, one.details);
    check(one);
  }
  from.finish();
  return all;
}

std::size_t bytes_of(std::span<const symbol_data> data) {
  std::size_t sum = 0;
  for (const auto& one : data)
    sum += one.events.size() * sizeof(market_event) + one.details.size() * sizeof(ohlcv);
  return sum;
}

}  // namespace troupe::trading
