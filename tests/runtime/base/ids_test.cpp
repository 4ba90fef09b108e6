#include "runtime/base/ids.hpp"

#include <doctest/doctest.h>

#include <type_traits>
#include <unordered_set>

using namespace troupe;

static_assert(!std::is_convertible_v<int, epoch>);
static_assert(!std::is_convertible_v<epoch, incarnation>);
static_assert(!std::is_constructible_v<position, sequence>);

TEST_CASE("strong ids compare and hash by their number") {
  CHECK(epoch(3) < epoch(4));
  CHECK(epoch(3) == epoch(3));
  CHECK(epoch().value() == 0);
  const std::unordered_set<shard_id> shards{shard_id(1), shard_id(2), shard_id(1)};
  CHECK(shards.size() == 2);
}

TEST_CASE("an entity id is split at the first slash") {
  struct row {
    const char *text, *kind, *key;
  };
  for (const auto& r :
       {row{"symbol/SPY", "symbol", "SPY"}, row{"a/b/c", "a", "b/c"}, row{"alone", "", "alone"},
        row{"kind/", "kind", ""}, row{"/key", "", "key"}, row{"", "", ""}}) {
    CAPTURE(r.text);
    CHECK(parse_entity_id(r.text) == entity_id{r.kind, r.key});
  }
}

TEST_CASE("an entity id survives writing and parsing, and differs from its mirror image") {
  const entity_id id{"symbol", "BRK/B"}, mirror{"BRK/B", "symbol"};
  CHECK(parse_entity_id(to_string(id)) == id);
  CHECK(std::hash<entity_id>{}(id) != std::hash<entity_id>{}(mirror));
}
