#include "runtime/codec/columns.hpp"

#include <iterator>

#include "runtime/base/ensure.hpp"

namespace troupe {

template <class Value>
row_block& row_block::put(Value v) {
  columns_[next_++].emplace_back(std::move(v));
  return *this;
}

row_block& row_block::add(std::int64_t v) {
  return put(v);
}
row_block& row_block::add(double v) {
  return put(v);
}
row_block& row_block::add(std::string_view v) {
  return put(std::string(v));
}
row_block& row_block::add(time_point v) {
  return put(to_micros(v));
}
row_block& row_block::add(fixed v) {
  return put(wide{v.raw()});
}
row_block& row_block::add_wide(wide units) {
  return put(units);
}

void row_block::append(row_block&& other) {
  ensure(table_ == other.table_, "rows of one table");
  for (std::size_t i = 0; i < columns_.size(); ++i)
    columns_[i].insert(columns_[i].end(), std::make_move_iterator(other.columns_[i].begin()),
                       std::make_move_iterator(other.columns_[i].end()));
  rows_ += other.rows_;
}

}  // namespace troupe
