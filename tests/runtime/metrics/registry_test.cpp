#include "runtime/metrics/registry.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>
#include <thread>

#include "exposition.hpp"
#include "runtime/base/ensure.hpp"

using namespace troupe::metrics;
using troupe::broken_invariant;

TEST_CASE("the exposition is exactly this") {
  registry r;
  r.make_gauge("troupe_store_connections_open", "Open connections.").set(2.5);
  r.make_counter("troupe_bridge_records_total", "Records taken.", {{"topic", "market"}}).add(7);
  r.make_counter("troupe_bridge_records_total", "Records taken.", {{"topic", "bars"}}).add(9);
  auto& h = r.make_histogram("troupe_store_commit_seconds", "Time of a commit.", {0.25, 1},
                             {{"shard", "3"}});
  h.observe(0.125);
  h.observe(0.25);
  h.observe(4.0);
  CHECK(r.expose() == R"(# HELP troupe_bridge_records_total Records taken.
# TYPE troupe_bridge_records_total counter
troupe_bridge_records_total{topic="bars"} 9
troupe_bridge_records_total{topic="market"} 7
# HELP troupe_store_commit_seconds Time of a commit.
# TYPE troupe_store_commit_seconds histogram
troupe_store_commit_seconds_bucket{shard="3",le="0.25"} 2
troupe_store_commit_seconds_bucket{shard="3",le="1"} 2
troupe_store_commit_seconds_bucket{shard="3",le="+Inf"} 3
troupe_store_commit_seconds_sum{shard="3"} 4.375
troupe_store_commit_seconds_count{shard="3"} 3
# HELP troupe_store_connections_open Open connections.
# TYPE troupe_store_connections_open gauge
troupe_store_connections_open 2.5
)");
}

TEST_CASE("whatever stands in help and labels survives the exposition") {
  const std::string nasty = "back\\slash \"quoted\"\nnew line, {braces}=\\n größe";
  registry r;
  r.make_gauge("troupe_test_thing_bytes", nasty, {{"a", nasty}, {"b", ""}}).set(1);
  const auto parsed = parse_exposition(r.expose());
  CHECK(parsed.families.at("troupe_test_thing_bytes").help == nasty);
  CHECK(parsed.value("troupe_test_thing_bytes", {{"a", nasty}, {"b", ""}}) == 1);
}

TEST_CASE("every number survives the exposition") {
  registry r;
  auto& g = r.make_gauge("troupe_test_thing_bytes", "Help.");
  const auto survives = [&](double v) {
    g.set(v);
    return parse_exposition(r.expose()).value("troupe_test_thing_bytes");
  };
  for (double v :
       {0.0, -0.5, 0.1, 1e-300, 123456789.123, 1.7976931348623157e308, 5e15,
        std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()})
    CHECK(survives(v) == v);
  const double nan = survives(std::numeric_limits<double>::quiet_NaN());
  CHECK(nan != nan);
  auto& c = r.make_counter("troupe_test_things_total", "Help.");
  c.add(std::numeric_limits<std::uint64_t>::max());
  CHECK(r.expose().find("troupe_test_things_total 18446744073709551615\n") != std::string::npos);
}

TEST_CASE("the same name and labels give the same instrument") {
  registry r;
  auto& c = r.make_counter("troupe_a_b_total", "Help.", {{"x", "1"}});
  CHECK(&r.make_counter("troupe_a_b_total", "Help.", {{"x", "1"}}) == &c);
  CHECK(&r.make_counter("troupe_a_b_total", "Help.", {{"x", "2"}}) != &c);
}

TEST_CASE("names that break the rules are defects") {
  registry r;
  for (const char* name : {"", "troupe", "other_a_b_total", "troupe_a_b", "troupe_A_total",
                           "troupe_a-b_total", "troupe_a b_total", "1troupe_total"})
    CHECK_THROWS_AS(r.make_counter(name, "Help."), broken_invariant);
  for (const char* name :
       {"troupe_a_b_total", "troupe_a_b_count", "troupe_a_sum", "troupe_a_bucket"})
    CHECK_THROWS_AS(r.make_gauge(name, "Help."), broken_invariant);
  for (const char* label : {"", "le", "__x", "Upper", "a-b", "1a"})
    CHECK_THROWS_AS(r.make_gauge("troupe_a_b_bytes", "Help.", {{label, "v"}}), broken_invariant);
  CHECK(r.expose().empty());
}

TEST_CASE("a family never changes kind, help or bounds") {
  registry r;
  r.make_gauge("troupe_a_b_bytes", "Help.");
  r.make_histogram("troupe_a_b_seconds", "Help.", {1, 2});
  CHECK_THROWS_AS(r.make_gauge("troupe_a_b_bytes", "Other."), broken_invariant);
  CHECK_THROWS_AS(r.make_histogram("troupe_a_b_bytes", "Help.", {1}), broken_invariant);
  CHECK_THROWS_AS(r.make_histogram("troupe_a_b_seconds", "Help.", {1, 3}, {{"x", "1"}}),
                  broken_invariant);
}

