#pragma once

#include <string>
#include <string_view>

#include "runtime/base/strong_id.hpp"

namespace troupe {

/// An owned slice of all entities; shard i consumes partition i of every ingress topic.
using shard_id = strong_id<struct shard_id_tag, std::uint32_t>;
/// A shard's fencing number: grows by one with each change of owner.
using epoch = strong_id<struct epoch_tag, std::int64_t>;
/// One life of a node, never reused.
using incarnation = strong_id<struct incarnation_tag, std::int64_t>;
/// The next offset of a topic's partition that a shard has not committed.
using position = strong_id<struct position_tag, std::int64_t>;
/// Place in an ordered stream of outbox messages: 1, 2, 3 ... without gaps per shard and target.
using sequence = strong_id<struct sequence_tag, std::int64_t>;

/// The name of an addressable, recoverable thing: `kind/key`.
struct entity_id {
  std::string kind;
  std::string key;

  auto operator<=>(const entity_id&) const = default;
};

inline std::string to_string(const entity_id& id) {
  return id.kind + '/' + id.key;
}

/// Splits `kind/key` at the first slash; an id without one has an empty kind.
inline entity_id parse_entity_id(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return {{}, std::string(text)};
  return {std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

}  // namespace troupe

template <>
struct std::hash<troupe::entity_id> {
  std::size_t operator()(const troupe::entity_id& id) const noexcept {
    return std::hash<std::string>{}(id.kind) * 31 + std::hash<std::string>{}(id.key);
  }
};
