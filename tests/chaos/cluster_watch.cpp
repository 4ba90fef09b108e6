#include "tests/chaos/cluster_watch.hpp"

#include <fstream>
#include <stdexcept>

namespace troupe::test {

using namespace std::chrono_literals;

std::string cluster_watch::row_of(int node, const std::string& column) const {
  return sql("select " + column + " from node where id = '" + id_of(node) + "'");
}

int cluster_watch::leader() const {
  std::string id;
  wait_until("a leader", 30s, [&] {
    id =
        sql("select coalesce(max(n.id), '') from leader l join node n using (incarnation) "
            "where n.state = 'live'");
    return !id.empty();
  });
  return id.back() - '0';
}

void cluster_watch::wait_for_heirs(int node) const {
  wait_until("other owners", 30s, [&] {
    return sql("select count(*) from shard where owner = '" + id_of(node) + "'") == "0";
  });
}

cluster_watch::death_watch::death_watch(const cluster_watch& cluster, int node)
    : cluster_(cluster), node_(node), life_(cluster.row_of(node, "incarnation")) {}

/// It may have come back already, as another incarnation.
void cluster_watch::death_watch::wait() const {
  wait_until("the death of " + id_of(node_), 30s,
             [&] { return cluster_.row_of(node_, "incarnation || state") != life_ + "live"; });
}

void cluster_watch::settle() const {
  const auto nodes = std::to_string(node_count());
  const auto least = std::to_string(folder().shards() / static_cast<unsigned>(node_count()));
  try {
    wait_until("a settled cluster", 60s, [&] {
      return sql("select count(*) = " + nodes + " and min(c) >= " + least +
                 " from (select count(*) c from shard s join node n on n.incarnation = "
                 "s.incarnation and n.state = 'live' where s.owner = s.assigned group by s.owner) "
                 "x") == "t";
    });
  } catch (const std::runtime_error& e) {
    throw std::runtime_error(
        e.what() + (" (logs in " + folder().path() + ")\n") +
        sql("select string_agg(concat_ws(' ', id, incarnation, state, draining, alive_until), "
            "E'\\n' order by id) from node") +
        "\nleader " + sql("select concat_ws(' ', incarnation, until, version) from leader") + '\n' +
        sql("select string_agg(concat_ws(' ', 'shard', id, owner, assigned, incarnation, epoch), "
            "E'\\n' order by id) from shard"));
  }
}

std::string cluster_watch::lives_of_all_but(int node) const {
  return sql(
      "select string_agg(id || ' ' || incarnation, ', ' order by id) from node where id <> '" +
      id_of(node) + "'");
}

std::vector<std::string> cluster_watch::logged(const std::string& event) const {
  std::vector<std::string> all;
  for (int n = 1; n <= node_count(); ++n) {
    std::ifstream log(folder().log_file(n));
    for (std::string line; std::getline(log, line);)
      if (line.find(' ' + event + ' ') != std::string::npos) all.push_back(id_of(n) + ": " + line);
  }
  return all;
}

}  // namespace troupe::test
