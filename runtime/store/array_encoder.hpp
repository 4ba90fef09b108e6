#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/base/clock.hpp"
#include "runtime/base/fixed.hpp"
#include "runtime/codec/columns.hpp"

namespace troupe::store {

/// Element types of PostgreSQL, by object id.
enum class pg_type : std::uint32_t {
  bytea = 17,
  int8 = 20,
  int4 = 23,
  text = 25,
  json = 114,
  float8 = 701,
  timestamptz = 1184,
  numeric = 1700,
};

/// Name of the array type: `int8[]`.
std::string_view array_name(pg_type type);
pg_type type_of(column_type type);

/// Builds a one-dimensional PostgreSQL array in its binary wire format.
class array_encoder {
 public:
  array_encoder(pg_type type, std::size_t elements);

  void put(std::int32_t v);
  void put(std::int64_t v);
  /// NaN becomes NULL.
  void put(double v);
  /// Bytes of text, json and bytea.
  void put(std::string_view v);
  /// timestamptz.
  void put(time_point v);
  /// numeric, exact, without trailing zeros.
  void put_numeric(wide units);

  std::string take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// A column of a row block as an array. Requires: every cell is of the column's type.
std::string encode_column(column_type type, const std::vector<row_block::cell>& cells);

/// Scalars in binary.
std::string encode_int4(std::int32_t v);
std::string encode_int8(std::int64_t v);

}  // namespace troupe::store
