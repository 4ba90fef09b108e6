#include "runtime/cluster/allocation.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

namespace troupe::cluster {

namespace {

using owners = std::vector<std::string>;

allocation_input input(const std::vector<std::string>& nodes, const owners& shards) {
  allocation_input in;
  for (const auto& n : nodes) in.nodes.push_back({n});
  for (const auto& s : shards) in.shards.push_back({s});
  return in;
}

owners after(const allocation_input& in) {
  owners all;
  for (const auto& s : in.shards) all.push_back(s.assigned);
  for (const auto& a : allocate(in)) all[a.shard.value()] = a.node;
  return all;
}

/// Follows the plan to its end, every move arriving before the next plan is made.
owners at_rest(allocation_input in, int* moves = nullptr) {
  for (;;) {
    const auto changes = allocate(in);
    if (changes.empty()) break;
    if (moves != nullptr) *moves += static_cast<int>(changes.size());
    for (const auto& a : changes) in.shards[a.shard.value()].assigned = a.node;
  }
  owners all;
  for (const auto& s : in.shards) all.push_back(s.assigned);
  return all;
}

std::map<std::string, int> count(const owners& all) {
  std::map<std::string, int> n;
  for (const auto& o : all) ++n[o];
  return n;
}

}  // namespace

TEST_CASE("shards that nobody has are given out at once and evenly") {
  CHECK(after(input({"b", "a", "c"}, owners(7))) == owners{"a", "b", "c", "a", "b", "c", "a"});
  CHECK(after(input({"a", "b"}, {"gone", "a", "gone", "a"})) == owners{"b", "a", "b", "a"});
  CHECK(after(input({}, owners(3))) == owners(3));
}

TEST_CASE("what a living node has stays, but to even out") {
  CHECK(allocate(input({"a", "b"}, {"a", "a", "b"})).empty());
  CHECK(after(input({"a", "b"}, {"a", "a", "a", "b"})) == owners{"a", "a", "b", "b"});
}

TEST_CASE("moves between the living are few at a time, and wait for those under way") {
  auto in = input({"a", "b"}, owners(20, "a"));
  in.moves_max = 3;
  CHECK(allocate(in).size() == 3);
  in.shards[0].moving = in.shards[1].moving = true;
  CHECK(allocate(in).size() == 1);
  in.shards[2].moving = true;
  CHECK(allocate(in).empty());
  // What has lost its owner does not wait.
  in.shards[19].assigned = "gone";
  CHECK(allocate(in).size() == 1);
}

TEST_CASE("a node that gives ends with nothing, one that does not take gets nothing") {
  auto in = input({"a", "b", "c"}, {"a", "b", "c", "a", "b", "c"});
  in.nodes[0].gives = true;
  CHECK(count(at_rest(in)) == std::map<std::string, int>{{"b", 3}, {"c", 3}});
  in.nodes[0].gives = false;
  in.nodes[1].takes = false;
  in.shards[0].assigned = "gone";
  CHECK(after(in)[0] != "b");
}

TEST_CASE(
    "any cluster comes to rest, balanced, with no more moves than needed, and the same again") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> nodes;
    for (std::size_t n = 0; n < 1 + random() % 6; ++n)
      nodes.push_back(std::string(1, char('a' + n)));
    owners shards;
    for (std::size_t s = 0; s < 1 + random() % 64; ++s)
      shards.push_back(std::string(1, char('a' + random() % 8)));
    const auto in = input(nodes, shards);
    CHECK(allocate(in) == allocate(in));
    int moves = 0;
    const auto rest = at_rest(in, &moves);
    const auto load = count(rest);
    std::size_t surplus = 0;
    const auto fair = shards.size() / nodes.size();
    auto before = count(shards);
    for (const auto& n : nodes) {
      CHECK(load.contains(n) == (fair > 0 || load.contains(n)));
      if (load.contains(n)) {
        CHECK(load.at(n) >= static_cast<int>(fair));
        CHECK(load.at(n) <= static_cast<int>(fair) + 1);
      }
      surplus += static_cast<std::size_t>(std::max(0, before[n] - static_cast<int>(fair)));
      before.erase(n);
    }
    for (const auto& [gone, n] : before) surplus += static_cast<std::size_t>(n);
    CHECK(moves <= static_cast<int>(surplus));
  }
}

}  // namespace troupe::cluster
