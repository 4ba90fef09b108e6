#include "app/feed/state_file.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "tests/app/feed/temp_folder.hpp"

using namespace troupe::feed;

TEST_CASE("what was saved last is there, in a folder that is made") {
  test::temp_folder folder;
  const auto deep = folder.path() + "/a/b";
  {
    const state_file file(deep, "s.json");
    CHECK(!file.load());
    file.save({{"x", 1}});
    file.save({{"x", 2}});
  }
  CHECK(state_file(deep, "s.json").load() == nlohmann::json{{"x", 2}});
}

TEST_CASE("a file belongs to one at a time") {
  test::temp_folder folder;
  auto first = std::make_unique<state_file>(folder.path(), "s.json");
  CHECK_THROWS_WITH_AS(state_file(folder.path(), "s.json"), doctest::Contains("another process"),
                       std::runtime_error);
  const state_file other(folder.path(), "t.json");
  first.reset();
  CHECK_NOTHROW(state_file(folder.path(), "s.json"));
}

TEST_CASE("a damaged file is not taken for an empty one") {
  test::temp_folder folder;
  folder.write("s.json", "{\"x\":");
  CHECK_THROWS_WITH_AS((void)state_file(folder.path(), "s.json").load(),
                       doctest::Contains("damaged"), std::runtime_error);
}
