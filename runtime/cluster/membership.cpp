#include "runtime/cluster/membership.hpp"

#include <algorithm>
#include <utility>

namespace troupe::cluster {

namespace {
constexpr incarnation nobody{0};
constexpr std::chrono::milliseconds redial_after{300};
}  // namespace

membership::membership(std::string id, incarnation life, const membership_options& options,
                       membership_world& world)
    : id_(std::move(id)), life_(life), options_(options), world_(world) {}

const store::cluster_view::node* membership::find(incarnation life) const {
  const auto it = std::ranges::find(view_.nodes, life, &store::cluster_view::node::life);
  return it == view_.nodes.end() ? nullptr : &*it;
}

const store::cluster_view::node* membership::find(const std::string& id) const {
  const auto it = std::ranges::find(view_.nodes, id, &store::cluster_view::node::id);
  return it == view_.nodes.end() ? nullptr : &*it;
}

bool membership::alive(incarnation life) const {
  const auto* n = find(life);
  return n != nullptr && n->live;
}

bool membership::linked(incarnation life) const {
  const auto it = peers_.find(life);
  return it != peers_.end() && it->second.up;
}

bool membership::accompanied() const {
  return std::ranges::any_of(view_.nodes, [this](const auto& n) {
    return n.live && n.life != life_ && !n.draining && linked(n.life);
  });
}

membership::peer& membership::peer_of(incarnation life, steady_time now) {
  const auto [it, fresh] = peers_.try_emplace(life);
  if (fresh) it->second.heard = now;
  return it->second;
}

// ---- what the database says --------------------------------------------------------------------

void membership::read(steady_time now) {
  viewed_ = now;
  if (reading_) {
    read_again_ = true;
    return;
  }
  reading_ = true;
  world_.read();
}

void membership::on_view(store::cluster_view view, steady_time now) {
  reading_ = false;
  viewed_ = now;
  const auto let_go_meanwhile = std::exchange(let_go_, {});
  if (view.version < view_.version) return read(now);  // A decision was quicker.
  look_at_leases(view, now);
  view_ = std::move(view);
  for (const auto& [shard, of] : let_go_meanwhile) let_go(shard, of);
  if (!alive(view_.leader)) view_.leader = nobody;  // It has left before its lease ended.
  for (auto it = peers_.begin(); it != peers_.end();) {
    if (find(it->first) != nullptr && alive(it->first)) {
      ++it;
      continue;
    }
    world_.forget(it->first);
    it = peers_.erase(it);
  }
  apply();
  if (std::exchange(read_again_, false)) read(now);
  on_tick(now);
}

/// A lease that is late because the database was away comes back within moments: that is no death.
void membership::look_at_leases(const store::cluster_view& next, steady_time now) {
  std::map<incarnation, lease_end> still;
  for (const auto& n : next.nodes) {
    if (n.live || n.left) continue;
    auto known = expired_.find(n.life);
    if (known == expired_.end()) {
      if (!alive(n.life)) continue;
      known = expired_.emplace(n.life, lease_end{now}).first;
    }
    auto& end = still[n.life] = known->second;
    if (end.told || now - end.seen < options_.silence_max) continue;
    end.told = true;
    world_.expired(n);
  }
  expired_ = std::move(still);
}

void membership::on_read_failed() {
  reading_ = false;
  let_go_.clear();
}

// ---- links -------------------------------------------------------------------------------------

void membership::on_linked(incarnation life, steady_time now) {
  if (find(life) == nullptr) read(now);  // It has just joined.
  auto& p = peer_of(life, now);
  p.up = true;
  p.dialing = false;
  p.heard = now;
  p.votes.clear();
  if (leads()) act(now);
}

void membership::on_link_lost(incarnation life, steady_time now) {
  const auto it = peers_.find(life);
  if (it == peers_.end() || !it->second.up) return;
  it->second.up = false;
  it->second.heard = now - options_.link_within;  // Suspected at once.
  it->second.dial_at = now;
  vote(life, now);
  act(now);
}

void membership::on_dial_failed(incarnation life, steady_time now) {
  const auto it = peers_.find(life);
  if (it == peers_.end()) return;
  it->second.dialing = false;
  it->second.dial_at = now + redial_after;
}

/// Whoever came later dials, so that there is one link between two.
void membership::look_at_peers(steady_time now) {
  for (const auto& n : view_.nodes) {
    if (!n.live || n.life == life_) continue;
    auto& p = peer_of(n.life, now);
    if (p.up && now - p.heard > options_.silence_max) {
      p.up = false;
      p.heard = now - options_.link_within;
      p.dial_at = now + redial_after;  // What is left of the link has to go first.
      world_.forget(n.life);
    }
    if (!p.up && !p.dialing && n.life < life_ && now >= p.dial_at) {
      p.dialing = true;
      world_.dial(n);
    }
    if (!p.up && now - p.heard >= options_.link_within) vote(n.life, now);
  }
}

bool membership::suspected(incarnation life) const {
  const auto it = peers_.find(life);
  return it != peers_.end() && !it->second.up && it->second.votes.contains(life_);
}

/// Whoever is to judge needs to know; who that is may look different from there: tell all.
void membership::vote(incarnation suspect, steady_time now) {
  auto& mine = peer_of(suspect, now).votes[life_];
  if (now - mine < options_.probe_every) return;
  mine = now;
  tell_all({member_message::what::suspect, suspect});
}

void membership::tell_all(const member_message& what) {
  for (const auto& [life, p] : peers_)
    if (p.up) world_.send(life, what);
}

void membership::on_heard(incarnation from, steady_time now) {
  if (const auto it = peers_.find(from); it != peers_.end() && it->second.up)
    it->second.heard = now;
}

void membership::on_message(incarnation from, const member_message& what, steady_time now) {
  on_heard(from, now);
  switch (what.kind) {
    case member_message::what::probe:
      return;
    case member_message::what::suspect:
      if (what.life == life_ || find(what.life) == nullptr) return;
      peer_of(what.life, now).votes[from] = now;
      return act(now);
    case member_message::what::decided:
      if (what.version > view_.version) {
        view_.leader = what.life;
        view_.version = what.version;
        take_in(what.decision);
        apply();
      }
      return read(now);
    case member_message::what::released:
      let_go(what.shard, what.life);
      apply();
      if (leads()) act(now);
      return;
    case member_message::what::look:
      return read(now);
  }
}

// ---- judging and leading -----------------------------------------------------------------------

/// Of those that are left the one with the lowest id takes the lead; the database would settle it
/// among more, too, at the price of refusals.
bool membership::first_in_line() const {
  return std::ranges::none_of(view_.nodes, [&](const auto& n) {
    return n.live && n.life != life_ && !suspected(n.life) && n.id < id_;
  });
}

bool membership::condemned(incarnation suspect, steady_time now) const {
  if (!suspected(suspect)) return false;
  bool witness_needed = false;
  const auto& votes = peers_.at(suspect).votes;
  for (const auto& n : view_.nodes) {
    if (!n.live || n.life == life_ || n.life == suspect) continue;
    witness_needed = true;
    const auto vote = votes.find(n.life);
    if (vote != votes.end() && now - vote->second <= options_.silence_max) return true;
  }
  return !witness_needed;
}

std::vector<store::cluster_decision::assignment> membership::plan(
    const std::vector<incarnation>& dead) const {
  allocation_input in;
  in.moves_max = options_.moves_max;
  const auto present = [&](const store::cluster_view::node& n) {
    return n.live && std::ranges::find(dead, n.life) == dead.end();
  };
  for (const auto& n : view_.nodes) {
    if (!present(n)) continue;
    const bool gives = n.draining || (n.life == life_ && draining_);
    in.nodes.push_back({n.id, !gives && (n.life == life_ || linked(n.life)), gives});
  }
  for (const auto& s : view_.shards) {
    const auto* owner = s.life == nobody ? nullptr : find(s.life);
    const bool moving = owner != nullptr && present(*owner) && owner->id != s.assigned;
    in.shards.push_back({s.assigned, moving});
  }
  return allocate(in);
}

void membership::act(steady_time now) {
  if (deciding_ || view_.nodes.empty() || !alive(life_)) return;
  store::cluster_decision what;
  for (const auto& n : view_.nodes)
    if (n.live && n.life != life_ && condemned(n.life, now)) what.dead.push_back(n.life);
  const bool leaderless =
      view_.leader == nobody || std::ranges::find(what.dead, view_.leader) != what.dead.end();
  const bool takes_over = leaderless && first_in_line();
  if (!leads() && !takes_over) return;
  what.assign = plan(what.dead);
  const bool due = now - led_ >= options_.view_every;
  if (what.empty() && !takes_over && !due) return;
  deciding_ = true;
  led_ = now;
  world_.lead(std::move(what));
}

void membership::on_led(store::cluster_store::led led, const store::cluster_decision& what,
                        steady_time now) {
  deciding_ = false;
  if (led.what != store::cluster_store::led::outcome::done) {
    // Another leads, or nobody knows: what the tables say counts.
    if (leads()) view_.leader = nobody;
    led_ = now;
    return read(now);
  }
  view_.leader = life_;
  view_.version = led.version;
  take_in(what);
  if (!what.empty())
    tell_all({member_message::what::decided, life_, shard_id(0), led.version, what});
  apply();
  act(now);
}

void membership::take_in(const store::cluster_decision& what) {
  for (auto& n : view_.nodes)
    if (std::ranges::find(what.dead, n.life) != what.dead.end()) n.live = false;
  if (!alive(view_.leader)) view_.leader = nobody;
  for (const auto life : what.dead)
    if (peers_.erase(life) > 0) world_.forget(life);
  for (const auto& a : what.assign)
    if (a.shard.value() < view_.shards.size()) view_.shards[a.shard.value()].assigned = a.node;
}

// ---- shards ------------------------------------------------------------------------------------

void membership::apply() {
  if (!alive(life_)) return;
  for (std::uint32_t i = 0; i < view_.shards.size(); ++i) {
    const shard_id shard(i);
    auto& s = view_.shards[i];
    const bool mine = s.assigned == id_;
    const bool free = s.life == nobody || s.life == life_ || !alive(s.life);
    const auto mark = hosted_.find(shard);
    if (mine && free && mark == hosted_.end()) {
      hosted_.emplace(shard, hosting::hosted);
      s.life = life_;
      world_.host(shard);
    } else if (!mine && mark != hosted_.end() && mark->second == hosting::hosted) {
      mark->second = hosting::leaving;
      world_.hand_over(shard);
    } else if (!mine && mark == hosted_.end() && s.life == life_) {
      // Ours by the table, though we gave it up: only who has a shard can release it.
      hosted_.emplace(shard, hosting::leaving);
      world_.host(shard);
      world_.hand_over(shard);
    }
    const auto* target = find(s.assigned);
    const auto at = s.life != nobody && alive(s.life)   ? s.life
                    : target != nullptr && target->live ? target->life
                                                        : nobody;
    if (auto& known = located_.try_emplace(shard, nobody).first->second; known != at) {
      known = at;
      world_.locate(shard, at);
    }
  }
}

/// A reading that is under way may be older, and is followed by another.
void membership::let_go(shard_id shard, incarnation of) {
  if (shard.value() < view_.shards.size() && view_.shards[shard.value()].life == of)
    view_.shards[shard.value()].life = nobody;
  if (!reading_) return;
  let_go_.emplace_back(shard, of);
  read_again_ = true;
}

void membership::on_released(shard_id shard, steady_time now) {
  hosted_.erase(shard);
  if (shard.value() >= view_.shards.size()) return;
  let_go(shard, life_);
  tell_all({member_message::what::released, life_, shard});
  apply();
  act(now);
}

void membership::on_lost(shard_id shard, steady_time now) {
  hosted_.erase(shard);
  let_go(shard, life_);
  read(now);
}

void membership::drain(steady_time now) {
  draining_ = true;
  for (auto& n : view_.nodes)
    if (n.life == life_) n.draining = true;
  tell_all({member_message::what::look, life_});
  act(now);
}

void membership::on_tick(steady_time now) {
  if (now - probed_ >= options_.probe_every) {
    probed_ = now;
    tell_all({member_message::what::probe, life_});
  }
  look_at_peers(now);
  if (now - viewed_ >= options_.view_every) read(now);
  act(now);
}

}  // namespace troupe::cluster
