#include <algorithm>
#include <cstring>
#include <optional>

#include "actors/market/market_decoder.hpp"
#include "actors/market/number_token.hpp"

namespace troupe::market {

namespace {

using refusal = decode_refusal;

/// Times at or above this are microseconds, below milliseconds: the year 5138 in the one, March
/// 1973 in the other.
constexpr std::int64_t micros_from = 100'000'000'000'000;
/// A bar's or ticker's volume may be this many times the largest size.
constexpr std::int64_t volume_factor = 1'000'000;
/// Trades of one bar or ticker.
constexpr std::int64_t trades_max = 1'000'000'000'000'000;
constexpr std::size_t detail_bytes_max = 64;

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (std::memcmp(a.data(), b.data(), a.size()) == 0) return true;
  return std::equal(a.begin(), a.end(), b.begin(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_text(std::string_view token) {
  return token.size() >= 2 && token.front() == '"' && token.back() == '"';
}

/// Control characters of ASCII, and those of Unicode (U+0080 to U+009F, in UTF-8 after a byte C2).
bool has_control(std::string_view text) {
  char before = 0;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || (before == '\xC2' && byte < 0xA0)) return true;
    before = c;
  }
  return false;
}

std::size_t characters(std::string_view text) {
  const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts));
}

decode_result check_symbol(std::string_view token, std::string_view key, std::string_view name) {
  if (token.empty()) return {refusal::missing_field, name};
  if (!is_text(token)) return {refusal::bad_field, name};
  const auto symbol = unquoted(token);
  if (!is_symbol(symbol)) return {refusal::symbol_invalid, name};
  if (!same_ignoring_case(symbol, key)) return {refusal::wrong_key, name};
  return {};
}

std::string_view shown(std::string_view token) {
  const auto text = unquoted(token);
  return text.size() <= detail_bytes_max ? text : std::string_view{};
}

/// Converts tokens and remembers the first refusal; after one, results mean nothing.
class field_converter {
 public:
  explicit field_converter(const market_options& limits) : limits_(limits) {}

  const decode_result& result() const { return result_; }
  bool failed() const { return result_.refusal != refusal::none; }

  fixed price(std::string_view token, std::string_view name) {
    return bounded(token, name, limits_.price_max, 1, refusal::price_out_of_range);
  }
  /// `least`: 1 where nothing is no size.
  fixed size(std::string_view token, std::string_view name, std::int64_t least) {
    return bounded(token, name, limits_.size_max, least, refusal::size_out_of_range);
  }
  wide volume(std::string_view token, std::string_view name) {
    const auto read = read_wide_decimal(token);
    check(token, read.error, name, refusal::size_out_of_range);
    if (read.value < 0 || read.value > wide{limits_.size_max.raw()} * volume_factor)
      refuse(refusal::size_out_of_range, name);
    return read.value;
  }
  std::int64_t micros(std::string_view token, std::string_view name) {
    const auto read = read_integer(token);
    check(token, read.error, name, refusal::time_out_of_range);
    return bounded_time(read.value, name);
  }
  std::int64_t millis_or_micros(std::string_view token, std::string_view name) {
    const auto read = read_integer(token);
    check(token, read.error, name, refusal::time_out_of_range);
    const bool millis = read.value < micros_from && read.value > -micros_from;
    return bounded_time(millis ? read.value * 1000 : read.value, name);
  }
  std::int64_t record_time(std::int64_t millis, std::string_view name) {
    if (millis < 0 || millis >= micros_from) refuse(refusal::time_out_of_range, name);
    return failed() ? 0 : bounded_time(millis * 1000, name);
  }
  std::int64_t id(std::string_view token, std::string_view name) {
    const auto read = read_integer(token);
    check(token, read.error, name, refusal::bad_field);
    if (read.value < 0) refuse(refusal::bad_field, name);
    return read.value;
  }
  std::int64_t trades(std::string_view token, std::string_view name) {
    const auto n = id(token, name);
    require(n <= trades_max, name);
    return n;
  }
  period length(std::string_view token, std::string_view name) {
    const auto found = is_text(token) ? parse_period(unquoted(token)) : std::nullopt;
    if (!found) refuse(token.empty() ? refusal::missing_field : refusal::bad_field, name);
    return found.value_or(period::d1);
  }
  bool truth(std::string_view token, std::string_view name) {
    if (token != "true" && token != "false")
      refuse(token.empty() ? refusal::missing_field : refusal::bad_field, name);
    return token == "true";
  }
  void require(bool holds, std::string_view name) {
    if (!holds) refuse(refusal::bad_field, name);
  }

