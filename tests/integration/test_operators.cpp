// What operators do to a running cluster, by the program's own commands.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/chaos/cluster_watch.hpp"
#include "tests/chaos/market_run.hpp"
#include "tests/support/services.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

using words = std::vector<std::string>;

// So that after a move there is no difference of two: 3 + 2 + 2.
constexpr unsigned shards = 7;

class operated_cluster : public cluster_watch {
 public:
  operated_cluster() : run({6, 100'000, 3, shards}) {
    run.start();
    come_to_rest();
  }
  /// Every node has its share, and every shard lives.
  void come_to_rest() const {
    settle();
    wait_until("live shards", 60s, [this] { return std::ranges::count(owners(1), "") == 0; });
  }

  run_result cli(words what, int node = 1) const {
    what.insert(what.end(), {"--config", run.folder().node_config(node)});
    return run_troupe(what);
  }
  /// The same with --json; an error in the answer or not.
  json ask(words what, int node = 1) const {
    what.emplace_back("--json");
    const auto said = cli(what, node);
    const auto answer = json::parse(said.output, nullptr, false);
    REQUIRE_MESSAGE(!answer.is_discarded(), said.output);
    CHECK(said.exit_code == (answer.is_object() && answer.contains("error") ? 1 : 0));
    return answer;
  }
  /// Refused by this name and exit code 1, as text and as JSON.
  void refuses(const words& what, const std::string& name, int node = 1) const {
    CAPTURE(what);
    const auto said = cli(what, node);
    CHECK(said.exit_code == 1);
    CHECK_MESSAGE(said.output.find(name + ": ") != std::string::npos, said.output);
    const auto answer = ask(what, node);
    CHECK(answer.value("error", "") == name);
    CHECK(!answer.value("detail", "").empty());
  }

  json shard(int number, int node) const {
    return ask({"shard", "show", std::to_string(number)}, node);
  }
  /// Of all shards, by number; empty: nobody's.
  words owners(int node) const {
    words all;
    for (const auto& s : ask({"shard", "list"}, node)) {
      const bool there = s.value("live", false) && s.at("node") == s.at("assigned");
      all.push_back(there ? s.at("node").get<std::string>() : "");
    }
    return all;
  }
  json node(const std::string& id, int asked) const {
    const auto status = ask({"status"}, asked);
    for (const auto& n : status.at("nodes"))
      if (n.at("id") == id) return n;
    return json::object();
  }
  /// The leader has looked at everything again, and so has written what it wants different.
  void wait_for_decisions(int count) const {
    const auto seen = [this] { return std::stoll(sql("select version from leader")); };
    const auto until = seen() + count;
    wait_until("the leader's next looks", 30s, [&] { return seen() >= until; });
  }

  market_run run;

 private:
  const cluster_folder& folder() const override { return run.folder(); }
  int node_count() const override { return run.nodes(); }
};

int number_of(const std::string& node) {
  return node.back() - '0';
}

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE(
    "under load a shard moves and stays, the leader drains until it is empty and takes its share "
    "again; nothing is lost or doubled") {
  operated_cluster cluster;
  steady_load load([&](int from, int to) { cluster.run.send(from, to); });
  load.go();
  const auto before = cluster.owners(1);
  const auto has = [](const words& owners, const std::string& node) {
    return std::ranges::count(owners, node);
  };
  std::string from, to, third;
  for (const auto* id : {"node-1", "node-2", "node-3"})
    (has(before, id) == 3 ? from : to.empty() ? to : third) = id;
  const auto shard = static_cast<int>(std::ranges::find(before, from) - before.begin());
  const auto name = std::to_string(shard);

  const auto moved = cluster.cli({"shard", "move", name, "--to", to}, number_of(third));
  CHECK(moved.exit_code == 0);
  CHECK(moved.output ==
        "shard " + name + " goes to " + to + "; `troupe shard list` shows when it has arrived\n");
  auto after = before;
  after[static_cast<std::size_t>(shard)] = to;
  for (int n = 1; n <= 3; ++n)
    wait_until("the shard at its new node", 30s, [&] { return cluster.owners(n) == after; });
  const auto shown = cluster.shard(shard, number_of(from));
  CHECK(shown.at("node") == to);
  CHECK(shown.at("epoch").dump() == cluster.sql("select epoch from shard where id = " + name));
  cluster.wait_for_decisions(3);
  CHECK(cluster.owners(number_of(third)) == after);
  // There and back again, as JSON.
  CHECK(cluster.ask({"shard", "move", name, "--to", from}, 2) == json{{"done", true}});
  wait_until("the shard at its old node", 30s, [&] { return cluster.owners(1) == before; });

  const auto leader = cluster.ask({"leader"}).at("leader").get<std::string>();
  const int asked = number_of(leader) % 3 + 1;
  CHECK(cluster.cli({"node", "drain", leader}, asked).exit_code == 0);
  wait_until("an empty node", 60s, [&] {
    const auto owners = cluster.owners(asked);
    return has(owners, leader) == 0 && has(owners, "") == 0;
  });
  cluster.wait_for_decisions(3);
  const auto spread = cluster.owners(asked);
  for (const auto* id : {"node-1", "node-2", "node-3"})
    CHECK(has(spread, id) == doctest::Approx(id == leader ? 0 : 3.5).epsilon(0.2));
  // It is a member as before, and leads.
  const auto drained = cluster.node(leader, asked);
  CHECK(drained.at("state") == "live");
  CHECK(drained.at("draining") == true);
  CHECK(drained.at("leads") == true);
  CHECK(drained.at("shards").at("live") == 0);
  CHECK(cluster.cli({"status"}, asked).output.find("draining") != std::string::npos);
  cluster.refuses({"shard", "move", name, "--to", leader}, "node_drains", asked);

  CHECK(cluster.ask({"node", "undrain", leader}, asked) == json{{"done", true}});
  cluster.come_to_rest();
  CHECK(cluster.node(leader, asked).at("draining") == false);
  CHECK(cluster.ask({"leader"}).at("leader") == leader);
  CHECK(cluster.sql("select count(*) from node where incarnation > 3") == "0");

  load.pause();
  wait_until("everything committed and delivered", 60s, [&] { return cluster.run.settled(); });
  const auto outcome = cluster.run.collect();
  CHECK(outcome.received + outcome.dead_letters == cluster.run.sent());
  CHECK(outcome.egress_defects.empty());
  CHECK(outcome.egress_skipped == 0);
}

TEST_CASE("what a cluster shows is the same whichever node is asked, and the watch goes on") {
  operated_cluster cluster;
  cluster.run.send(0, 50);
  wait_until("the records", 60s, [&] { return cluster.run.settled(); });

  const auto leader = cluster.ask({"leader"});
  const auto leads =
      "select concat_ws(' ', id, address, incarnation) from node where incarnation "
      "= (select incarnation from leader)";
  CHECK(cluster.sql(leads) == leader.at("leader").get<std::string>() + ' ' +
                                  leader.at("address").get<std::string>() + ' ' +
                                  leader.at("incarnation").dump());
  for (int n = 1; n <= 3; ++n) {
    CHECK(cluster.ask({"leader"}, n) == leader);
    CHECK(cluster.cli({"leader"}, n).output == leader.at("leader").get<std::string>() + " at " +
                                                   leader.at("address").get<std::string>() +
                                                   ", incarnation " +
                                                   leader.at("incarnation").dump() + '\n');
  }

  const auto page = cluster.ask({"entity", "list", "--kind", "symbol", "--limit", "4"});
  const auto rest =
      cluster.ask({"entity", "list", "--kind", "symbol", "--after", "symbol/SYM3"}, 2);
  words keys;
  for (const auto* part : {&page, &rest})
    for (const auto& row : *part) keys.push_back(row.at("key"));
  CHECK(page.size() == 4);
  CHECK(keys == words{"SYM0", "SYM1", "SYM2", "SYM3", "SYM4", "SYM5"});
  const auto listed = cluster.cli({"entity", "list", "--kind", "symbol", "--limit", "4"});
  CHECK(listed.output.find("the first 4; go on with --after symbol/SYM3") != std::string::npos);
  const auto none = cluster.cli({"entity", "list", "--kind", "portfolio"});
  CHECK(none.exit_code == 0);
  CHECK(none.output == "no entity of kind portfolio\n");
  const auto nonsense = cluster.cli({"entity", "list", "--kind", "nothing"});
  CHECK(nonsense.exit_code == 1);
  CHECK(nonsense.output.find("unknown_kind: there is no \"nothing\"; kinds are ") !=
        std::string::npos);
  CHECK(cluster.cli({"entity", "list", "--after", "SYM3"}).exit_code == 2);

  for (const auto& row : page) {
    const auto key = row.at("key").get<std::string>();
    CAPTURE(key);
    const auto number = row.at("shard").get<int>();
    json first;
    for (int n = 1; n <= 3; ++n) {
      const auto shown = cluster.ask({"entity", "show", "symbol/" + key}, n);
      if (n == 1) first = shown;
      CHECK(shown == first);
      CHECK(shown.at("node") == row.at("owner"));
      CHECK(shown.at("shard") == number);
      CHECK(shown.at("epoch") == cluster.shard(number, n).at("epoch"));
      CHECK(shown.at("state").at("trades").dump() ==
            cluster.sql("select trades from symbols where symbol = '" + key + "'"));
      CHECK(cluster.ask({"symbol", "show", key}, n) == shown);
      CHECK(cluster.shard(number, n).at("node") == row.at("owner"));
    }
  }

  // Watched through a node that goes and comes back.
  const auto file = cluster.run.folder().path() + "/watch";
  node_process watch({"sh", "-c", R"(exec "$0" status --watch --json --config "$1" >"$2" 2>&1)",
                      troupe_binary(), cluster.run.folder().node_config(3), file});
  const auto reports = [&] {
    std::ifstream in(file);
    std::vector<json> all;
    for (std::string line; std::getline(in, line);)
      if (auto report = json::parse(line, nullptr, false); report.contains("shards"))
        all.push_back(std::move(report));
    return all;
  };
  watch.start();
  wait_until("two reports", 30s, [&] { return reports().size() >= 2; });
  CHECK(reports().back().at("shards").at("live") == shards);
  CHECK(cluster.run.node(3).stop() == 0);
  wait_until("word of its absence", 30s, [&] {
    return text_of(file).find(R"("error":"node_unavailable")") != std::string::npos;
  });
  CHECK(watch.running());
  const auto seen = reports().size();
  cluster.run.node(3).start();
  wait_until("further reports", 60s, [&] { return reports().size() >= seen + 2; });
  watch.signal(SIGINT);
  wait_until("the end of the watch", 10s, [&] { return !watch.running(); });

  // What is in the database can be listed without any node.
  for (int n = 1; n <= 3; ++n) CHECK(cluster.run.node(n).stop() == 0);
  CHECK(cluster.ask({"entity", "list", "--kind", "symbol"}).size() == 6);
  CHECK(cluster.cli({"status"}).exit_code == 1);
}

TEST_CASE("every refusal by its name, as text and as JSON; a node that is gone can be forgotten") {
  operated_cluster cluster;
  cluster.run.send(0, 10);
  wait_until("the records", 60s, [&] { return cluster.run.settled(); });

  const std::vector<std::pair<words, std::string>> table{
      {{"shard", "move", "0", "--to", "node-9"}, "unknown_node"},
      {{"node", "drain", "node-9"}, "unknown_node"},
      {{"node", "undrain", "node-9"}, "unknown_node"},
      {{"node", "forget", "node-9"}, "unknown_node"},
      {{"shard", "move", "7", "--to", "node-1"}, "unknown_shard"},
      {{"shard", "show", "7"}, "unknown_shard"},
      {{"node", "forget", "node-1"}, "node_is_live"},
      {{"node", "forget", "node-2"}, "node_is_live"},
      {{"entity", "show", "thing/SYM0"}, "unknown_kind"},
      {{"entity", "show", "symbol/SYM99"}, "unknown_entity"},
      {{"symbol", "show", "SYM99"}, "unknown_entity"}};
  for (const auto& [what, name] : table)
    for (int n = 1; n <= 2; ++n) cluster.refuses(what, name, n);
  const words wrong[] = {{"shard", "move", "0"}, {"node", "drain"}, {"entity", "show"}};
  for (const auto& what : wrong) CHECK(cluster.cli(what).exit_code == 2);
  // All of that changed nothing.
  CHECK(cluster.ask({"status"}).at("problems") == json::array());
  CHECK(cluster.ask({"status"}).at("nodes").size() == 3);

  // One that stands still does not answer for what it has.
  const auto owner = cluster.ask({"entity", "show", "symbol/SYM0"}).at("node").get<std::string>();
  const int asked = number_of(owner) % 3 + 1;
  const auto life = cluster.row_of(number_of(owner), "incarnation");
  const cluster_watch::death_watch death(cluster, number_of(owner));
  cluster.run.node(number_of(owner)).signal(SIGSTOP);
  CHECK(cluster.ask({"entity", "show", "symbol/SYM0"}, asked).value("error", "") ==
        "node_unavailable");
  death.wait();
  cluster.run.node(number_of(owner)).signal(SIGCONT);
  wait_until("another life of it", 60s, [&] {
    return cluster.row_of(number_of(owner), "incarnation") != life &&
           cluster.ask({"status"}, asked).at("problems") == json::array();
  });
  cluster.come_to_rest();

  CHECK(cluster.run.node(3).stop() == 0);
  wait_until("its absence", 30s,
             [&] { return cluster.node("node-3", 1).value("state", "") == "left"; });
  CHECK(cluster.ask({"node", "drain", "node-2"}) == json{{"done", true}});
  wait_until("a drained node", 30s,
             [&] { return cluster.node("node-2", 1).value("draining", false); });
  for (const auto& [what, name] : std::vector<std::pair<words, std::string>>{
           {{"shard", "move", "0", "--to", "node-3"}, "node_is_down"},
           {{"node", "drain", "node-3"}, "node_is_down"},
           {{"node", "undrain", "node-3"}, "node_is_down"},
           {{"shard", "move", "0", "--to", "node-2"}, "node_drains"},
           {{"node", "drain", "node-1"}, "last_node"}})
    cluster.refuses(what, name);

  CHECK(cluster.ask({"node", "forget", "node-3"}, 2) == json{{"done", true}});
  wait_until("it is not listed", 30s, [&] { return cluster.node("node-3", 1).empty(); });
  cluster.refuses({"node", "forget", "node-3"}, "unknown_node");
  cluster.run.node(3).start();
  wait_until("it has come back", 60s,
             [&] { return cluster.node("node-3", 1).value("state", "") == "live"; });
  CHECK(cluster.cli({"node", "undrain", "node-2"}, 3).output == "node-2 takes shards again\n");
  cluster.come_to_rest();

  // One that was killed is told as a problem until it is forgotten.
  cluster.run.node(3).kill();
  wait_until("word of it", 30s, [&] {
    return cluster.cli({"status"}).output.find("PROBLEM       node-3 is down") != std::string::npos;
  });
  CHECK(cluster.cli({"node", "forget", "node-3"}).output == "node-3 is no longer listed\n");
  wait_until("no problem", 30s,
             [&] { return cluster.ask({"status"}).at("problems") == json::array(); });
}

TEST_CASE("while PostgreSQL is away orders are refused by name, and who has not joined says so") {
  operated_cluster cluster;
  CHECK(cluster.run.node(3).stop() == 0);
  services("stop postgres");
  cluster.refuses({"node", "drain", "node-2"}, "store_unavailable");
  CHECK(cluster.cli({"entity", "list"}).exit_code == 1);
  cluster.run.node(3).start();
  wait_until("an answer of the third node", 30s,
             [&] { return cluster.cli({"status"}, 3).exit_code == 0; });
  for (const auto& [what, name] : std::vector<std::pair<words, std::string>>{
           {{"leader"}, "no_leader"},
           {{"node", "drain", "node-1"}, "not_joined"},
           {{"shard", "move", "0", "--to", "node-1"}, "not_joined"},
           {{"shard", "show", "0"}, "not_joined"},
           {{"entity", "show", "symbol/SYM0"}, "shard_unavailable"}})
    cluster.refuses(what, name, 3);
  services("start postgres");
  cluster.come_to_rest();
  CHECK(cluster.ask({"leader"}, 3).contains("leader"));
}

namespace {

/// What `troupe up` has started is stopped in any case.
class up_folder {
 public:
  explicit up_folder(bool tls) : surroundings_("", 4, 0), tls_(tls), ports_(free_ports()) {}
  ~up_folder() { down(); }

