#include "tests/simulation/cluster_simulation.hpp"

#include <algorithm>
#include <ranges>

#include "runtime/codec/text.hpp"
#include "tests/simulation/simulated_clients.hpp"
#include "tests/simulation/world.hpp"
#include "tests/support/savings_account.hpp"

namespace troupe::simulation {

namespace {

using namespace std::chrono_literals;

constexpr auto faults_last = 30'000ms;
constexpr auto settled_within = 60'000ms;
constexpr std::int64_t steps_between_looks = 20;

shard_setup make_setup(std::uint32_t shards, bool small, planted bug) {
  shard_setup setup;
  setup.things.kinds = {example::savings_kind()};
  setup.things.egress = {std::string(example::balances_topic), std::string(dead_letter_topic)};
  setup.shard_of = [shards](const entity_id& id) {
    return shard_id(static_cast<std::uint32_t>(std::stoul(id.key)) % shards);
  };
  setup.limits.idle_timeout = 3s;
  if (small) {
    setup.limits.inbox_max = 2;
    setup.limits.channel_window = 3;
  }
  if (bug == planted::never_resent) setup.limits.channel_resend = std::chrono::hours(24);
  return setup;
}

}  // namespace

world::world(std::uint64_t seed, planted what, bool tracing)
    : time(seed, tracing),
      bug(what),
      shards(4 + static_cast<std::uint32_t>(time.below(9))),
      network(time),
      database(time, shards, bug),
      setup(make_setup(shards, time.chance(25), bug)) {
  const int count = 3 + static_cast<int>(time.below(3));
  for (int i = 0; i < count; ++i) nodes.push_back(std::make_unique<simulated_node>(*this, i));
}

namespace {

/// One run: makes the faults, heals them, and sees whether all comes to rest.
class run {
 public:
  run(std::uint64_t seed, planted bug, bool tracing)
      : world_(seed, bug, tracing), clients_(world_, 2 * world_.shards) {}

  verdict go() {
    verdict result;
    try {
      go_through_faults();
      come_to_rest();
    } catch (const std::exception& e) {
      result.failure = e.what();
      world_.time.note("FAILED: ", result.failure);
      for (const auto& line : world_.time.trace()) result.trace += line + '\n';
    }
    result.steps = world_.time.steps();
    result.commits = world_.database.commits;
    result.refused = world_.database.refused;
    result.deaths = world_.database.deaths;
    result.transfers = clients_.orders();
    result.orders = world_.database.orders;
    result.handed_on = world_.database.handed_on;
    result.never_lived = world_.database.never_lived;
    result.fingerprint = world_.time.below(~0ULL);
    return result;
  }

 private:
  void go_through_faults() {
    auto& time = world_.time;
    for (auto& n : world_.nodes) time.after(time.between(0, 2000), [&n] { n->start(); });
    time.after(500ms, [this] { make_fault(); });
    clients_.start();
    for (const auto end = time.now() + faults_last; time.now() < end;) time.run_next();
  }

  void come_to_rest() {
    auto& time = world_.time;
    time.note("faults end");
    time.faults = false;
    world_.network.heal();
    world_.database.heal();
    for (auto& n : world_.nodes) n->resume();
    const auto end = time.now() + settled_within;
    for (std::string missing = "?"; !missing.empty();) {
      for (int i = 0; i < steps_between_looks; ++i) time.run_next();
      end_drains();
      missing = unsettled();
      if (!missing.empty() && time.now() > end) throw broken("progress: " + missing + state());
    }
    world_.database.rules.at_rest(clients_.expected());
  }

  // ---- faults ----

  simulated_node& any_node() { return *world_.nodes[world_.time.below(world_.nodes.size())]; }

