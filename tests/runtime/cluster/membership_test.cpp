#include "runtime/cluster/membership.hpp"

#include <doctest/doctest.h>

#include <map>
#include <utility>

namespace troupe::cluster {

namespace {

using namespace std::chrono_literals;
using store::cluster_decision;
using store::cluster_view;

/// Remembers what was asked for; the test answers.
struct recorder final : membership_world {
  std::vector<cluster_decision> led;
  std::vector<shard_id> hosted, handed_over;
  std::vector<incarnation> cut;
  std::vector<std::string> ran_out;
  std::map<shard_id, incarnation> located;
  int reads = 0;

  void read() override { ++reads; }
  void lead(cluster_decision what) override { led.push_back(std::move(what)); }
  void dial(const cluster_view::node&) override {}
  void send(incarnation, const member_message&) override {}
  void forget(incarnation peer) override { cut.push_back(peer); }
  void expired(const cluster_view::node& peer) override { ran_out.push_back(peer.id); }
  void host(shard_id shard) override { hosted.push_back(shard); }
  void hand_over(shard_id shard) override { handed_over.push_back(shard); }
  void locate(shard_id shard, incarnation at) override { located[shard] = at; }

  bool declared(std::int64_t life) const {
    for (const auto& what : led)
      for (const auto dead : what.dead)
        if (dead == incarnation(life)) return true;
    return false;
  }
};

/// One of `count` nodes a, b, c ..., whose incarnations are 1, 2, 3 ..., as `leader` leads.
struct member {
  member(std::int64_t self, int count, std::int64_t leader, const membership_options& options = {})
      : core(std::string(1, static_cast<char>('a' + self - 1)), incarnation(self), options, world) {
    for (int n = 0; n < count; ++n)
      view.nodes.push_back({std::string(1, char('a' + n)), incarnation(n + 1), "h:1", true, false});
    for (int n = 0; n < count; ++n)
      view.shards.push_back(
          {view.nodes[static_cast<std::size_t>(n)].id, incarnation(n + 1), epoch(1)});
    view.leader = incarnation(leader);
    core.on_view(view, now);
    for (int n = 1; n <= count; ++n)
      if (n != self) core.on_linked(incarnation(n), now);
    if (!world.led.empty())
      core.on_led({store::cluster_store::led::outcome::done, 1}, world.led.back(), now);
    world.led.clear();
  }
  void vote(std::int64_t voter, std::int64_t suspect) {
    core.on_message(incarnation(voter), {member_message::what::suspect, incarnation(suspect)}, now);
  }

