#include <doctest/doctest.h>

#include "runtime/entity/entity.hpp"
#include "tests/actors/ops/channel_support.hpp"

using namespace troupe;
using namespace troupe::ops;
using namespace troupe::ops::test;

namespace {

using words = std::vector<std::string>;
using deaths = std::vector<std::pair<std::string, death>>;
constexpr auto failed = attempt_outcome::failed;
constexpr auto delivered = attempt_outcome::delivered;
constexpr auto refused = attempt_outcome::refused;

delivery_options small() {
  delivery_options o;
  o.timeout = 1'000ms;
  o.backoff = 100ms;
  o.backoff_max = 400ms;
  o.attempts_max = 3;
  o.age_max = 60s;
  o.queue_max = 20;
  o.ids_remembered = 30;
  return o;
}

struct rig {
  delivery_options options = small();
  notification_channel channel{options, true};
  heard out;
  time_point now = start;

  bool accept(const std::string& id) { return channel.accept(notice(id), now, out); }
  void answered(const std::string& id, attempt_outcome how, const std::string& detail = "") {
    channel.answered(id, how, detail, now, out);
  }
  void until_due() {
    REQUIRE(channel.due());
    now = std::max(now, *channel.due());
    channel.tick(now, out);
  }
  std::string state(const std::string& id) { return channel.fate_of(id).at("state"); }
};

}  // namespace

TEST_CASE("a notification is sent at once and ends when it is delivered") {
  rig r;
  CHECK(r.accept("a"));
  CHECK(r.out.take_sent() == words{"a"});
  CHECK(r.state("a") == "waiting");
  r.answered("a", delivered);
  CHECK(r.state("a") == "delivered");
  CHECK(r.channel.delivered() == 1);
  CHECK_FALSE(r.channel.due());
  CHECK(r.state("b") == "unknown");
}

TEST_CASE("an id that was accepted before has no second effect, waiting or delivered") {
  rig r;
  CHECK(r.accept("a"));
  CHECK_FALSE(r.accept("a"));
  r.answered("a", delivered);
  CHECK_FALSE(r.accept("a"));
  CHECK(r.out.sent == words{"a"});
  CHECK(r.channel.save().at("repeated") == 2);
}

TEST_CASE("an id that waits is known even when so many newer ones came that it is forgotten") {
  rig r;
  r.options.attempts_max = 1000;
  CHECK(r.accept("old"));
  for (int i = 0; i < 40; ++i) {
    const auto id = "n" + std::to_string(i);
    CHECK(r.accept(id));
    r.answered(id, delivered);
  }
  CHECK_FALSE(r.accept("old"));
}

TEST_CASE("a failure is tried again after a growing wait, with the same id, up to the limit") {
  rig r;
  r.accept("a");
  r.answered("a", failed, "HTTP status 500");
  CHECK(r.channel.due() == r.now + backoff_after(1, "a", r.options));
  r.channel.tick(*r.channel.due() - 1us, r.out);
  CHECK(r.out.sent == words{"a"});
  r.until_due();
  r.answered("a", failed, "HTTP status 502");
  CHECK(r.channel.due() == r.now + backoff_after(2, "a", r.options));
  r.until_due();
  CHECK(r.out.sent == words{"a", "a", "a"});
  r.answered("a", failed, "HTTP status 503");
  CHECK(r.out.dead == deaths{{"a", death::attempts}});
  CHECK(r.channel.fate_of("a") == nlohmann::json{{"state", "dead"},
                                                 {"reason", "attempts_max"},
                                                 {"detail", "HTTP status 503"}});
  CHECK(r.channel.dead() == 1);
  CHECK_FALSE(r.channel.due());
}

TEST_CASE("what the receiver will never take is given up at once, with its reason") {
  rig r;
  r.accept("a");
  r.answered("a", refused, "HTTP status 404");
  CHECK(r.out.dead == deaths{{"a", death::refused}});
  CHECK(r.channel.fate_of("a").at("detail") == "HTTP status 404");
}

