#include "app/cluster_report.hpp"

#include <doctest/doctest.h>

namespace troupe::app {

namespace {

using nlohmann::json;

json node_says(const std::string& id, int records, int live) {
  return {
      {"node", id},
      {"version", "1"},
      {"uptime_s", 5},
      {"shards", {{"total", live}, {"live", live}, {"restarts", 1}, {"stopped", json::array()}}},
      {"ingress", {{"records", records}, {"rate", 1.5}, {"lag", 2}}},
      {"commits", 3},
      {"units", 4},
      {"rows", {{"bar", 10}}},
      {"dead_letters", 0},
      {"undelivered", 0},
      {"oldest_uncommitted_ms", records},
      {"problems", json::array({id + ": a problem"})},
      {"entities", 7},
      {"feeds", {{"followed", 2}, {"lag", 5}}}};
}

store::cluster_view three_nodes() {
  store::cluster_view view;
  view.nodes = {{"a", incarnation(1), "h:1", true, false},
                {"b", incarnation(2), "h:2", true, true},
                {"c", incarnation(3), "h:3", false, false},
                {"d", incarnation(4), "h:4", false, false, true}};
  view.leader = incarnation(1);
  view.shards = {{"a", incarnation(1), epoch(1)},
                 {"a", incarnation(2), epoch(4)},
                 {"b", incarnation(3), epoch(9)}};
  return view;
}

}  // namespace

TEST_CASE("who has no valid lease is shown as such") {
  auto old = node_says("b", 50, 1);
  old["stale"] = true;
  const auto s = cluster_status(three_nodes(), node_says("a", 100, 1), {{"b", old}});
  CHECK_FALSE(s.contains("stale"));  // Who was asked has one.
  CHECK(s["nodes"][1]["stale"] == true);
  CHECK_FALSE(s["nodes"][0].contains("stale"));
  CHECK(cluster_status(three_nodes(), old, {})["stale"] == true);
}

TEST_CASE("the cluster's status adds up what the nodes say, and shows each") {
  const auto s =
      cluster_status(three_nodes(), node_says("a", 100, 1), {{"b", node_says("b", 50, 1)}});
  CHECK(s["ingress"]["records"] == 150);
  CHECK(s["ingress"]["rate"] == 3.0);
  CHECK(s["rows"]["bar"] == 20);
  CHECK(s["feeds"]["lag"] == 10);
  CHECK(s["shards"]["live"] == 2);
  CHECK(s["shards"]["total"] == 3);
  CHECK(s["shards"]["moving"] == 2);  // From b to a; and c, which had the third, is gone.
  CHECK(s["leader"] == "a");
  CHECK(s["moves"] == json::array({{{"shard", 1}, {"from", "b"}, {"to", "a"}},
                                   {{"shard", 2}, {"from", nullptr}, {"to", "b"}}}));
  CHECK(s["oldest_uncommitted_ms"] == 100);
  CHECK(s["nodes"][1]["oldest_uncommitted_ms"] == 50);
  REQUIRE(s["problems"].size() == 3);  // Of a, of b, and that c is down; d has left.
  CHECK(s["problems"][2].get<std::string>().starts_with("c is down"));
  REQUIRE(s["nodes"].size() == 4);
  CHECK(s["nodes"][0]["state"] == "live");
  CHECK(s["nodes"][0]["leads"] == true);
  CHECK(s["nodes"][1]["draining"] == true);
  CHECK(s["nodes"][1]["ingress"]["records"] == 50);
  CHECK(s["nodes"][2]["state"] == "down");
  CHECK(s["nodes"][3]["state"] == "left");
  CHECK_FALSE(s["nodes"][2].contains("shards"));
}

TEST_CASE("a node that does not answer is silent; a leader that is gone is none") {
  auto view = three_nodes();
  view.leader = incarnation(3);
  const auto s = cluster_status(view, node_says("a", 100, 1), {{"b", nullptr}});
  CHECK(s["nodes"][1]["state"] == "silent");
  CHECK(s["leader"].is_null());
  CHECK(s["problems"].dump().find("no node leads") != std::string::npos);
  CHECK(s["problems"].dump().find("b is silent") != std::string::npos);
  CHECK(s["ingress"]["records"] == 100);
}

TEST_CASE("orders that lead nowhere are refused by name") {
  const auto error = [](json order) {
    const auto refused = order_refusal(three_nodes(), order);
    return refused.is_null() ? "" : refused.at("error").get<std::string>();
  };
  const auto move = [&](int shard, const char* node) {
    return error({{"verb", "move"}, {"shard", shard}, {"node", node}});
  };
  CHECK(move(1, "a").empty());
  CHECK(move(3, "a") == "unknown_shard");
  CHECK(move(1, "z") == "unknown_node");
  CHECK(move(1, "c") == "node_is_down");
  CHECK(move(1, "b") == "node_drains");
  CHECK(error({{"verb", "drain"}, {"node", "a"}}) ==
        "last_node");  // b drains, the others are gone.
  CHECK(error({{"verb", "drain"}, {"node", "b"}}).empty());
  CHECK(error({{"verb", "drain"}, {"node", "c"}}) == "node_is_down");
  CHECK(error({{"verb", "undrain"}, {"node", "b"}}).empty());
  CHECK(error({{"verb", "forget"}, {"node", "c"}}).empty());
  CHECK(error({{"verb", "forget"}, {"node", "a"}}) == "node_is_live");
}

TEST_CASE("every shard is listed, with what its node says, or without") {
  const auto own = json::array({{{"shard", 0}, {"node", "a"}, {"live", true}, {"lag", 5}}});
  const auto all = cluster_shards(three_nodes(), own, {{"b", nullptr}});
  REQUIRE(all.size() == 3);
  CHECK(all[0]["lag"] == 5);
  CHECK(all[0]["assigned"] == "a");
  CHECK(all[1]["node"] == "b");
  CHECK(all[1]["live"] == false);
  CHECK(all[2]["node"].is_null());
  CHECK(all[2]["assigned"] == "b");
}

}  // namespace troupe::app
