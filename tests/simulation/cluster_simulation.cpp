#include "tests/simulation/cluster_simulation.hpp"

#include <algorithm>
#include <utility>

namespace troupe::simulation {

namespace {

using namespace std::chrono_literals;
using cluster::member_message;
using store::cluster_decision;
using store::cluster_view;
using ms = std::chrono::milliseconds;

constexpr int node_count = 5;
constexpr std::uint32_t shard_count = 12;
constexpr auto ttl = 5'000ms;
constexpr auto renewal = 1'000ms;
constexpr auto margin = 500ms;
constexpr auto tick = 50ms;
constexpr auto faults_until = 40'000ms;
constexpr auto settled_within = 30'000ms;

struct broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class world;

/// One node: its membership and what surrounds it.
class node final : public cluster::membership_world {
 public:
  node(world& w, int number) : world_(w), number_(number) {}

  std::string id() const { return "node-" + std::to_string(number_); }
  bool up() const { return core_ != nullptr; }
  bool runs(incarnation life) const { return up() && life == life_; }
  incarnation life() const { return life_; }
  cluster::membership& core() { return *core_; }
  bool paused() const;

  void start();
  void crash();
  void pause(ms length);

  // membership_world
  void read() override;
  void lead(cluster_decision what) override;
  void dial(const cluster_view::node& peer) override;
  void send(incarnation peer, const member_message& what) override;
  void forget(incarnation peer) override;
  void host(shard_id shard) override;
  void hand_over(shard_id shard) override;
  void locate(shard_id, incarnation) override {}

  /// Runs `step` here after `delay`, later if the node is paused, not at all if this life is over.
  void later(ms delay, std::function<void()> step);

  std::set<incarnation> links;
  std::map<shard_id, std::optional<epoch>> hosted;  // With the epoch, once taken.
  std::map<shard_id, int> committing;
  std::set<shard_id> leaving;

 private:
  void tick_on();
  void renew();
  void work(shard_id shard);
  void lose(shard_id shard);
  void release_when_idle(shard_id shard);

  world& world_;
  const int number_;
  incarnation life_{0};
  std::unique_ptr<cluster::membership> core_;
  steady_time paused_until_{};
  steady_time lease_until_{};

  friend class world;
};

struct row {
  incarnation life{0};
  steady_time alive_until{};
  enum class state_t : std::uint8_t { none, live, dead } state = state_t::none;
};

struct shard_row {
  std::string assigned;
  incarnation life{0};
  std::int64_t era = 0;
  std::int64_t last_written_by = 0;  // Epoch.
  int writers = 0;                   // Commits that hold the row.
  std::vector<std::function<void()>> waiting;
};

class world {
 public:
  world(std::uint64_t seed, planted what) : random(seed), bug(what) {
    for (int i = 1; i <= node_count; ++i) nodes.push_back(std::make_unique<node>(*this, i));
    shards.resize(shard_count);
  }

  verdict run() {
    for (auto& n : nodes) at(ms(random() % 2000), [p = n.get()] { p->start(); });
    at(500ms, [this] { make_fault(); });
    try {
      while (!events.empty() && now < steady_time(faults_until)) step();
      heal();
      const auto end = now + settled_within;
      while (!events.empty() && now < end && !settled()) step();
      if (!settled()) throw broken("not settled: " + state());
    } catch (const broken& e) {
      result.failure = e.what();
    }
    return result;
  }

  void at(ms delay, std::function<void()> what) {
    events.push({now + delay, ++made, std::make_shared<std::function<void()>>(std::move(what))});
  }
  node* find(incarnation life) {
    for (auto& n : nodes)
      if (n->runs(life)) return n.get();
    return nullptr;
  }
  bool chance(int percent) { return static_cast<int>(random() % 100) < percent; }
  ms network() { return ms(random() % 3 + (faults && chance(2) ? random() % 400 : 0)); }
  ms database() { return ms(1 + random() % 4 + (faults && chance(2) ? random() % 300 : 0)); }
  bool database_answers() const { return now >= database_down_until; }
  bool reaches(int from, int to) const { return !cut.contains({from, to}); }

