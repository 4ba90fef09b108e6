#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/base/clock.hpp"
#include "runtime/base/fixed.hpp"

namespace troupe {

/// Type of a result column; the store encodes each as the PostgreSQL type named behind it.
enum class column_type : std::uint8_t {
  integer,    // int8
  real,       // float8; NaN becomes NULL
  text,       // text
  timestamp,  // timestamptz, microseconds since 1970
  numeric,    // numeric, units of 1e-8
};

/// A result table of a domain: what its rows look like and how they are written. One static object
/// a table.
struct table_def {
  std::string_view name;
  std::vector<column_type> columns;
  /// An INSERT that reads its rows from the relation `{rows}` with columns c1, c2, ... in the order
  /// above, e.g. `insert into bar(symbol, volume) select c1, c2 from {rows}`. Must not write a row
  /// of another shard.
  std::string_view insert;
};

/// Rows of one table, column by column: ready for one unnest.
class row_block {
 public:
  explicit row_block(const table_def& table) : table_(&table), columns_(table.columns.size()) {}

  const table_def& table() const { return *table_; }
  std::size_t rows() const { return rows_; }

  /// Begins a row, which must then get exactly one value for each column, in order.
  row_block& row() {
    ++rows_;
    next_ = 0;
    return *this;
  }
  row_block& add(std::int64_t v);
  row_block& add(double v);
  row_block& add(std::string_view v);
  row_block& add(time_point v);
  row_block& add(fixed v);
  row_block& add_wide(wide units);

  using cell = std::variant<std::int64_t, double, std::string, wide>;
  const std::vector<cell>& column(std::size_t i) const { return columns_[i]; }

  /// Appends another block of the same table.
  void append(row_block&& other);

 private:
  template <class Value>
  row_block& put(Value v);

  const table_def* table_;
  std::vector<std::vector<cell>> columns_;
  std::size_t rows_ = 0;
  std::size_t next_ = 0;
};

}  // namespace troupe
