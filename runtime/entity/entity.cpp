#include "runtime/entity/entity.hpp"

#include "runtime/base/ensure.hpp"

namespace troupe {

row_block& effects::rows(const table_def& table) {
  for (auto& block : blocks)
    if (&block.table() == &table) return block;
  return blocks.emplace_back(table);
}

void entity::handle(const message& what, const context& where, effects& out) {
  out.reply({{"error", "unknown_message"}, {"type", what.type}, {"entity", to_string(where.self)}});
}

void entity::absorb(const event_batch&, std::size_t&, effects&) {
  ensure(false, "this kind is not log-fed");
}

void entity::absorb_feed(const feed_span&, std::size_t&, const context&, effects&) {
  ensure(false, "this kind follows nothing");
}

}  // namespace troupe