  run_result up(int nodes = 2) const { return up(nodes, ports_, tls_); }
  run_result up(int nodes, int ports, bool tls) const {
    words all{"up",
              "--nodes",
              std::to_string(nodes),
              "--dir",
              path(),
              "--ports",
              std::to_string(ports),
              "--config",
              surroundings_.path() + "/cluster.json"};
    if (tls) all.emplace_back("--tls");
    return run_troupe(all);
  }
  run_result down() const { return run_troupe({"down", "--dir", path()}); }
  run_result cli(words what, int node) const {
    what.insert(what.end(), {"--config", file(node, ".json")});
    return run_troupe(what);
  }
  std::string file(int node, const std::string& kind) const {
    return path() + "/node-" + std::to_string(node) + kind;
  }
  std::string path() const { return surroundings_.path() + "/up"; }
  pid_t pid(int node) const { return std::stoi('0' + text_of(file(node, ".pid"))); }
  int ports() const { return ports_; }
  /// What the nodes' files say.
  words configs() const {
    words all;
    for (int n = 1; n <= 3; ++n) all.push_back(text_of(file(n, ".json")));
    return all;
  }

 private:
  /// All nodes' ports for links and for HTTP count from it.
  static int free_ports() {
    for (;;) {
      const int above = free_port() - 1;
      if (std::ranges::all_of(std::array{1, 2, 3, 101, 102, 103},
                              [&](int n) { return can_listen(above + n); }))
        return above;
    }
  }
  const cluster_folder surroundings_;
  const bool tls_;
  const int ports_;
};

}  // namespace

TEST_CASE("up starts nodes that are ready and share all shards, down stops them; with TLS too") {
  for (const bool tls : {false, true}) {
    CAPTURE(tls);
    const up_folder folder(tls);
    const auto started = folder.up();
    REQUIRE_MESSAGE(started.exit_code == 0, started.output);
    for (int n = 1; n <= 2; ++n)
      CHECK(started.output.find("node-" + std::to_string(n) +
                                " is ready: " + folder.file(n, ".json")) != std::string::npos);
    CHECK(started.output.find("4 shards on 2 nodes, ") != std::string::npos);
    for (int n = 1; n <= 2; ++n) {
      CHECK(folder.cli({"health"}, n).exit_code == 0);
      const auto status = json::parse(folder.cli({"status", "--json"}, n).output);
      CHECK(status.at("shards").at("live") == 4);
      for (const auto& node : status.at("nodes")) CHECK(node.at("shards").at("live") == 2);
    }
    const auto log = text_of(folder.file(1, ".log")) + text_of(folder.file(2, ".log"));
    CHECK((log.find("link_accepted peer=\"node/node-") != std::string::npos) == tls);

    const std::array pids{folder.pid(1), folder.pid(2)};
    const auto again = folder.up();
    CHECK(again.exit_code == 0);
    CHECK(again.output.find("node-2 runs already\n") != std::string::npos);
    CHECK(std::array{folder.pid(1), folder.pid(2)} == pids);

    const auto stopped = folder.down();
    CHECK(stopped.exit_code == 0);
    for (int n = 1; n <= 2; ++n)
      CHECK(stopped.output.find("node-" + std::to_string(n) + " has stopped\n") !=
            std::string::npos);
    for (const auto pid : pids) CHECK(text_of("/proc/" + std::to_string(pid) + "/cmdline").empty());
    const auto nothing = folder.down();
    CHECK(nothing.exit_code == 0);
    CHECK(nothing.output == "no node of " + folder.path() + " runs\n");
  }
}

TEST_CASE("up with other arguments is refused by name, and takes nothing from nodes that run") {
  for (const bool tls : {false, true}) {
    CAPTURE(tls);
    const up_folder folder(tls);
    const auto started = folder.up();
    REQUIRE_MESSAGE(started.exit_code == 0, started.output);
    const auto before = folder.configs();
    const auto refused = [&](const run_result& said, const std::string& why) {
      CHECK(said.exit_code == 1);
      CHECK_MESSAGE(said.output.find("started_otherwise: ") != std::string::npos, said.output);
      CHECK_MESSAGE(said.output.find(why) != std::string::npos, said.output);
      CHECK(folder.configs() == before);
    };
    refused(folder.up(3, folder.ports() + 3, tls),
            "node-1 runs with --ports " + std::to_string(folder.ports()));
    refused(folder.up(3, folder.ports(), !tls),
            tls ? "would go without --tls" : "node-1 runs without --tls");
    for (int n = 1; n <= 2; ++n) CHECK(folder.cli({"status"}, n).exit_code == 0);

    // More nodes by the same arguments are welcome.
    const auto more = folder.up(3);
    CHECK_MESSAGE(more.output.find("4 shards on 3 nodes, ") != std::string::npos, more.output);
    auto now = folder.configs();
    CHECK(!std::exchange(now.back(), "").empty());
    CHECK(now == before);

    // With nothing running there may be other ports, but no way back from TLS.
    CHECK(folder.down().exit_code == 0);
    const auto later = folder.configs();
    if (tls) {
      const auto plain = folder.up(2, folder.ports(), false);
      CHECK_MESSAGE(plain.output.find("would go without --tls") != std::string::npos, plain.output);
      CHECK(folder.configs() == later);
    } else {
      const auto moved = folder.up(1, folder.ports() + 1, false);
      CHECK_MESSAGE(moved.exit_code == 0, moved.output);
      CHECK(folder.configs().front() != later.front());
    }
  }
}
