// Three nodes under load; one after another is killed, stopped, or cut off from the others.
// Measured from outside: from the fault to the moment when every shard of that node shows, on
// another node and committed, a record that was produced after the fault; and how long records of
// the shards that did not move had to wait meanwhile. Where the time goes is read from the
// survivors' logs. Ends with 1 when a record is missing or was applied twice.
//   failover [--json] [--kills N] [--stops N] [--partitions N] [--shards N] [--rate N]
// Needs TROUPE_TEST_DSN, TROUPE_TEST_BROKERS, TROUPE_TEST_BINARY (bench/run sets them).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <random>

#include "bench/failover/cluster_under_load.hpp"
#include "bench/support/figures.hpp"
#include "bench/support/node_run.hpp"

namespace {

using namespace troupe::bench;

// A broker that was started a moment ago still interprets its code, and answers ten times slower.
constexpr auto warm_up = std::chrono::seconds(20);

struct arguments {
  bool json = false;
  int kills = 50;
  int stops = 30;
  int partitions = 30;
  cluster_under_load::shape shape;
};

/// One kind of fault, again and again.
struct series {
  const char* name;
  std::vector<fail_over> faults;
  std::vector<double> undisturbed;  // Longest waits in between, each over a span like the fault's.
};

series strike_all(cluster_under_load& cluster, const char* name, fault how, int times,
                  std::mt19937_64& random) {
  series all{name, {}, {}};
  for (int i = 0; i < times; ++i) {
    const int n = 1 + static_cast<int>(random() % node_count);
    const auto f = cluster.strike(n, how);
    all.faults.push_back(f);
    cluster.bring_back(n, how);
    all.undisturbed.push_back(cluster.longest_wait_undisturbed(
        std::chrono::milliseconds(static_cast<std::int64_t>(f.total))));
    const auto p = f.parts.value_or(phases{});
    std::fprintf(stderr,
                 "%s node-%d: %.0f ms (detect %.0f, declare %.0f, load %.0f, open %.0f, apply "
                 "%.0f); others waited %.0f ms (shard %u, from %.0f ms on), undisturbed %.0f ms\n",
                 name, n, f.total, p.detect, p.declare, p.load, p.open, p.apply, f.longest_wait,
                 f.longest_wait_shard, f.longest_wait_from, all.undisturbed.back());
  }
  return all;
}

void tell(const arguments& a, const series& s, const char* what, const std::vector<double>& all) {
  const auto metric = std::string(s.name) + '_' + what;
  if (all.empty()) return;
  if (!a.json) {
    std::printf("  %-34s %9.1f %9.1f %9.1f\n", metric.c_str(), quantile(all, 0.5),
                quantile(all, 0.99), quantile(all, 1));
    return;
  }
  print(true, "failover", metric + "_p50", quantile(all, 0.5), "ms");
  print(true, "failover", metric + "_p99", quantile(all, 0.99), "ms");
  print(true, "failover", metric + "_worst", quantile(all, 1), "ms");
}

template <class Value>
std::vector<double> column(const series& s, Value value) {
  std::vector<double> all;
  for (const auto& f : s.faults)
    if (const std::optional<double> v = value(f)) all.push_back(*v);
  return all;
}

void tell_phase(const arguments& a, const series& s, const char* what, double phases::*phase) {
  tell(a, s, what, column(s, [&](const fail_over& f) {
         return f.parts ? std::optional((*f.parts).*phase) : std::nullopt;
       }));
}

void tell(const arguments& a, const series& s) {
  if (s.faults.empty()) return;
  tell(a, s, "total", column(s, [](const auto& f) { return std::optional(f.total); }));
  tell_phase(a, s, "detect", &phases::detect);
  tell_phase(a, s, "declare", &phases::declare);
  tell_phase(a, s, "load", &phases::load);
  tell_phase(a, s, "open", &phases::open);
  tell_phase(a, s, "apply", &phases::apply);
  tell(a, s, "others_wait", column(s, [](const auto& f) { return std::optional(f.longest_wait); }));
  tell(a, s, "undisturbed_wait", s.undisturbed);
}

/// Ends the load and says how many records were lost or applied twice; whether none was.
bool account(const arguments& a, const char* name, cluster_under_load& cluster) {
  const auto all = cluster.finish();
  const auto tell = [&](const char* what, std::int64_t count) {
    print(a.json, "failover", std::string(name) + what, static_cast<double>(count), "records");
  };
  tell("records", all.records);
  tell("missing", all.missing);
  tell("twice", all.twice);
  return all.missing == 0 && all.twice == 0;
}

/// Whether it has done no harm.
bool measure_partitions(const arguments& a, std::mt19937_64& random) {
  if (a.partitions == 0) return true;
  if (!troupe::test::node_network::possible()) {
    std::fprintf(stderr,
                 "*** PARTITIONS WERE NOT MEASURED: network namespaces take root and the package "
                 "iproute2 ***\n");
    return true;
  }
  auto shape = a.shape;
  shape.own_network = true;
  cluster_under_load cluster(shape);
  tell(a, strike_all(cluster, "cut_off", fault::partition, a.partitions, random));
  return account(a, "cut_off_", cluster);
}

}  // namespace

int main(int argc, char** argv) {
  arguments a;
  CLI::App app("Fail-over");
  app.add_flag("--json", a.json);
  app.add_option("--kills", a.kills);
  app.add_option("--stops", a.stops);
  app.add_option("--partitions", a.partitions);
  app.add_option("--shards", a.shape.shards);
  app.add_option("--rate", a.shape.rate);
  CLI11_PARSE(app, argc, argv);
  std::mt19937_64 random(11);
  if (!a.json)
    std::printf(
        "failover: %d nodes, %u shards, %d records/s; until every shard of the node has committed "
        "a "
        "record made after the fault\n  %-34s %9s %9s %9s\n",
        node_count, a.shape.shards, a.shape.rate, "milliseconds", "p50", "p99", "worst");
  bool fine = true;
  {
    cluster_under_load cluster(a.shape);
    cluster.longest_wait_undisturbed(warm_up);
    tell(a, strike_all(cluster, "killed", fault::kill, a.kills, random));
    tell(a, strike_all(cluster, "stopped", fault::stop, a.stops, random));
    fine = account(a, "", cluster);
  }
  fine = measure_partitions(a, random) && fine;
  if (!fine) std::fprintf(stderr, "failover: records are missing, or were applied twice\n");
  return fine ? 0 : 1;
}