TEST_CASE("an answer that never comes is a failure after twice the timeout: sent again") {
  rig r;
  r.accept("a");
  CHECK(r.channel.due() == r.now + 2s);
  r.until_due();
  CHECK(r.out.sent == words{"a", "a"});
  r.until_due();
  CHECK(r.out.sent.size() == 3);
  r.until_due();
  CHECK(r.out.dead == deaths{{"a", death::attempts}});
}

TEST_CASE("a late answer to an earlier attempt still counts as delivered") {
  rig r;
  r.accept("a");
  r.answered("a", failed);
  r.answered("a", delivered);
  CHECK(r.state("a") == "delivered");
  r.answered("a", failed);
  CHECK(r.state("a") == "delivered");
}

TEST_CASE("a notification that could not be delivered for too long is given up") {
  rig r;
  r.options.attempts_max = 1000;
  r.accept("a");
  while (r.out.dead.empty()) {
    r.answered("a", failed, "no route");
    if (r.out.dead.empty()) r.until_due();
  }
  CHECK(r.out.dead == deaths{{"a", death::age}});
  CHECK(r.now - start >= 60s);
  CHECK(r.now - start < 61s);
}

TEST_CASE("a full queue gives up its oldest that is not under way, by name") {
  rig r;
  for (int i = 0; i < 22; ++i) r.accept("n" + std::to_string(i));
  CHECK(r.out.sent.size() == notification_channel::in_flight_max);
  CHECK(r.channel.waiting() == 20);
  CHECK(r.out.dead == deaths{{"n16", death::queue_full}, {"n17", death::queue_full}});
}

TEST_CASE("no more are under way than allowed; each end lets the next go") {
  rig r;
  for (int i = 0; i < 18; ++i) r.accept("n" + std::to_string(i));
  CHECK(r.out.take_sent().size() == 16);
  r.answered("n3", delivered);
  CHECK(r.out.take_sent() == words{"n16"});
  r.answered("n0", failed);
  CHECK(r.out.take_sent() == words{"n17"});
}

TEST_CASE("a channel that the config does not have gives everything up by name") {
  rig r;
  notification_channel gone(r.options, false);
  CHECK(gone.accept(notice("a"), r.now, r.out));
  CHECK(r.out.dead == deaths{{"a", death::unknown_channel}});
  CHECK(r.out.sent.empty());
  r.accept("b");
  gone.load(r.channel.save());
  gone.tick(r.now, r.out);
  CHECK(r.out.dead.back() == std::pair<std::string, death>{"b", death::unknown_channel});
}

TEST_CASE("the state comes back as it was; damaged ones are refused") {
  rig r;
  r.accept("a");
  r.accept("b");
  r.accept("c");
  r.answered("a", delivered);
  r.answered("b", refused, "HTTP status 410");
  r.answered("c", failed, "HTTP status 500");
  const auto saved = r.channel.save();
  notification_channel again(r.options, true);
  again.load(saved);
  CHECK(again.save() == saved);
  CHECK(again.due() == r.channel.due());
  for (const auto* name : {"waiting", "ids", "last_dead", "dead_by", "delivered", "last_error"}) {
    auto damaged = saved;
    damaged[name] = 1.5;
    if (std::string_view(name) == "delivered") damaged.erase(name);
    notification_channel other(r.options, true);
    CHECK_THROWS_AS(other.load(damaged), bad_state);
  }
}

TEST_CASE("waits double up to the longest, are shortened by half at most, and differ by id") {
  const auto o = small();
  const std::vector<std::chrono::milliseconds> whole{100ms, 200ms, 400ms, 400ms, 400ms};
  std::unordered_set<std::int64_t> different;
  for (std::int64_t n = 1; n <= 5; ++n)
    for (int i = 0; i < 50; ++i) {
      const auto wait = backoff_after(n, "id-" + std::to_string(i), o);
      const auto full = whole[static_cast<std::size_t>(n - 1)];
      CHECK(wait <= full);
      CHECK(wait >= full / 2);
      if (n == 3) different.insert(wait.count());
    }
  CHECK(different.size() > 20);
  CHECK(backoff_after(2, "a", o) == backoff_after(2, "a", o));
}
