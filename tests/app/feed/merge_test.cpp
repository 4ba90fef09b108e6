#include "app/feed/merge.hpp"

#include <doctest/doctest.h>

#include "tests/app/feed/temp_folder.hpp"

using namespace troupe::feed;

namespace {

/// A file of trades of `symbol` at these milliseconds.
std::string ticks(const test::temp_folder& in, const std::string& symbol,
                  std::initializer_list<int> times) {
  std::string text = "ts_ms,symbol,price,size\n";
  for (const int t : times) text += std::to_string(t) + ',' + symbol + ",1,1\n";
  return in.write(symbol + ".csv", text);
}

std::string order(const std::vector<std::string>& paths) {
  merger all(open_all(paths));
  std::string text;
  while (const auto* r = all.next()) text += r->key + std::to_string(r->time_us / 1000) + ' ';
  CHECK(all.share() == doctest::Approx(1));
  return text;
}

}  // namespace

TEST_CASE("files are merged by time, the first file first at equal times") {
  test::temp_folder f;
  const auto a = ticks(f, "a", {1, 3, 3, 9}), b = ticks(f, "b", {1, 2, 3, 4}),
             none = ticks(f, "c", {});
  CHECK(order({a, b, none}) == "a1 b1 b2 a3 a3 b3 b4 a9 ");
  CHECK(order({b, a}) == "b1 a1 b2 b3 a3 a3 b4 a9 ");
}

TEST_CASE("a file's own order stays where its times step back") {
  test::temp_folder f;
  const auto a = ticks(f, "a", {5, 1, 2, 8}), b = ticks(f, "b", {4, 6, 7});
  CHECK(order({a, b}) == "b4 a5 a1 a2 b6 b7 a8 ");
}

TEST_CASE("every file that cannot be fed is named") {
  test::temp_folder f;
  const auto good = ticks(f, "a", {1});
  const auto x = f.write("x", "?"), y = f.write("y", "");
  try {
    open_all({x, good, y});
    FAIL("taken");
  } catch (const std::runtime_error& e) {
    const std::string text = e.what();
    CHECK(text.find(x + ":1:") != std::string::npos);
    CHECK(text.ends_with(y + ": is empty"));
  }
}
