#include "app/feed/tick_generator.hpp"

#include <doctest/doctest.h>

#include <map>

#include "app/feed/generator_journal.hpp"
#include "tests/app/feed/temp_folder.hpp"

using namespace troupe::feed;

namespace {

constexpr std::int64_t start = 1'735'828'200'000'000;

std::vector<std::string> lines(tick_generator& from, int count) {
  std::vector<std::string> made;
  for (int i = 0; i < count; ++i) {
    const auto& t = from.next();
    append_json(made.emplace_back(), t, symbol_name(t.symbol));
  }
  return made;
}

}  // namespace

TEST_CASE("a seed makes the same rows, another seed other ones") {
  const generator_shape shape{50, 7, 800}, other{50, 8, 800};
  tick_generator a(shape, start), b(shape, start), c(other, start);
  const auto rows = lines(a, 1000);
  CHECK(rows == lines(b, 1000));
  CHECK(rows != lines(c, 1000));
}

TEST_CASE("a generator that goes on from a state makes what the first would have made") {
  const generator_shape shape{50, 7, 800};
  tick_generator whole(shape, start), first(shape, start);
  auto rows = lines(whole, 1000);
  auto part = lines(first, 400);
  tick_generator second(shape, first.state(), start);
  const auto rest = lines(second, 600);
  part.insert(part.end(), rest.begin(), rest.end());
  CHECK(part == rows);
  CHECK(second.state() == whole.state());
}

TEST_CASE("times never step back, ids grow, prices are sound, also after a change of shape") {
  tick_generator first({20, 1, 800}, start);
  lines(first, 5000);
  tick_generator second({40, 2, 60}, first.state(), start - 1);
  auto time = first.state().time_us, id = first.state().last_id;
  for (int i = 0; i < 20'000; ++i) {
    const auto& t = second.next();
    REQUIRE(t.time_us >= time);
    REQUIRE(t.id > id);
    time = t.time_us;
    id = t.id;
    if (t.kind == tick::what::trade)
      REQUIRE((t.price > 0 && t.size > 0));
    else
      REQUIRE((t.bid > 0 && t.ask > t.bid && t.bid_size > 0 && t.ask_size > 0));
  }
}

TEST_CASE("the rate is what was asked for, and the first symbols are the busiest") {
  const generator_shape shape{10, 3, 600};
  tick_generator made(shape, 0);
  std::map<std::uint32_t, int> counts;
  for (int i = 0; i < 60'000; ++i) ++counts[made.next().symbol];
  CHECK(static_cast<double>(made.state().time_us) / 60e6 == doctest::Approx(10).epsilon(0.02));
  CHECK(counts.size() == 10);
  CHECK(counts[0] > counts[3]);
  CHECK(counts[3] > counts[9]);
}

TEST_CASE("rows as text") {
  tick t;
  t.time_us = 1'735'828'200'000'213;
  t.id = 7;
  t.price = 6'705;
  t.size = 300;
  std::string text;
  append_json(text, t, symbol_name(0));
  CHECK(
      text ==
      R"({"type":"trade","symbol":"SYM0001","time":1735828200000213,"price":"67.05","size":"300","id":7})");
  text.clear();
  append_csv(text, t, "A");
  CHECK(text == "1735828200000,A,67.05,300,G,,0\n");
  t.kind = tick::what::quote;
  t.bid = 99;
  t.ask = 101;
  t.bid_size = 100;
  t.ask_size = 200;
  text.clear();
  append_json(text, t, "A");
  CHECK(
      text ==
      R"({"type":"quote","symbol":"A","time":1735828200000213,"bid":"0.99","bid_size":"100","ask":"1.01","ask_size":"200","id":7})");
}

TEST_CASE("the next run goes on after the last one, or after all that a killed one can have made") {
  test::temp_folder folder;
  const generator_shape shape{20, 5, 800};
  tick_generator made(shape, start);
  CHECK(!generator_journal(folder.path(), "c").load());
  generator_journal(folder.path(), "c").reserve(shape, made.state(), 500);
  const auto after_kill = generator_journal(folder.path(), "c").load();
  lines(made, 500);
  REQUIRE(after_kill);
  CHECK(*after_kill == made.state());
  tick_generator shorter(shape, start);
  lines(shorter, 100);
  generator_journal(folder.path(), "c").finish(shorter.state());
  CHECK(*generator_journal(folder.path(), "c").load() == shorter.state());
  CHECK(!generator_journal(folder.path(), "d").load());
}
