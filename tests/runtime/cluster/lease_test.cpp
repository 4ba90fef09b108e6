#include "runtime/cluster/lease.hpp"

#include <doctest/doctest.h>

#include <random>

#include "runtime/base/ensure.hpp"

namespace troupe::cluster {
namespace {

using namespace std::chrono_literals;
using store::renewal;

// ttl 6 s, margin 1.5 s: valid for 4.5 s from the request.
const lease_options options;
steady_time at(std::chrono::milliseconds ms) {
  return steady_time{} + 100s + ms;
}

lease joined(std::chrono::milliseconds answer_after = 0ms) {
  lease l(options);
  l.requested(at(0ms));
  l.answered(renewal::renewed, at(answer_after));
  return l;
}

}  // namespace

TEST_CASE("a lease holds for ttl - margin from before the request was sent") {
  struct row {
    std::chrono::milliseconds answer_after, now;
    bool valid;
  };
  for (const auto& r :
       {row{0ms, 0ms, true}, row{0ms, 4'499ms, true}, row{0ms, 4'500ms, false},
        row{2'000ms, 4'499ms, true}, row{2'000ms, 4'500ms, false}, row{5'000ms, 5'000ms, false}}) {
    const auto l = joined(r.answer_after);
    CHECK(l.valid(at(r.now)) == r.valid);
    CHECK(l.must_stop(at(r.now)) != r.valid);
  }
}

TEST_CASE("before the first answer there is no lease") {
  lease l(options);
  CHECK(l.must_stop(at(0ms)));
  l.requested(at(0ms));
  CHECK(l.must_stop(at(0ms)));
  l.answered(renewal::unavailable, at(10ms));
  CHECK(l.must_stop(at(10ms)));
}

TEST_CASE("what each answer means") {
  struct row {
    renewal answer;
    bool valid_then, valid_later, ended;
    std::chrono::milliseconds next;
  };
  // Asked at 1 s, answered at 1.3 s; then 1.3 s, later 5 s (the first lease has run out).
  for (const auto& r : {row{renewal::renewed, true, true, false, 2'000ms},
                        row{renewal::unavailable, true, false, false, 1'500ms}}) {
    auto l = joined();
    CHECK(l.next_renewal() == at(1'000ms));
    l.requested(at(1'000ms));
    l.answered(r.answer, at(1'300ms));
    CHECK(l.valid(at(1'300ms)) == r.valid_then);
    CHECK(l.valid(at(5'000ms)) == r.valid_later);
    CHECK(l.ended() == r.ended);
    CHECK(l.next_renewal() == at(r.next));
  }
  for (const auto end : {renewal::superseded, renewal::dead}) {
    auto l = joined();
    l.requested(at(1'000ms));
    l.answered(end, at(1'001ms));
    CHECK(l.must_stop(at(1'001ms)));
    CHECK(l.ended());
    CHECK(l.end() == end);
    CHECK(l.next_renewal() == steady_time::max());
    l.requested(at(2'000ms));
    l.answered(renewal::renewed, at(2'000ms));
    CHECK(l.must_stop(at(2'000ms)));
  }
}

TEST_CASE("an expired lease can be regained, an answer that took too long gives nothing") {
  auto l = joined();
  l.requested(at(4'000ms));
  l.answered(renewal::unavailable, at(6'000ms));
  CHECK(l.must_stop(at(6'000ms)));
  l.requested(at(6'200ms));
  l.answered(renewal::renewed, at(11'000ms));
  CHECK(l.must_stop(at(11'000ms)));
  l.requested(at(11'000ms));
  l.answered(renewal::renewed, at(11'100ms));
  CHECK(l.valid(at(11'100ms)));
}

TEST_CASE("options that lose the lease with one renewal are refused") {
  lease_options tight;
  tight.renew_every = 2'500ms;
  CHECK(!tight.consistent());
  CHECK_THROWS_AS(lease{tight}, broken_invariant);
  lease_options marginless;
  marginless.margin = 0ms;
  CHECK(!marginless.consistent());
}

TEST_CASE("whatever the network does, the holder stops before the server lets others in") {
  for (std::uint32_t seed = 0; seed < 2'000; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int max) {
      return std::chrono::milliseconds(random() % static_cast<unsigned>(max));
    };
    // The server's clock runs up to one part in ten slow or fast against the holder's; the margin
    // covers that.
    const double drift = 0.9 + static_cast<double>(random() % 1'000) / 5'000.0;
    const auto server_time = [&](steady_time t) {
      return static_cast<double>((t - steady_time{}).count()) * drift;
    };
    const double ttl = static_cast<double>(std::chrono::nanoseconds(options.ttl).count());
    double server_until = 0;
    auto now = at(0ms);
    lease l(options);
    for (int i = 0; i < 40; ++i) {
      l.requested(now);
      now += pick(3'000);  // The request travels, the server applies it or never gets it.
      const bool arrived = random() % 4 != 0, answered = arrived && random() % 4 != 0;
      if (arrived) server_until = std::max(server_until, server_time(now) + ttl);
      now += pick(3'000);
      l.answered(answered ? renewal::renewed : renewal::unavailable, now);
      for (auto t = now; t < now + 8s; t += 250ms)
        if (l.valid(t)) REQUIRE_MESSAGE(server_time(t) < server_until, "seed " << seed);
      now = std::max(now, l.next_renewal()) + pick(2'000);
    }
  }
}

}  // namespace troupe::cluster