  cluster_view view() const {
    cluster_view v;
    v.version = version;
    if (now < leader_until) v.leader = leader;
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if (const auto& r = rows[i]; r.state != row::state_t::none)
        v.nodes.push_back({nodes[i]->id(), r.life, std::to_string(i),
                           r.state == row::state_t::live && now < r.alive_until, false});
    for (const auto& s : shards) v.shards.push_back({s.assigned, s.life, epoch(s.era)});
    return v;
  }
  bool live(incarnation life) const {
    return std::ranges::any_of(rows, [&](const row& r) {
      return r.life == life && r.state == row::state_t::live && now < r.alive_until;
    });
  }
  store::cluster_store::led lead(incarnation self, const cluster_decision& what) {
    using led = store::cluster_store::led;
    const auto alive = [&](incarnation life) {
      return std::ranges::any_of(
          rows, [&](const row& r) { return r.life == life && r.state == row::state_t::live; });
    };
    const bool dead_leader = std::ranges::find(what.dead, leader) != what.dead.end();
    if (!alive(self) || (leader != self && now < leader_until && !dead_leader && alive(leader)))
      return {led::outcome::refused, 0};
    leader = self;
    leader_until = now + ttl;
    for (auto& r : rows)
      if (r.state == row::state_t::live &&
          std::ranges::find(what.dead, r.life) != what.dead.end()) {
        r.state = row::state_t::dead;
        ++result.deaths;
      }
    for (const auto& a : what.assign) shards[a.shard.value()].assigned = a.node;
    return {led::outcome::done, ++version};
  }

  std::mt19937_64 random;
  const planted bug;
  steady_time now{};
  std::vector<std::unique_ptr<node>> nodes;
  row rows[node_count];
  std::vector<shard_row> shards;
  std::int64_t lives = 0;
  std::int64_t version = 0;
  incarnation leader{0};
  steady_time leader_until{};
  steady_time database_down_until{};
  std::set<std::pair<int, int>> cut;  // From, to.
  bool faults = true;
  verdict result;

 private:
  struct event {
    steady_time when;
    std::int64_t number;
    std::shared_ptr<std::function<void()>> what;
    bool operator<(const event& o) const {
      return std::tie(o.when, o.number) < std::tie(when, number);
    }
  };

  void step() {
    const auto e = events.top();
    events.pop();
    now = e.when;
    ++result.steps;
    (*e.what)();
  }

  void make_fault() {
    if (!faults) return;
    auto& n = *nodes[random() % nodes.size()];
    const int from = static_cast<int>(random() % node_count),
              to = static_cast<int>(random() % node_count);
    switch (random() % 7) {
      case 0:
      case 1:
        n.crash();
        break;
      case 2:
        n.pause(ms(random() % 9000));
        break;
      case 3:
        database_down_until = now + ms(random() % 3000);
        break;
      case 4:
        if (from != to) cut_for(from, to, false);
        break;
      case 5:
        if (from != to) cut_for(from, to, true);
        break;
      default:  // A node from all others, both ways.
        for (int other = 0; other < node_count; ++other)
          if (other != from) cut_for(from, other, true);
    }
    at(ms(200 + random() % 4000), [this] { make_fault(); });
  }

  void cut_for(int from, int to, bool both) {
    const auto length = ms(500 + random() % 6000);
    cut.insert({from, to});
    if (both) cut.insert({to, from});
    at(length, [this, from, to] {
      cut.erase({from, to});
      cut.erase({to, from});
    });
  }

  void heal() {
    faults = false;
    cut.clear();
    database_down_until = now;
    for (auto& n : nodes) n->paused_until_ = std::min(n->paused_until_, now);
  }

  bool settled() {
    std::map<std::string, int> load;
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      auto* owner = find(shards[i].life);
      if (owner == nullptr || shards[i].assigned != owner->id()) return false;
      const auto it = owner->hosted.find(shard_id(i));
      if (it == owner->hosted.end() || it->second != epoch(shards[i].era)) return false;
      ++load[owner->id()];
    }
    if (load.size() != node_count) return false;
    int least = shard_count, most = 0;
    for (const auto& [id, n] : load) least = std::min(least, n), most = std::max(most, n);
    return most - least <= 1;
  }

  std::string state() {
    std::string text = "leader " + std::to_string(leader.value()) + ';';
    for (std::size_t i = 0; i < nodes.size(); ++i)
      text += ' ' + nodes[i]->id() + (nodes[i]->up() ? "(" : "(down ") +
              std::to_string(rows[i].life.value()) +
              (rows[i].state == row::state_t::live ? " live" : " dead") + " links " +
              std::to_string(nodes[i]->links.size()) + " has " +
              std::to_string(nodes[i]->hosted.size()) + ')';
    for (std::uint32_t i = 0; i < shard_count; ++i)
      text += " s" + std::to_string(i) + ':' + shards[i].assigned + '/' +
              std::to_string(shards[i].life.value()) + '/' + std::to_string(shards[i].era);
    return text;
  }