TEST_CASE("a watched value is read when asked, and gone with its subscription") {
  registry r;
  double depth = 4;
  {
    const auto kept =
        r.watch_gauge("troupe_a_depth_rows", "Help.", {{"shard", "1"}}, [&] { return depth; });
    CHECK(parse_exposition(r.expose()).value("troupe_a_depth_rows", {{"shard", "1"}}) == 4);
    depth = 5;
    CHECK(parse_exposition(r.expose()).value("troupe_a_depth_rows", {{"shard", "1"}}) == 5);
    CHECK_THROWS_AS(
        (void)r.watch_gauge("troupe_a_depth_rows", "Help.", {{"shard", "1"}}, [] { return 0.0; }),
        broken_invariant);
  }
  CHECK(r.expose().empty());
  const auto again =
      r.watch_gauge("troupe_a_depth_rows", "Help.", {{"shard", "1"}}, [&] { return depth; });
  CHECK(parse_exposition(r.expose()).value("troupe_a_depth_rows", {{"shard", "1"}}) == 5);
}

TEST_CASE("a subscription can move without ending its watch") {
  registry r;
  registry::subscription outer;
  {
    auto inner = r.watch_gauge("troupe_a_b_rows", "Help.", {}, [] { return 1.0; });
    outer = std::move(inner);
  }
  CHECK(parse_exposition(r.expose()).value("troupe_a_b_rows") == 1);
  outer = {};
  CHECK(r.expose().empty());
}

TEST_CASE("a reader that throws gives NaN and hides nothing else") {
  registry r;
  const auto kept = r.watch_gauge("troupe_a_broken_rows", "Help.", {},
                                  []() -> double { throw std::runtime_error("gone"); });
  r.make_gauge("troupe_a_sound_rows", "Help.").set(3);
  const auto parsed = parse_exposition(r.expose());
  const double broken = parsed.value("troupe_a_broken_rows");
  CHECK(broken != broken);
  CHECK(parsed.value("troupe_a_sound_rows") == 3);
}

TEST_CASE("the exposition stays well-formed while others count, register and leave") {
  registry r;
  std::jthread counting([&](const std::stop_token& stop) {
    auto& h = r.make_histogram("troupe_a_work_seconds", "Help.", latency_bounds());
    for (std::size_t i = 0; !stop.stop_requested(); ++i) {
      h.observe(static_cast<double>(i % 1000) * 1e-3);
      r.make_counter("troupe_a_events_total", "Help.", {{"n", std::to_string(i % 50)}}).add();
      const auto kept = r.watch_gauge("troupe_a_now_rows", "Help.", {}, [] { return 1.0; });
    }
  });
  double seen = 0;
  for (int i = 0; i < 300 || seen == 0; ++i) {
    const auto parsed = parse_exposition(r.expose());
    if (!parsed.families.contains("troupe_a_work_seconds")) continue;
    const double count = parsed.value("troupe_a_work_seconds_count");
    REQUIRE(count >= seen);
    seen = count;
  }
}

TEST_CASE("the parser of these tests refuses what the format forbids") {
  const std::string head = "# HELP a_b Help.\n# TYPE a_b gauge\n";
  CHECK_NOTHROW(parse_exposition(head + "a_b 1\n"));
  for (const std::string& bad :
       {std::string("a_b 1\n"), head, head + "a_b 1", head + "a_b  1\n", head + "a_b 1 \n",
        head + "a_b 1\na_b 2\n", head + "b_b 1\n", head + "a_b{x=\"1\" 1\n", head + "a_b{} 1\n",
        head + "a_b{x=\"1\",x=\"2\"} 1\n", head + "a_b{x=\"\\q\"} 1\n", head + "a_b inf\n",
        head + "a_b 0x1\n", head + "\na_b 1\n", head + "a_b 1\n" + head + "a_b 2\n",
        std::string("# TYPE a_b gauge\na_b 1\n"), std::string("# HELP a_b Help.\na_b 1\n")}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_exposition(bad), std::runtime_error);
  }
  const std::string histogram = "# HELP h Help.\n# TYPE h histogram\n";
  CHECK_NOTHROW(parse_exposition(
      histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"));
  for (const std::string& bad :
       {std::string("h_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n"),
        std::string("h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"),
        std::string("h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 2\nh_sum "
                    "3\nh_count 2\n"),
        std::string("h_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 3\n"),
        std::string("h_bucket{le=\"+Inf\"} 2\nh_count 2\n"),
        std::string("h_bucket{le=\"+Inf\"} 2\nh_sum 2\n"), std::string("h 1\n")}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_exposition(histogram + bad), std::runtime_error);
  }
}