 private:
  void refuse(refusal r, std::string_view name) {
    if (!failed()) result_ = {r, name};
  }
  void check(std::string_view token, number_error error, std::string_view name, refusal too_large) {
    if (token.empty()) return refuse(refusal::missing_field, name);
    if (error == number_error::malformed) refuse(refusal::bad_field, name);
    if (error == number_error::too_large) refuse(too_large, name);
  }
  fixed bounded(std::string_view token, std::string_view name, fixed most, std::int64_t least,
                refusal outside) {
    const auto read = read_decimal(token);
    if (read.error != number_error::none) [[unlikely]]
      check(token, read.error, name, outside);
    if (read.value.raw() < least || read.value > most) [[unlikely]]
      refuse(outside, name);
    return read.value;
  }
  std::int64_t bounded_time(std::int64_t micros, std::string_view name) {
    if (micros < to_micros(limits_.time_min) || micros >= to_micros(limits_.time_max))
      refuse(refusal::time_out_of_range, name);
    return micros;
  }

  const market_options& limits_;
  decode_result result_;
};

/// One side of the book; zero price with zero size says that it is empty.
void read_side(field_converter& to, std::string_view price, std::string_view size,
               std::string_view price_name, std::string_view size_name, fixed& price_out,
               fixed& size_out) {
  size_out = to.size(size, size_name, 0);
  if (size_out == fixed{}) {
    const auto empty = read_decimal(price);
    if (!price.empty() && empty.error == number_error::none && empty.value == fixed{}) {
      price_out = fixed{};
      return;
    }
  }
  price_out = to.price(price, price_name);
}

/// A bar must begin where its period does, and hold together.
void check_bar(field_converter& to, const market_event& e, const ohlcv& x, std::string_view time,
               std::string_view high, std::string_view low) {
  to.require(e.time % length_of(e.length) == 0, time);
  to.require(x.high >= x.open && x.high >= x.close, high);
  to.require(x.low <= x.open && x.low <= x.close, low);
}

using own_reader = decode_result (*)(const json_frame&, field_converter&, market_event&, ohlcv&);

std::int64_t own_id(const json_frame& f, field_converter& to) {
  return f[word::id].empty() ? market_event::no_id : to.id(f[word::id], "id");
}

decode_result own_trade(const json_frame& f, field_converter& to, market_event& e, ohlcv&) {
  e.kind = event_kind::trade;
  e.time = to.micros(f[word::time], "time");
  e.price = to.price(f[word::price], "price");
  e.size = to.size(f[word::size], "size", 1);
  e.id = own_id(f, to);
  return to.result();
}

decode_result own_quote(const json_frame& f, field_converter& to, market_event& e, ohlcv&) {
  e.kind = event_kind::quote;
  e.time = to.micros(f[word::time], "time");
  const bool bid = !f[word::bid].empty() || !f[word::bid_size].empty();
  const bool ask = !f[word::ask].empty() || !f[word::ask_size].empty();
  e.price = e.size = e.ask = e.ask_size = fixed{};
  if (bid || !ask)
    read_side(to, f[word::bid], f[word::bid_size], "bid", "bid_size", e.price, e.size);
  if (ask) read_side(to, f[word::ask], f[word::ask_size], "ask", "ask_size", e.ask, e.ask_size);
  e.flags = static_cast<std::uint8_t>((bid ? market_event::has_bid : 0) |
                                      (ask ? market_event::has_ask : 0));
  e.id = own_id(f, to);
  return to.result();
}

decode_result own_bar(const json_frame& f, field_converter& to, market_event& e, ohlcv& x) {
  e.kind = event_kind::bar;
  e.id = market_event::no_id;
  e.length = to.length(f[word::period], "period");
  e.time = to.micros(f[word::time], "time");
  x.open = to.price(f[word::open], "open");
  x.high = to.price(f[word::high], "high");
  x.low = to.price(f[word::low], "low");
  x.close = to.price(f[word::close], "close");
  x.volume = to.volume(f[word::volume], "volume");
  x.trades = f[word::trades].empty() ? 0 : to.trades(f[word::trades], "trades");
  check_bar(to, e, x, "time", "high", "low");
  return to.result();
}

own_reader own_reader_of(std::string_view type) {
  if (type == "\"trade\"") return own_trade;
  if (type == "\"quote\"") return own_quote;
  if (type == "\"bar\"") return own_bar;
  return nullptr;
}

decode_result binance_trade(const letter_table& f, field_converter& to, market_event& e) {
  e.kind = event_kind::trade;
  e.time = to.millis_or_micros(f[letter('T')], "T");
  e.price = to.price(f[letter('p')], "p");
  e.size = to.size(f[letter('q')], "q", 1);
  e.id = to.id(f[letter('t')], "t");
  return to.result();
}

/// Spot frames carry no time: then it is the record's.
decode_result binance_book_ticker(const letter_table& f, field_converter& to,
                                  std::int64_t record_ms, market_event& e) {
  e.kind = event_kind::quote;
  const auto event_time = f[letter('E')];
  e.time = event_time.empty() ? to.record_time(record_ms, "record timestamp")
                              : to.millis_or_micros(event_time, "E");
  read_side(to, f[letter('b')], f[letter('B')], "b", "B", e.price, e.size);
  read_side(to, f[letter('a')], f[letter('A')], "a", "A", e.ask, e.ask_size);
  e.flags = market_event::has_bid | market_event::has_ask;
  e.id = to.id(f[letter('u')], "u");
  return to.result();
}

