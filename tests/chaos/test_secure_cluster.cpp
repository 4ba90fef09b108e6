#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/chaos/market_check.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr market_run::records amount{12, 4000, 3};

void certs(const std::string& folder, std::vector<std::string> words) {
  words.insert(words.begin(), "certs");
  words.insert(words.end(), {"--dir", folder});
  const auto made = run_troupe(words);
  REQUIRE_MESSAGE(made.exit_code == 0, made.output);
}

json read_json(const std::string& file) {
  return json::parse(std::ifstream(file));
}

/// Three nodes whose links are encrypted, with certificates made by the program itself.
class secure_cluster {
 public:
  secure_cluster() : run(amount) {
    certs(trusted(), {"init", "--cluster", "test"});
    certs(trusted(), {"node", "node-1", "node-2", "node-3", "--host", "127.0.0.1"});
    certs(trusted(), {"operator", "alice"});
    for (int n = 1; n <= amount.nodes; ++n) {
      auto config = read_json(run.folder().node_config(n));
      const auto own = trusted() + "/node-" + std::to_string(n);
      config["security"] = {{"ca_file", "certs/ca.crt"},
                            {"certificate_file", own + ".crt"},
                            {"key_file", own + ".key"},
                            {"operator_certificate_file", trusted() + "/alice.crt"},
                            {"operator_key_file", trusted() + "/alice.key"},
                            {"token", "0123456789abcdef"}};
      std::ofstream(run.folder().node_config(n)) << config;
    }
  }

  std::string trusted() const { return run.folder().path() + "/certs"; }
  /// `troupe status` of a node by somebody with this security group.
  run_result status_as(const json& security) const {
    auto config = read_json(run.folder().node_config(1));
    config["security"] = security;
    const auto file = run.folder().path() + "/other.json";
    std::ofstream(file) << config;
    return run_troupe({"status", "--json", "--config", file});
  }
  json security() const { return read_json(run.folder().node_config(1)).at("security"); }
  std::string sql(const std::string& query) const { return run.folder().database().run(query); }
  std::string log(int n) const {
    std::ifstream in(run.folder().log_file(n));
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void settle() const {
    wait_until("a settled cluster", 30s, [&] {
      return sql("select count(*) = 3 and min(c) >= 2 from (select count(*) c from shard s join "
                 "node n on n.incarnation = s.incarnation and n.state = 'live' where s.owner = "
                 "s.assigned group by s.owner) x") == "t";
    });
  }

  market_run run;
};

/// The operator is served; strangers are not, whatever they bring.
void check_operators(secure_cluster& cluster) {
  const auto strange = cluster.run.folder().path() + "/strange";
  certs(strange, {"init", "--cluster", "test"});
  certs(strange, {"operator", "mallory"});

  const auto seen = cluster.status_as(cluster.security());
  CHECK_MESSAGE(seen.exit_code == 0, seen.output);
  CHECK(json::parse(seen.output).at("nodes").size() == 3);

  auto by_stranger = cluster.security();
  by_stranger["operator_certificate_file"] = strange + "/mallory.crt";
  by_stranger["operator_key_file"] = strange + "/mallory.key";
  const auto untrusted = cluster.status_as(by_stranger);
  CHECK(untrusted.exit_code == 1);
  CHECK(untrusted.output.find("was not issued by an authority in ca_file") != std::string::npos);
  // Who trusts the node's authority besides his own gets as far as the node.
  std::ofstream both(strange + "/both.crt");
  both << std::ifstream(cluster.trusted() + "/ca.crt").rdbuf()
       << std::ifstream(strange + "/ca.crt").rdbuf() << std::flush;
  by_stranger = {{"ca_file", strange + "/both.crt"},
                 {"operator_certificate_file", strange + "/mallory.crt"},
                 {"operator_key_file", strange + "/mallory.key"}};
  CHECK(cluster.status_as(by_stranger).exit_code == 1);
  wait_until("the node's word of it", 20s, [&] {
    return cluster.log(1).find("its certificate is refused: ") != std::string::npos;
  });

  const auto plain = cluster.status_as(json::object());
  CHECK(plain.exit_code == 1);
  CHECK(plain.output.find("this node speaks TLS only") != std::string::npos);
}

void take_over_from(secure_cluster& cluster, int node, const std::function<void()>& meanwhile) {
  cluster.settle();
  cluster.run.node(node).kill();
  wait_until("other owners", 30s, [&] {
    return cluster.sql("select count(*) from shard where owner = 'node-" + std::to_string(node) +
                       "'") == "0";
  });
  meanwhile();
  cluster.run.node(node).start();
}

}  // namespace

TEST_CASE("three nodes over TLS: takeovers under load, operators and strangers") {
  secure_cluster cluster;
  const auto outcome = cluster.run.play(
      [&](steady_load&) {
        take_over_from(cluster, 2, [&] { check_operators(cluster); });
        for (const int node : {1, 3, 2}) take_over_from(cluster, node, [] {});
        cluster.settle();
      },
      240s);
  check_outcome(outcome, amount);
  const auto log = cluster.log(1) + cluster.log(2) + cluster.log(3);
  CHECK(log.find("link_accepted peer=\"node/node-") != std::string::npos);
  CHECK(log.find("operator/alice at 127.0.0.1:") != std::string::npos);
}
