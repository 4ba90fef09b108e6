#include "app/mapping.hpp"

#include <doctest/doctest.h>

namespace troupe::app {

namespace {
using namespace std::chrono_literals;
using ms = std::chrono::milliseconds;
}  // namespace

TEST_CASE("what leases depend on is given up in time for another try, and no later than all else") {
  struct row {
    ms ttl, renewal, margin, statement_timeout;
    std::chrono::seconds connect_timeout;
    ms statement;
    std::chrono::seconds connect;
  };
  const row rows[] = {
      {5s, 1s, 500ms, 5s, 3s, 1s, 3s},  // The defaults.
      {5s, 1s, 500ms, 300ms, 1s, 300ms, 1s}, {60s, 10s, 5s, 5s, 10s, 5s, 10s},
      {60s, 10s, 5s, 20s, 300s, 10s, 27s},   {50ms, 10ms, 10ms, 5s, 3s, 100ms, 3s},
  };
  for (const auto& r : rows) {
    settings all;
    all.cluster.lease = {r.ttl, r.renewal, r.margin};
    all.cluster.postgres.dsn = "host=x";
    all.cluster.postgres.statement_timeout = r.statement_timeout;
    all.cluster.postgres.connect_timeout = r.connect_timeout;
    const auto nodes = node_store_options(all);
    const auto cluster = cluster_store_options(all);
    CHECK(nodes.dsn == "host=x");
    CHECK(nodes.statement_timeout == r.statement);
    CHECK(nodes.connect_timeout == r.connect);
    CHECK(cluster.dsn == "host=x");
    CHECK(cluster.statement_timeout == r.statement);
    CHECK(cluster.connect_timeout == r.connect);
  }
}

TEST_CASE("links have more patience than membership, which has as much as it is told") {
  const std::tuple<ms, ms, ms> rows[] = {// silence_max; of links; until a link is up.
                                         {50ms, 3s, 3s},
                                         {1s, 3s, 3s},
                                         {3s, 9s, 3s},
                                         {1h, 3h, 1h}};
  for (const auto& [silence, links, up] : rows) {
    cluster_options o;
    o.membership.silence_max = silence;
    CHECK(link_silence_max(o) == links);
    CHECK(membership_options_of(o).silence_max == silence);
    CHECK(membership_options_of(o).link_within == up);
  }
}

}  // namespace troupe::app
