#include "runtime/store/blob_store.hpp"

#include "tests/runtime/store/store_fixture.hpp"

namespace troupe::store {
namespace {

std::string noise(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t x = 7;
  for (auto& c : bytes) c = static_cast<char>((x = x * 1'664'525 + 1'013'904'223) >> 24);
  return bytes;
}

}  // namespace

TEST_CASE("a blob comes back to the last byte, whatever its size, and stays as it is") {
  const cluster_database c;
  blob_store blobs(c.db.dsn());
  constexpr std::size_t part = 1 << 20;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, part, part + 1, 3 * part + 17}) {
    const auto id = std::to_string(size);
    CHECK_FALSE(blobs.has(id));
    CHECK_FALSE(blobs.get(id));
    blobs.put(id, noise(size));
    CHECK(blobs.has(id));
    CHECK(blobs.get(id) == noise(size));
  }
  blobs.put("1", "something else");
  CHECK(blobs.get("1") == noise(1));
}

TEST_CASE("several that put the same blob at once leave one of it") {
  const cluster_database c;
  const auto bytes = noise(2'500'000);
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < 4; ++i)
      all.emplace_back([&] { blob_store(c.db.dsn()).put("same", bytes); });
  }
  CHECK(blob_store(c.db.dsn()).get("same") == bytes);
  CHECK(c.db.run("select count(*) from blob_part") == "3");
}

TEST_CASE("a database without the tables, or none at all, is told by name") {
  const test::test_database empty;
  CHECK_THROWS_WITH_AS(
      blob_store(empty.dsn()).has("x"),
      "the database lacks Troupe's tables: run `troupe migrate` with the same --config", refused);
  CHECK_THROWS_AS(blob_store("host=127.0.0.1 port=1 user=none").has("x"), unavailable_error);
}

}  // namespace troupe::store