  steady_time now{1h};
  recorder world;
  membership core;
  cluster_view view;
};

struct node_a : member {
  node_a(int count, std::int64_t leader, const membership_options& options = {})
      : member(1, count, leader, options) {}
  /// Time goes by, in which b says something now and then and c nothing.
  void wait(std::chrono::milliseconds time) {
    for (const auto until = now + time; now < until;) {
      now += 50ms;
      core.on_message(incarnation(2), {member_message::what::probe, incarnation(2)}, now);
      core.on_tick(now);
      if (world.led.empty()) continue;
      const auto what = std::exchange(world.led, {}).back();
      core.on_led({store::cluster_store::led::outcome::done, ++view.version}, what, now);
    }
  }
};

}  // namespace

TEST_CASE("with three nodes a broken link kills nobody until a second one has lost it too") {
  node_a a(3, 1);
  a.core.on_link_lost(incarnation(3), a.now);
  CHECK_FALSE(a.world.declared(3));
  a.vote(2, 3);
  REQUIRE(a.world.declared(3));
  // Its shard goes out in the same decision.
  REQUIRE(a.world.led.back().assign.size() == 1);
  CHECK(a.world.led.back().assign[0].shard == shard_id(2));
}

TEST_CASE("whose lease ran out before anybody could judge it is told, once") {
  node_a a(4, 1);
  a.view.version = 1;
  const auto look = [&a](std::chrono::milliseconds later) {
    a.now += later;
    a.core.on_view(a.view, a.now);
  };
  auto& nodes = a.view.nodes;
  nodes[1].live = nodes[2].live = false;
  nodes[3].live = false;
  nodes[3].left = true;
  look(0ms);
  nodes[2].live = true;  // The database was away, and its renewal late.
  look(900ms);
  CHECK(a.world.ran_out.empty());
  look(100ms);
  CHECK(a.world.ran_out == std::vector<std::string>{"b"});
  nodes[2].live = false;
  look(1000ms);
  look(1000ms);
  look(1000ms);
  CHECK(a.world.ran_out == std::vector<std::string>{"b", "c"});
}

TEST_CASE("a death that was decided is no lease that ran out") {
  node_a a(3, 1);
  a.core.on_link_lost(incarnation(3), a.now);
  a.vote(2, 3);
  REQUIRE(a.world.declared(3));
  a.view.version = 2;
  a.core.on_led({store::cluster_store::led::outcome::done, 2}, a.world.led.back(), a.now);
  a.view.nodes[2].live = false;
  for (int i = 0; i < 3; ++i) a.core.on_view(a.view, a.now += 1s);
  CHECK(a.world.ran_out.empty());
}

TEST_CASE("who is silent for longer than silence_max is suspected, and his link is cut") {
  for (const auto patience : {500ms, 1000ms, 3000ms, 60'000ms}) {
    CAPTURE(patience.count());
    membership_options options;
    options.silence_max = patience;
    node_a a(3, 1, options);
    a.wait(patience);
    CHECK(a.world.cut.empty());
    CHECK(a.core.linked(incarnation(3)));
    a.wait(100ms);
    CHECK(a.world.cut == std::vector{incarnation(3)});
    CHECK_FALSE(a.core.linked(incarnation(3)));
    a.vote(2, 3);
    CHECK(a.world.declared(3));
  }
}

TEST_CASE("whose large frame is on its way is not silent") {
  node_a a(3, 1);
  for (int i = 0; i < 10; ++i) {
    a.wait(900ms);
    a.core.on_heard(incarnation(3), a.now);
  }
  CHECK(a.world.cut.empty());
  a.wait(1100ms);
  CHECK(a.world.cut == std::vector{incarnation(3)});
  a.core.on_heard(incarnation(3), a.now);  // Too late: the link is gone.
  CHECK_FALSE(a.core.linked(incarnation(3)));
}

TEST_CASE("a vote alone kills nobody either, and an old one does not count") {
  node_a a(3, 1);
  a.vote(2, 3);
  CHECK_FALSE(a.world.declared(3));
  a.now += 5s;
  a.core.on_message(incarnation(2), {member_message::what::probe, incarnation(2)}, a.now);
  a.core.on_link_lost(incarnation(3), a.now);
  CHECK_FALSE(a.world.declared(3));
}

TEST_CASE("of two nodes the one that is left judges alone") {
  node_a a(2, 2);
  a.core.on_link_lost(incarnation(2), a.now);
  CHECK(a.world.declared(2));
}

TEST_CASE("who does not lead leaves judging to the leader, unless it is the suspect") {
  node_a a(3, 2);
  a.core.on_link_lost(incarnation(3), a.now);
  a.vote(2, 3);
  CHECK_FALSE(a.world.declared(3));
  node_a b(3, 2);
  b.core.on_link_lost(incarnation(2), b.now);
  b.vote(3, 2);
  CHECK(b.world.declared(2));
}

TEST_CASE("when the leader is gone the lowest id of those that are left takes the lead, no other") {
  member c(3, 3, 2);
  c.core.on_link_lost(incarnation(2), c.now);
  c.vote(1, 2);
  CHECK_FALSE(c.world.declared(2));  // That is a's to do.
  CHECK(c.world.led.empty());
  member b(2, 3, 1);
  b.core.on_link_lost(incarnation(1), b.now);
  b.vote(3, 1);
  CHECK(b.world.declared(1));
}

TEST_CASE("while nobody leads only the lowest id takes the lead") {
  member a(1, 2, 0), b(2, 2, 0);
  CHECK(a.core.leads());
  CHECK_FALSE(b.core.leads());
}

TEST_CASE("a reading that may be older than a release is followed by another at once") {
  member c(3, 3, 1);
  c.view.shards[1].assigned = c.view.nodes[0].id;
  c.core.on_view(c.view, c.now);
  c.core.on_look(c.now);
  const auto reads = c.world.reads;
  c.core.on_message(incarnation(2), {member_message::what::released, incarnation(2), shard_id(1)},
                    c.now);
  CHECK(c.world.located.at(shard_id(1)) == incarnation(1));
  c.core.on_view(c.view, c.now);
  CHECK(c.world.reads == reads + 1);
  c.view.shards[1].life = incarnation(1);
  c.core.on_view(c.view, c.now);
  CHECK(c.world.located.at(shard_id(1)) == incarnation(1));
  CHECK(c.world.reads == reads + 1);
}

TEST_CASE("a reading that is older than one's own release does not bring the shard back") {
  member b(2, 3, 1);
  b.view.shards[1].assigned = b.view.nodes[0].id;
  b.core.on_view(b.view, b.now);
  REQUIRE(b.world.handed_over == std::vector{shard_id(1)});
  const auto hosted = b.world.hosted.size();
  b.core.on_look(b.now);
  b.core.on_released(shard_id(1), b.now);
  b.core.on_view(b.view, b.now);
  CHECK(b.world.hosted.size() == hosted);
  CHECK(b.world.located.at(shard_id(1)) == incarnation(1));
  // A reading that began later is believed.
  b.core.on_view(b.view, b.now);
  CHECK(b.world.hosted.size() == hosted + 1);
}

TEST_CASE("a view that is older than a decision changes nothing") {
  node_a a(2, 2);
  member_message decided{member_message::what::decided, incarnation(2)};
  decided.version = 7;
  decided.decision.assign = {{shard_id(0), "b"}};
  a.core.on_message(incarnation(2), decided, a.now);
  CHECK(a.world.handed_over == std::vector{shard_id(0)});
  a.core.on_released(shard_id(0), a.now);
  a.world.hosted.clear();
  a.core.on_view(a.view, a.now);  // Read before the decision: shard 0 is still a's there.
  CHECK(a.world.hosted.empty());
}

}  // namespace troupe::cluster
