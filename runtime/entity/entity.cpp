#include "runtime/entity/entity.hpp"

#include "runtime/base/ensure.hpp"

namespace troupe {

void effects::publish(std::string_view topic, std::string key, std::string payload) {
  if (const auto bytes = key.size() + payload.size(); bytes > published_bytes_max)
    throw std::length_error("a record of " + std::to_string(bytes) + " bytes for the topic " +
                            std::string(topic) + "; " + std::to_string(published_bytes_max) +
                            " are allowed");
  records.push_back({std::string(topic), std::move(key), std::move(payload)});
}

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