  void make_fault() {
    auto& time = world_.time;
    if (!time.faults) return;
    auto& node = any_node();
    const int it = node.number(), other = any_node().number();
    constexpr int database = simulated_network::database;
    switch (time.below(14)) {
      case 0:
        node.crash();
        break;
      case 1:
        node.crash();
        any_node().crash();
        break;
      case 2:
      case 3:
        node.pause(time.between(50, 12'000));
        break;
      case 4:
        world_.database.fail_for(time.between(0, 3000));
        break;
      case 5:
        cut(it, other, time.chance(50));
        break;
      case 6:
        for (const auto& n : world_.nodes) cut(it, n->number(), true);
        break;
      case 7:
        cut(time.chance(50) ? it : database, time.chance(50) ? database : it, time.chance(50));
        break;
      case 8:
        node.leave();
        break;
      case 9:
      case 10:
        move_shard(node, other);
        break;
      case 11:
        drain(node, other);
        break;
      case 12:
        undrain(node, other);
        break;
      default:  // From everything.
        cut(it, database, true);
        for (const auto& n : world_.nodes) cut(it, n->number(), true);
    }
    time.after(time.between(200, 4000), [this] { make_fault(); });
  }

  /// A node as another one that is up knows it; null if that takes it for dead.
  static const store::cluster_view::node* known(const simulated_node& to, const std::string& id) {
    const auto& nodes = to.view().nodes;
    const auto it = std::ranges::find(nodes, id, &store::cluster_view::node::id);
    return it != nodes.end() && it->live ? &*it : nullptr;
  }

  // What an operator orders of a node, and it does not refuse.

  void move_shard(simulated_node& asked, int to) {
    if (!asked.up()) return;
    const auto id = world_.nodes[static_cast<std::size_t>(to)]->id();
    const auto* target = known(asked, id);
    if (target == nullptr || target->draining) return;
    const shard_id shard(static_cast<std::uint32_t>(world_.time.below(world_.shards)));
    asked.order([shard, id](auto& tables) { tables.assign(shard, id); });
  }

  void drain(simulated_node& asked, int which) {
    if (!asked.up()) return;
    const auto id = world_.nodes[static_cast<std::size_t>(which)]->id();
    const auto& nodes = asked.view().nodes;
    const bool last = std::ranges::none_of(
        nodes, [&](const auto& n) { return n.live && !n.draining && n.id != id; });
    if (known(asked, id) == nullptr || last) return;
    asked.order([id](auto& tables) { tables.set_draining(id, true); });
  }

  void undrain(simulated_node& asked, int which) {
    const auto id = world_.nodes[static_cast<std::size_t>(which)]->id();
    asked.order([id](auto& tables) { tables.set_draining(id, false); });
  }

  /// An order that was under way may arrive late.
  void end_drains() {
    for (const auto& n : world_.nodes)
      if (!n->leaves()) world_.database.set_draining(n->id(), false);
  }

  void cut(int from, int to, bool both) {
    const auto length = world_.time.between(500, 6500);
    world_.network.cut(from, to, length);
    if (both) world_.network.cut(to, from, length);
  }

  // ---- rest ----

  /// What is missing; empty if all has come to rest.
  std::string unsettled() const {
    std::map<std::string, int> load;
    for (const auto& n : world_.nodes) load[n->id()] = 0;
    for (std::uint32_t i = 0; i < world_.shards; ++i) {
      const shard_id shard(i);
      const auto& owner = world_.database.owner_of(shard);
      const auto node = std::ranges::find_if(world_.nodes, [&](const auto& n) {
        return n->runs(owner.life) && n->id() == owner.assigned;
      });
      const auto name = "shard " + std::to_string(i);
      if (node == world_.nodes.end()) return name + " has no owner";
      const auto& disk = world_.database.disk(shard);
      if ((*node)->live_with(shard) != disk.era) return name + " does not live with its owner";
      ++load[(*node)->id()];
      if (!disk.timers.empty()) return name + " has a timer that has not fired";
      if (const auto waits = outstanding(shard); !waits.empty()) return name + waits;
    }
    if (!clients_.content()) return "a client waits for an answer";
    const auto [least, most] = std::ranges::minmax(load | std::views::values);
    return most - least <= 1 ? "" : "shards are not spread evenly";
  }

  std::string outstanding(shard_id shard) const {
    const auto& disk = world_.database.disk(shard);
    for (const auto& [target, last] : disk.sequences) {
      const auto name = target.substr(6);
      sequence arrived{0};
      if (target.starts_with("topic:")) {
        if (const auto it = disk.out.find(name); it != disk.out.end())
          arrived = it->second.back().first;
      } else {
        const auto& applied =
            world_.database.disk(shard_id(static_cast<std::uint32_t>(std::stoul(name)))).channels;
        if (const auto it = applied.find(shard); it != applied.end()) arrived = it->second;
      }
      if (arrived != last)
        return " waits for " + target + " at " + std::to_string(arrived.value()) + " of " +
               std::to_string(last.value());
    }
    return {};
  }

  std::string state() const {
    std::string text;
    for (const auto& n : world_.nodes) text += "\n  " + n->text();
    for (std::uint32_t i = 0; i < world_.shards; ++i) {
      const auto& owner = world_.database.owner_of(shard_id(i));
      text += "\n  shard " + std::to_string(i) + ": " + owner.assigned + ", incarnation " +
              std::to_string(owner.life.value()) + ", epoch " +
              std::to_string(world_.database.disk(shard_id(i)).era.value());
    }
    return text;
  }

  world world_;
  simulated_clients clients_;
};

}  // namespace

verdict simulate(std::uint64_t seed, planted bug) {
  auto result = run(seed, bug, false).go();
  return result.failure.empty() ? result : run(seed, bug, true).go();
}

}  // namespace troupe::simulation
