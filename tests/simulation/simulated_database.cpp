#include "tests/simulation/simulated_database.hpp"

#include <algorithm>
#include <memory>

namespace troupe::simulation {

namespace {
using store::commit_outcome;
constexpr incarnation nobody{0};

std::string text(shard_id shard) {
  return "shard " + std::to_string(shard.value());
}
}  // namespace

void simulated_database::fail_for(ms length) {
  time_.note("the database is away for ", length.count(), " ms");
  down_until_ = time_.now() + length;
}

// ---- nodes -------------------------------------------------------------------------------------

simulated_database::node_row* simulated_database::find(incarnation life) {
  const auto it = std::ranges::find(nodes_, life, &node_row::life);
  return it == nodes_.end() ? nullptr : &*it;
}

bool simulated_database::alive(incarnation life) const {
  return std::ranges::any_of(nodes_, [&](const node_row& n) {
    return n.life == life && n.live && time_.now() < n.alive_until;
  });
}

incarnation simulated_database::join(const std::string& id, ms ttl) {
  auto it = std::ranges::find(nodes_, id, &node_row::id);
  if (it == nodes_.end()) it = nodes_.insert(nodes_.end(), node_row{id});
  *it = {id, incarnation(++lives_), time_.now() + ttl, true, false};
  return it->life;
}

store::renewal simulated_database::renew(incarnation life, ms ttl) {
  auto* n = find(life);
  if (n == nullptr) return store::renewal::superseded;
  if (!n->live) return store::renewal::dead;
  n->alive_until = time_.now() + ttl;
  return store::renewal::renewed;
}

void simulated_database::leave(incarnation life) {
  if (auto* n = find(life)) n->live = false;
}

void simulated_database::set_draining(incarnation life) {
  if (auto* n = find(life)) n->draining = true;
}

void simulated_database::set_draining(const std::string& node, bool draining) {
  const auto it = std::ranges::find(nodes_, node, &node_row::id);
  if (it == nodes_.end() || it->draining == draining) return;
  time_.note("an operator has ", node, draining ? " drained" : " take shards again");
  it->draining = draining;
  ++orders;
}

void simulated_database::assign(shard_id shard, const std::string& node) {
  if (version_ == 0 || owners_[shard.value()].assigned == node) return;
  time_.note("shard ", shard, " is assigned to ", node, " by an operator");
  owners_[shard.value()].assigned = node;
  ++version_;
  ++orders;
}

store::cluster_view simulated_database::view() const {
  store::cluster_view v;
  v.version = version_;
  if (time_.now() < leader_until_) v.leader = leader_;
  for (const auto& n : nodes_) v.nodes.push_back({n.id, n.life, n.id, alive(n.life), n.draining});
  std::ranges::sort(v.nodes, {}, &store::cluster_view::node::id);
  for (std::size_t i = 0; i < owners_.size(); ++i)
    v.shards.push_back({owners_[i].assigned, owners_[i].life, shards_[i].era});
  return v;
}

store::cluster_store::led simulated_database::lead(incarnation self, ms ttl,
                                                   const store::cluster_decision& what) {
  using led = store::cluster_store::led;
  const auto live = [this](incarnation life) {
    const auto* n = find(life);
    return n != nullptr && n->live;
  };
  const bool condemned = std::ranges::find(what.dead, leader_) != what.dead.end();
  const bool free = time_.now() >= leader_until_ || condemned || !live(leader_);
  if (!live(self) || (leader_ != self && !free)) return {led::outcome::refused, 0};
  leader_ = self;
  leader_until_ = time_.now() + ttl;
  for (const auto life : what.dead)
    if (live(life)) {
      time_.note("incarnation ", life, " is declared dead by ", self);
      find(life)->live = false;
      ++deaths;
    }
  for (const auto& a : what.assign) {
    time_.note("shard ", a.shard, " is assigned to ", a.node, " by ", self);
    owners_[a.shard.value()].assigned = a.node;
  }
  return {led::outcome::done, ++version_};
}

// ---- shards ------------------------------------------------------------------------------------

/// Runs `what` when no commit holds the shard's row.
void simulated_database::when_unlocked(shard_id shard, std::function<void()> what) {
  auto& row = owners_[shard.value()];
  if (row.writers > 0)
    row.waiting.push_back(std::move(what));
  else
    what();
}

void simulated_database::take(shard_id shard, incarnation life, std::function<void(taken)> done) {
  when_unlocked(shard, [this, shard, life, done = std::move(done)] {
    done(answers() ? take_now(shard, life) : taken{std::nullopt, commit_outcome::unavailable});
  });
}

simulated_database::taken simulated_database::take_now(shard_id shard, incarnation life) {
  auto& row = owners_[shard.value()];
  const auto* me = find(life);
  const bool mine = row.life == life;
  const bool taken_from_living = row.life != nobody && !mine && alive(row.life);
  const bool meant =
      me != nullptr && (row.assigned == me->id || (mine && bug_ != planted::no_reclaim));
  if (!alive(life) || !meant || (taken_from_living && bug_ != planted::owner_ignored))
    return {std::nullopt, commit_outcome::fenced};
  if (taken_from_living) throw broken("owner: " + text(shard) + " is taken from a living owner");
  row.life = life;
  auto& disk = shards_[shard.value()];
  if (mine && bug_ == planted::same_epoch) disk.era = epoch(disk.era.value() - 1);
  auto result = disk.take();
  if (bug_ == planted::outbox_not_restored) result.image.outbox.clear();
  if (bug_ == planted::sequences_not_restored) result.image.sequences.clear();
  time_.note("shard ", shard, " is taken by ", life, " with epoch ", result.era);
  return {std::move(result), commit_outcome::committed};
}

void simulated_database::release(shard_id shard, epoch era, std::function<void()> done) {
  when_unlocked(shard, [this, shard, era, done = std::move(done)] {
    auto& disk = shards_[shard.value()];
    if (answers() && disk.era == era) {
      owners_[shard.value()].life = nobody;
      disk.era = epoch(era.value() + 1);
      time_.note("shard ", shard, " is released with epoch ", era);
    }
    done();
  });
}

void simulated_database::commit(store::commit_batch batch,
                                std::function<void(store::commit_outcome)> done) {
  auto& row = owners_[batch.shard.value()];
  if (batch.era != shards_[batch.shard.value()].era) {
    ++refused;
    time_.note("shard ", batch.shard, " refuses a commit of epoch ", batch.era);
    return done(commit_outcome::fenced);
  }
  const bool holds = bug_ != planted::plain_fence;
  if (holds) ++row.writers;
  const auto writing = time_.between(1, 4) + (time_.mishap(2) ? time_.between(0, 300) : ms(0));
  time_.after(writing, [this, holds, batch = std::move(batch), done = std::move(done)] {
    auto& held = owners_[batch.shard.value()];
    if (holds) --held.writers;
    if (answers())
      write(batch, done);
    else
      done(commit_outcome::outcome_unknown);
    if (held.writers == 0)
      for (auto& next : std::exchange(held.waiting, {})) when_unlocked(batch.shard, next);
  });
}

void simulated_database::write(const store::commit_batch& batch,
                               const std::function<void(store::commit_outcome)>& done) {
  auto& disk = shards_[batch.shard.value()];
  if (batch.era != disk.era)
    throw broken("owner: epoch " + std::to_string(batch.era.value()) + " writes " +
                 text(batch.shard) + " after epoch " + std::to_string(disk.era.value()) +
                 " has begun");
  rules.before_commit(batch);
  disk.apply(batch);
  ++commits;
  time_.note("shard ", batch.shard, " commits with epoch ", batch.era, ": ", batch.entities.size(),
             " states, ", batch.outbox.size(), " out, ", batch.answers.size(), " answers");
  done(commit_outcome::committed);
}

}  // namespace troupe::simulation