decode_result binance_ticker(const letter_table& f, field_converter& to, market_event& e,
                             ohlcv& x) {
  e.kind = event_kind::ticker;
  e.id = market_event::no_id;
  e.time = to.millis_or_micros(f[letter('E')], "E");
  x.open_time = to.millis_or_micros(f[letter('O')], "O");
  x.open = to.price(f[letter('o')], "o");
  x.high = to.price(f[letter('h')], "h");
  x.low = to.price(f[letter('l')], "l");
  x.close = to.price(f[letter('c')], "c");
  x.volume = to.volume(f[letter('v')], "v");
  x.quote_volume = to.volume(f[letter('q')], "q");
  x.trades = to.trades(f[letter('n')], "n");
  return to.result();
}

decode_result binance_kline(const letter_table& k, field_converter& to, market_event& e, ohlcv& x) {
  e.kind = event_kind::bar;
  e.id = market_event::no_id;
  e.length = to.length(k[letter('i')], "k.i");
  e.time = to.millis_or_micros(k[letter('t')], "k.t");
  x.open = to.price(k[letter('o')], "k.o");
  x.high = to.price(k[letter('h')], "k.h");
  x.low = to.price(k[letter('l')], "k.l");
  x.close = to.price(k[letter('c')], "k.c");
  x.volume = to.volume(k[letter('v')], "k.v");
  x.trades = to.trades(k[letter('n')], "k.n");
  e.flags = to.truth(k[letter('x')], "k.x") ? 0 : market_event::forming;
  check_bar(to, e, x, "k.t", "k.h", "k.l");
  return to.result();
}

/// `bookTicker` frames do not say what they are: the stream name does, or the shape.
bool is_book_ticker(const json_frame& f) {
  const auto type = f.letters[letter('e')];
  if (!type.empty()) return type == "\"bookTicker\"";
  if (unquoted(f[word::stream]).ends_with("@bookTicker")) return true;
  return f.letters.has(letter('u')) && f.letters.has(letter('b')) && f.letters.has(letter('B')) &&
         f.letters.has(letter('a')) && f.letters.has(letter('A'));
}

enum class binance_type : std::uint8_t { unknown, trade, book_ticker, ticker, kline };

binance_type type_of(const json_frame& f) {
  const auto type = f.letters[letter('e')];
  if (type == "\"trade\"") return binance_type::trade;
  if (is_book_ticker(f)) return binance_type::book_ticker;
  if (type == "\"24hrTicker\"") return binance_type::ticker;
  if (type == "\"kline\"") return binance_type::kline;
  return binance_type::unknown;
}

}  // namespace

/// Escapes have no place in a symbol: what they could stand for is plain or a control character.
bool is_symbol(std::string_view text) {
  return !text.empty() && text.size() <= 4 * symbol_chars_max &&
         characters(text) <= symbol_chars_max && !has_control(text) &&
         text.find('\\') == std::string_view::npos;
}

decode_result record_reader::read(const record_view& record, market_event& event, ohlcv& extra) {
  if (!frames_.read(record.payload, frame_)) return {refusal::malformed_json, {}};
  event.offset = record.offset;
  event.flags = 0;
  return frame_[word::type].empty() ? read_binance(record, event, extra)
                                    : read_own(record, event, extra);
}

decode_result record_reader::read_own(const record_view& record, market_event& event,
                                      ohlcv& extra) const {
  const auto read = own_reader_of(frame_[word::type]);
  if (read == nullptr) return {refusal::unknown_type, shown(frame_[word::type])};
  const auto symbol = check_symbol(frame_[word::symbol], record.key, "symbol");
  if (symbol.refusal != refusal::none) return symbol;
  extra = {};
  field_converter to(limits_);
  return read(frame_, to, event, extra);
}

decode_result record_reader::read_binance(const record_view& record, market_event& event,
                                          ohlcv& extra) const {
  const auto type = type_of(frame_);
  if (type == binance_type::unknown)
    return {refusal::unknown_type, shown(frame_.letters[letter('e')])};
  const auto symbol = check_symbol(frame_.letters[letter('s')], record.key, "s");
  if (symbol.refusal != refusal::none) return symbol;
  extra = {};
  field_converter to(limits_);
  switch (type) {
    case binance_type::trade:
      return binance_trade(frame_.letters, to, event);
    case binance_type::book_ticker:
      return binance_book_ticker(frame_.letters, to, record.timestamp_ms, event);
    case binance_type::ticker:
      return binance_ticker(frame_.letters, to, event, extra);
    default:
      return binance_kline(frame_.kline, to, event, extra);
  }
}

}  // namespace troupe::market
