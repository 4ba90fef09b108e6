#include "tests/simulation/simulated_node.hpp"

#include "tests/simulation/world.hpp"

namespace troupe::simulation {

namespace {

using namespace std::chrono_literals;
using end = simulated_connection::end;

constexpr auto tick_every = 50ms;
constexpr auto leaves_within = 10'000ms;
// Lines to the database besides those of the shards.
constexpr std::uint32_t member_line = 1'000, lease_line = 1'001;

}  // namespace

// ---- life --------------------------------------------------------------------------------------

void simulated_node::later(ms delay, std::function<void()> step) {
  world_.time.after(delay, [this, life = life_, step = std::move(step)] {
    if (!runs(life)) return;
    if (paused_)
      held_back_.push_back(step);
    else
      step();
  });
}

void simulated_node::start() {
  if (up()) return;
  if (!world_.database.answers()) return world_.time.after(200ms, [this] { start(); });
  life_ = world_.database.join(id(), world_.lease.ttl);
  world_.time.note(id(), " begins as incarnation ", life_);
  lease_.emplace(world_.lease);
  lease_->requested(world_.time.now());
  lease_->answered(store::renewal::renewed, world_.time.now());
  lease_held_ = true;
  cluster::membership_world& surroundings = *this;
  core_ = std::make_unique<cluster::membership>(id(), life_, world_.membership, surroundings);
  tick();
  later(world_.lease.renew_every, [this] { renew(); });
}

void simulated_node::crash() {
  if (!up()) return;
  world_.time.note(id(), " ends as incarnation ", life_);
  const auto over = life_;
  core_.reset();
  paused_ = false;
  leave_until_.reset();
  held_back_.clear();
  links_.clear();
  located_.clear();
  shards_.clear();
  lines_.clear();
  for (const auto& n : world_.nodes)
    if (n->up() && n->links_.contains(over) && world_.network.reaches(number_, n->number_))
      n->later(world_.network.delay(), [p = n.get(), over, this] {
        if (p->links_.erase(over) > 0) p->core_->on_link_lost(over, world_.time.now());
      });
  world_.time.after(world_.time.between(300, 3300), [this] { start(); });
}

void simulated_node::pause(ms length) {
  if (!up() || paused_) return;
  world_.time.note(id(), " is stopped for ", length.count(), " ms");
  paused_ = true;
  world_.time.after(length, [this, life = life_] {
    if (runs(life)) resume();
  });
}

void simulated_node::resume() {
  if (!paused_) return;
  world_.time.note(id(), " goes on");
  paused_ = false;
  const auto life = life_;
  for (const auto& step : std::exchange(held_back_, {}))
    if (runs(life)) step();
}

void simulated_node::leave() {
  if (!up() || paused_ || leave_until_) return;
  world_.time.note(id(), " leaves");
  leave_until_ = world_.time.now() + leaves_within;
  core_->drain(world_.time.now());
  line(member_line)
      .call(
          [this, life = life_](const auto& done) {
            world_.database.set_draining(life);
            done();
          },
          [this](end) { core_->on_look(world_.time.now()); });
}

void simulated_node::leave_when_empty() {
  const auto now = world_.time.now();
  if (!leave_until_ || (!core_->empty() && core_->accompanied() && now < *leave_until_)) return;
  leave_until_ = steady_time::max();
  line(member_line)
      .call(
          [this, life = life_](const auto& done) {
            world_.database.leave(life);
            done();
          },
          [this](end) { crash(); });
}

void simulated_node::order(std::function<void(simulated_database&)> what) {
  if (!up() || paused_) return;
  line(member_line)
      .call(
          [this, what = std::move(what)](const auto& done) {
            what(world_.database);
            done();
          },
          [this](end) {
            for (const auto peer : links_) send(peer, {cluster::member_message::what::look, life_});
            core_->on_look(world_.time.now());
          });
}

void simulated_node::tick() {
  later(tick_every, [this] { tick(); });
  core_->on_tick(world_.time.now());
  look_at_links();
  watch_lease();
  if (leave_until_ != steady_time::max()) leave_when_empty();
}

/// Notices links that the other end has closed.
void simulated_node::look_at_links() {
  for (const auto peer : std::set<incarnation>(links_)) {
    auto* other = world_.find(peer);
    if (other != nullptr &&
        (other->links_.contains(life_) || !world_.network.reaches(other->number_, number_)))
      continue;
    links_.erase(peer);
    core_->on_link_lost(peer, world_.time.now());
  }
}

// ---- lease -------------------------------------------------------------------------------------

bool simulated_node::lease_valid() const {
  return lease_->valid(world_.time.now());
}

void simulated_node::renew() {
  lease_->requested(world_.time.now());
  const auto result = std::make_shared<store::renewal>(store::renewal::unavailable);
  line(lease_line)
      .call(
          [this, life = life_, result](const auto& done) {
            *result = world_.database.renew(life, world_.lease.ttl);
            done();
          },
          [this, result](end how) {
            const auto now = world_.time.now();
            lease_->answered(how == end::answered ? *result : store::renewal::unavailable, now);
            if (lease_->ended()) return crash();  // Dead for ever: it begins anew.
            watch_lease();
            later(std::max(0ms, ceil<ms>(lease_->next_renewal() - now)), [this] { renew(); });
          });
}

void simulated_node::watch_lease() {
  if (lease_valid() == lease_held_) return;
  lease_held_ = !lease_held_;
  world_.time.note(id(), lease_held_ ? " regains its lease" : " loses its lease");
  for (auto& [shard, c] : shards_) {
    if (lease_held_)
      restart_shard(shard);
    else if (c.host)
      c.host->lease_lost();
  }
}

// ---- shards ------------------------------------------------------------------------------------

simulated_shard* simulated_node::find(shard_id shard) {
  const auto it = shards_.find(shard);
  return it == shards_.end() ? nullptr : it->second.host.get();
}

void simulated_node::host(shard_id shard) {
  if (!shards_.emplace(shard, child{shard_supervision(world_.supervision), {}}).second)
    throw broken("owner: " + id() + " hosts shard " + std::to_string(shard.value()) + " twice");
  if (lease_held_) start_shard(shard);
}

void simulated_node::hand_over(shard_id shard) {
  const auto it = shards_.find(shard);
  if (it == shards_.end() || it->second.leaving) return;
  it->second.leaving = true;
  if (it->second.host)
    it->second.host->drain();
  else
    restart_shard(shard);
}

void simulated_node::start_shard(shard_id shard) {
  auto& c = shards_.at(shard);
  c.live = false;
  c.host = std::make_shared<simulated_shard>(world_, *this, shard, c.rules.poisoned());
  c.host->start();
  if (c.leaving) c.host->drain();
}

void simulated_node::restart_shard(shard_id shard) {
  const auto it = shards_.find(shard);
  if (it != shards_.end() && !it->second.host && lease_held_) start_shard(shard);
}

void simulated_node::on_live(shard_id shard) {
  shards_.at(shard).live = true;
}

void simulated_node::on_drained(shard_id shard) {
  shards_.erase(shard);
  core_->on_released(shard, world_.time.now());
}

void simulated_node::on_failed(shard_id shard, const shard_failure& why) {
  auto& c = shards_.at(shard);
  c.host.reset();
  c.live = false;
  if (why.what == shard_failure::kind::fenced) {
    shards_.erase(shard);
    return core_->on_lost(shard, world_.time.now());
  }
  const auto verdict = c.rules.on_failure(why, world_.time.now());
  if (!verdict.restart) throw broken("shard is given up: " + why.reason);
  later(verdict.after, [this, shard] { restart_shard(shard); });
}

std::optional<epoch> simulated_node::live_with(shard_id shard) const {
  const auto it = shards_.find(shard);
  return it == shards_.end() || !it->second.host ? std::nullopt : it->second.host->live_with();
}

void simulated_node::request(const entity_id& to, const std::optional<message>& what,
                             const std::string& id, simulated_shard::answer_to from) {
  auto* shard = find(world_.setup.shard_of(to));
  if (shard == nullptr)
    from({{"error", "not_here"}});
  else if (what)
    shard->request(to, *what, id, std::move(from));
  else
    shard->show(to, std::move(from));
}

/// To where the shard is as far as this node knows; lost if that is nowhere.
void simulated_node::to_shard(shard_id shard, const std::function<void(simulated_shard&)>& step) {
  if (find(shard) != nullptr)
    return later(0ms, [this, shard, step] {
      if (auto* host = find(shard)) step(*host);
    });
  const auto at = located_.find(shard);
  auto* other = at == located_.end() ? nullptr : world_.find(at->second);
  if (other == nullptr || !links_.contains(at->second)) return;
  world_.network.send(number_, other->number_, [other, life = at->second, shard, step] {
    if (!other->runs(life)) return;
    other->later(0ms, [other, shard, step] {
      if (auto* host = other->find(shard)) step(*host);
    });
  });
}

// ---- membership --------------------------------------------------------------------------------

simulated_connection& simulated_node::line(std::uint32_t number) {
  auto& line = lines_[number];
  if (!line)
    line = std::make_shared<simulated_connection>(world_.time, world_.network, world_.database,
                                                  number_,
                                                  [this, life = life_](std::function<void()> step) {
                                                    if (runs(life)) later(0ms, std::move(step));
                                                  });
  return *line;
}

void simulated_node::read() {
  const auto view = std::make_shared<store::cluster_view>();
  line(member_line)
      .call(
          [this, view](const auto& done) {
            *view = world_.database.view();
            done();
          },
          [this, view](end how) {
            if (how == end::answered)
              core_->on_view(std::move(*view), world_.time.now());
            else
              core_->on_read_failed();
          });
}

void simulated_node::lead(store::cluster_decision what) {
  const auto led = std::make_shared<store::cluster_store::led>();
  line(member_line)
      .call(
          [this, life = life_, what, led](const auto& done) {
            *led = world_.database.lead(life, world_.membership.leader_ttl, what);
            done();
          },
          [this, what, led](end how) {
            core_->on_led(how == end::answered ? *led : store::cluster_store::led{}, what,
                          world_.time.now());
          });
}

void simulated_node::dial(const store::cluster_view::node& peer) {
  later(world_.network.delay() + 1ms, [this, life = peer.life] {
    auto* other = world_.find(life);
    const auto now = world_.time.now();
    const bool fine = other != nullptr && !other->paused_ &&
                      world_.network.reaches(number_, other->number_) &&
                      world_.network.reaches(other->number_, number_);
    if (!fine) return core_->on_dial_failed(life, now);
    other->links_.insert(life_);
    links_.insert(life);
    other->core_->on_linked(life_, now);
    core_->on_linked(life, now);
  });
}

void simulated_node::send(incarnation peer, const cluster::member_message& what) {
  auto* other = world_.find(peer);
  if (other == nullptr || !links_.contains(peer)) return;
  world_.network.send(number_, other->number_, [this, other, peer, what, from = life_] {
    if (!other->runs(peer)) return;
    other->later(0ms, [this, other, what, from] {
      if (other->links_.contains(from)) other->core_->on_message(from, what, world_.time.now());
    });
  });
}

std::string simulated_node::text() const {
  std::string what = id() + (up() ? " up" : " down") + " as " + std::to_string(life_.value()) +
                     ", links " + std::to_string(links_.size()) + ", shards";
  for (const auto& [shard, c] : shards_)
    what += ' ' + std::to_string(shard.value()) + (c.live ? "" : "?") + (c.leaving ? "!" : "");
  return what;
}

}  // namespace troupe::simulation
