#include "runtime/store/array_encoder.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <type_traits>

#include "runtime/base/ensure.hpp"

namespace troupe::store {
namespace {

template <class Number>
void append(std::string& out, Number v) {
  using bits = std::make_unsigned_t<Number>;
  auto rest = static_cast<bits>(v);
  std::array<char, sizeof(bits)> big_endian;
  for (auto i = big_endian.size(); i-- > 0; rest = static_cast<bits>(rest >> 8))
    big_endian[i] = static_cast<char>(rest & 0xff);
  out.append(big_endian.data(), big_endian.size());
}

template <class Number>
void append_element(std::string& out, Number v) {
  append(out, static_cast<std::int32_t>(sizeof v));
  append(out, v);
}

// PostgreSQL counts microseconds from 2000-01-01.
constexpr std::int64_t postgres_epoch_micros = 946'684'800'000'000;

__extension__ typedef unsigned __int128 unsigned_wide;

// Digits of base 10,000, most significant first. Eight decimals are exactly two of them.
struct base_10000 {
  std::array<std::int16_t, 10> digits{};
  int count = 0;   // Without leading and trailing zeros.
  int weight = 0;  // Power of 10,000 of the first digit.
  int decimals = 0;
};

int decimals_of(unsigned_wide magnitude) {
  int decimals = fixed::decimals;
  for (; decimals > 0 && magnitude % 10 == 0; magnitude /= 10) --decimals;
  return decimals;
}

base_10000 split(unsigned_wide magnitude) {
  base_10000 n;
  if (magnitude == 0) return n;
  n.decimals = decimals_of(magnitude);
  n.weight = -3;
  for (; magnitude % 10'000 == 0; magnitude /= 10'000) ++n.weight;
  std::array<std::int16_t, 10> reversed{};
  for (; magnitude != 0; magnitude /= 10'000, ++n.weight)
    reversed[static_cast<std::size_t>(n.count++)] = static_cast<std::int16_t>(magnitude % 10'000);
  for (int i = 0; i < n.count; ++i)
    n.digits[static_cast<std::size_t>(i)] = reversed[static_cast<std::size_t>(n.count - 1 - i)];
  return n;
}

}  // namespace

std::string_view array_name(pg_type type) {
  switch (type) {
    case pg_type::bytea:
      return "bytea[]";
    case pg_type::int8:
      return "int8[]";
    case pg_type::int4:
      return "int4[]";
    case pg_type::text:
      return "text[]";
    case pg_type::json:
      return "json[]";
    case pg_type::float8:
      return "float8[]";
    case pg_type::timestamptz:
      return "timestamptz[]";
    case pg_type::numeric:
      return "numeric[]";
  }
  ensure(false, "known PostgreSQL type");
  return {};
}

pg_type type_of(column_type type) {
  switch (type) {
    case column_type::integer:
      return pg_type::int8;
    case column_type::real:
      return pg_type::float8;
    case column_type::text:
      return pg_type::text;
    case column_type::timestamp:
      return pg_type::timestamptz;
    case column_type::numeric:
      return pg_type::numeric;
  }
  ensure(false, "known column type");
  return {};
}

array_encoder::array_encoder(pg_type type, std::size_t elements) {
  bytes_.reserve(20 + 16 * elements);
  append(bytes_, std::int32_t{1});  // Dimensions.
  append(bytes_, std::int32_t{1});  // May hold NULLs.
  append(bytes_, static_cast<std::uint32_t>(type));
  append(bytes_, static_cast<std::int32_t>(elements));
  append(bytes_, std::int32_t{1});  // Lower bound.
}

void array_encoder::put(std::int32_t v) {
  append_element(bytes_, v);
}
void array_encoder::put(std::int64_t v) {
  append_element(bytes_, v);
}

void array_encoder::put(double v) {
  if (std::isnan(v))
    append(bytes_, std::int32_t{-1});
  else
    append_element(bytes_, std::bit_cast<std::int64_t>(v));
}

void array_encoder::put(std::string_view v) {
  append(bytes_, static_cast<std::int32_t>(v.size()));
  bytes_.append(v);
}

void array_encoder::put(time_point v) {
  put(to_micros(v) - postgres_epoch_micros);
}

void array_encoder::put_numeric(wide units) {
  const auto n =
      split(units < 0 ? -static_cast<unsigned_wide>(units) : static_cast<unsigned_wide>(units));
  append(bytes_, static_cast<std::int32_t>(8 + 2 * n.count));
  append(bytes_, static_cast<std::int16_t>(n.count));
  append(bytes_, static_cast<std::int16_t>(n.count == 0 ? 0 : n.weight));
  append(bytes_, static_cast<std::uint16_t>(units < 0 ? 0x4000 : 0));
  append(bytes_, static_cast<std::int16_t>(n.decimals));
  for (int i = 0; i < n.count; ++i) append(bytes_, n.digits[static_cast<std::size_t>(i)]);
}

std::string encode_column(column_type type, const std::vector<row_block::cell>& cells) {
  array_encoder out(type_of(type), cells.size());
  for (const auto& cell : cells) switch (type) {
      case column_type::integer:
        out.put(std::get<std::int64_t>(cell));
        break;
      case column_type::real:
        out.put(std::get<double>(cell));
        break;
      case column_type::text:
        out.put(std::string_view(std::get<std::string>(cell)));
        break;
      case column_type::timestamp:
        out.put(from_micros(std::get<std::int64_t>(cell)));
        break;
      case column_type::numeric:
        out.put_numeric(std::get<wide>(cell));
        break;
    }
  return std::move(out).take();
}

std::string encode_int4(std::int32_t v) {
  std::string out;
  append(out, v);
  return out;
}

std::string encode_int8(std::int64_t v) {
  std::string out;
  append(out, v);
  return out;
}

}  // namespace troupe::store
