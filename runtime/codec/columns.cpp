#include "runtime/codec/columns.hpp"

#include <iterator>

#include "runtime/base/ensure.hpp"

namespace troupe {

void row_block::append(row_block&& other) {
  ensure(table_ == other.table_, "rows of one table");
  for (std::size_t i = 0; i < columns_.size(); ++i)
    columns_[i].insert(columns_[i].end(), std::make_move_iterator(other.columns_[i].begin()),
                       std::make_move_iterator(other.columns_[i].end()));
  rows_ += other.rows_;
}

}  // namespace troupe