  std::priority_queue<event> events;
  std::int64_t made = 0;
};

// ---- a node ------------------------------------------------------------------------------------

bool node::paused() const {
  return world_.now < paused_until_;
}

void node::later(ms delay, std::function<void()> step) {
  world_.at(delay, [this, life = life_, step = std::move(step)] {
    if (!runs(life)) return;
    if (paused())
      later(std::chrono::duration_cast<ms>(paused_until_ - world_.now) + 1ms, step);
    else
      step();
  });
}

void node::start() {
  if (up()) return;
  if (!world_.database_answers()) return world_.at(200ms, [this] { start(); });
  life_ = incarnation(++world_.lives);
  world_.rows[number_ - 1] = {life_, world_.now + ttl, row::state_t::live};
  lease_until_ = world_.now + ttl - margin;
  links.clear();
  hosted.clear();
  committing.clear();
  leaving.clear();
  core_ = std::make_unique<cluster::membership>(id(), life_, cluster::membership_options{}, *this);
  tick_on();
  later(renewal, [this] { renew(); });
}

void node::crash() {
  if (!up()) return;
  core_.reset();
  const auto over = life_;
  for (auto& n : world_.nodes)
    if (n->up() && n->links.contains(over) && world_.reaches(number_ - 1, n->number_ - 1))
      n->later(world_.network(), [p = n.get(), over, this] {
        if (p->links.erase(over) > 0) p->core_->on_link_lost(over, world_.now);
      });
  world_.at(ms(300 + world_.random() % 3000), [this] { start(); });
}

void node::pause(ms length) {
  paused_until_ = world_.now + length;
}

void node::tick_on() {
  later(tick, [this] { tick_on(); });
  core_->on_tick(world_.now);
  for (const auto peer : std::set<incarnation>(links))
    if (auto* other = world_.find(peer);
        other == nullptr || !other->links.contains(life_)) {  // The other end has closed it.
      if (other != nullptr && !world_.reaches(other->number_ - 1, number_ - 1)) continue;
      links.erase(peer);
      core_->on_link_lost(peer, world_.now);
    }
}

void node::renew() {
  const auto asked = world_.now;
  later(renewal, [this] { renew(); });
  world_.at(world_.database(), [this, life = life_, asked] {
    if (!world_.database_answers()) return;
    auto& r = world_.rows[number_ - 1];
    const bool granted = r.life == life && r.state == row::state_t::live;
    if (granted) r.alive_until = world_.now + ttl;
    if (!runs(life)) return;
    later(0ms, [this, granted, asked] {
      if (granted) {
        lease_until_ = asked + ttl - margin;
        return;
      }
      core_.reset();  // Declared dead: it begins anew.
      world_.at(500ms, [this] { start(); });
    });
  });
}

void node::read() {
  world_.at(world_.database(), [this, life = life_] {
    if (!runs(life)) return;
    std::optional<cluster_view> v;
    if (world_.database_answers()) v = world_.view();
    later(ms(world_.random() % 3), [this, v] {
      if (v)
        core_->on_view(*v, world_.now);
      else
        core_->on_read_failed();
    });
  });
}

void node::lead(cluster_decision what) {
  world_.at(world_.database(), [this, life = life_, what] {
    store::cluster_store::led led;
    const bool ambiguous = world_.faults && world_.chance(2);  // Done, but nobody hears of it.
    if (world_.database_answers()) {
      led = world_.lead(life, what);
      if (ambiguous) led = {};
    }
    if (runs(life)) later(0ms, [this, led, what] { core_->on_led(led, what, world_.now); });
  });
}

void node::dial(const cluster_view::node& peer) {
  later(world_.network() + 1ms, [this, life = peer.life] {
    auto* other = world_.find(life);
    const bool fine = other != nullptr && !other->paused() &&
                      world_.reaches(number_ - 1, other->number_ - 1) &&
                      world_.reaches(other->number_ - 1, number_ - 1);
    if (!fine) return core_->on_dial_failed(life, world_.now);
    other->links.insert(life_);
    links.insert(life);
    other->core_->on_linked(life_, world_.now);
    core_->on_linked(life, world_.now);
  });
}

void node::send(incarnation peer, const member_message& what) {
  if (!links.contains(peer)) return;
  auto* other = world_.find(peer);
  if (other == nullptr || !world_.reaches(number_ - 1, other->number_ - 1)) return;
  if (world_.faults && world_.chance(1)) return;
  world_.at(world_.network(), [peer, what, from = life_, this] {
    auto* to = world_.find(peer);
    if (to == nullptr) return;
    to->later(0ms, [to, what, from, this] {
      if (to->links.contains(from)) to->core_->on_message(from, what, world_.now);
    });
  });
}

void node::forget(incarnation peer) {
  links.erase(peer);
}

void node::host(shard_id shard) {
  if (!hosted.emplace(shard, std::nullopt).second)
    throw broken(id() + " hosts shard " + std::to_string(shard.value()) + " twice");
  world_.at(world_.database(), [this, shard, life = life_] {
    if (!runs(life)) return;
    if (!world_.database_answers()) {
      return lose(shard);
    }
    auto& s = world_.shards[shard.value()];
    const auto take = [this, shard, life] {
      if (!runs(life)) return;
      auto& row_ = world_.shards[shard.value()];
      const bool free = row_.life == incarnation(0) || row_.life == life ||
                        !world_.live(row_.life) || world_.bug == planted::owner_ignored;
      const bool reclaims = row_.life == life && world_.bug != planted::no_reclaim;
      if ((row_.assigned != id() && !reclaims) || !free || !world_.live(life)) {
        return lose(shard);
      }
      if (row_.life != incarnation(0) && row_.life != life && world_.live(row_.life))
        throw broken("shard " + std::to_string(shard.value()) + " is taken from a living owner");
      row_.life = life;
      const epoch era(++row_.era);
      later(0ms, [this, shard, era] {
        if (!hosted.contains(shard)) return;
        hosted[shard] = era;
        work(shard);
        if (leaving.contains(shard)) release_when_idle(shard);
      });
    };
    if (s.writers > 0)
      s.waiting.push_back(take);
    else
      take();
  });
}

/// Another has it, or the database does not answer: it is given up, and perhaps wanted again.
void node::lose(shard_id shard) {
  hosted.erase(shard);
  leaving.erase(shard);
  later(0ms, [this, shard] { core_->on_lost(shard, world_.now); });
}

/// Commits now and then, as long as the shard is ours.
void node::work(shard_id shard) {
  const auto it = hosted.find(shard);
  if (it == hosted.end() || !it->second || leaving.contains(shard)) return;
  if (world_.now >= lease_until_)  // Nothing is done until it is regained.
    return later(200ms, [this, shard] { work(shard); });
  const auto era = *it->second;
  ++committing[shard];
  world_.at(world_.database(), [this, shard, era, life = life_] {
    auto& s = world_.shards[shard.value()];
    const bool mine = world_.database_answers() && s.era == era.value();
    if (!mine) ++world_.result.refused;
    const bool holds = mine && world_.bug != planted::plain_fence;
    if (holds) ++s.writers;
    world_.at(world_.database(), [this, shard, era, mine, holds, life] {
      auto& row_ = world_.shards[shard.value()];
      if (holds) --row_.writers;
      if (mine) {
        if (era.value() < row_.last_written_by || row_.era != era.value())
          throw broken("epoch " + std::to_string(era.value()) + " wrote shard " +
                       std::to_string(shard.value()) + " after epoch " + std::to_string(row_.era) +
                       " had begun");
        row_.last_written_by = era.value();
        ++world_.result.commits;
      }
      if (row_.writers == 0)
        for (auto& next : std::exchange(row_.waiting, {})) next();
      if (!runs(life)) return;
      later(0ms, [this, shard, mine] {
        --committing[shard];
        if (leaving.contains(shard)) return release_when_idle(shard);
        if (mine) return later(ms(20 + world_.random() % 100), [this, shard] { work(shard); });
        lose(shard);
      });
    });
  });
}

void node::hand_over(shard_id shard) {
  leaving.insert(shard);
  release_when_idle(shard);
}

void node::release_when_idle(shard_id shard) {
  const auto it = hosted.find(shard);
  if (it == hosted.end() || !it->second) return;
  if (committing[shard] > 0) return;
  const auto era = *it->second;
  hosted.erase(it);
  world_.at(world_.database(), [this, shard, era, life = life_] {
    if (!world_.database_answers()) {  // Tried again by the next life of the shard on this node.
      if (runs(life))
        later(100ms, [this, shard, era] {
          hosted[shard] = era;
          release_when_idle(shard);
        });
      return;
    }
    const auto release = [this, shard, era, life] {
      auto& s = world_.shards[shard.value()];
      if (s.era == era.value()) {
        s.life = incarnation(0);
        ++s.era;
      }
      if (runs(life))
        later(0ms, [this, shard] {
          leaving.erase(shard);
          core_->on_released(shard, world_.now);
        });
    };
    auto& s = world_.shards[shard.value()];
    if (s.writers > 0)
      s.waiting.push_back(release);
    else
      release();
  });
}

}  // namespace

verdict simulate(std::uint64_t seed, planted bug) {
  return world(seed, bug).run();
}

}  // namespace troupe::simulation
