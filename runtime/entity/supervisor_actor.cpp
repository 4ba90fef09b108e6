#include "runtime/entity/supervisor_actor.hpp"

#include <algorithm>

#include "runtime/base/log.hpp"

namespace troupe {

supervisor_actor::supervisor_actor(caf::actor_config& config, const host_environment* environment,
                                   supervision_limits limits, caf::actor member)
    : caf::event_based_actor(config),
      environment_(*environment),
      limits_(limits),
      member_(std::move(member)) {}

caf::behavior supervisor_actor::make_behavior() {
  set_down_handler([this](const caf::down_msg& m) { on_down(m); });
  return {
      [this](host_atom, std::uint32_t shard) { on_host(shard_id(shard)); },
      [this](hand_over_atom, std::uint32_t shard) { on_hand_over(shard_id(shard)); },
      [this](live_atom, std::uint32_t shard) { on_live(shard_id(shard)); },
      [this](const shard_failed& m) { on_failed(m); },
      [this](restart_atom, std::uint32_t shard) { on_restart(shard_id(shard)); },
      [this](released_atom, std::uint32_t shard) {
        gone(shard_id(shard), caf::make_message(released_atom_v, shard));
      },
      [this](lease_atom, bool valid, bool for_ever) { on_lease(valid, for_ever); },
      [this](stop_atom) { on_stop(); },
  };
}

supervisor_actor::child* supervisor_actor::find(shard_id shard) {
  const auto it = std::ranges::find(children_, shard, &child::shard);
  return it == children_.end() ? nullptr : &*it;
}

void supervisor_actor::on_host(shard_id shard) {
  if (stopping_ || find(shard) != nullptr) return;
  auto& c = children_.emplace_back(child{shard, shard_supervision(limits_), {}});
  environment_.board->own(shard, true);
  if (lease_) start(c);
}

void supervisor_actor::on_hand_over(shard_id shard) {
  auto* c = find(shard);
  if (c == nullptr || c->leaving) return;
  c->leaving = true;
  if (c->given_up) return release(*c);
  if (c->host) return drain(*c);
  on_restart(shard);  // At once: only who takes the shard knows its epoch.
}

void supervisor_actor::on_live(shard_id shard) {
  const auto* c = find(shard);
  if (c == nullptr || !c->host) return;
  send(member_, live_atom_v, shard.value());
}

void supervisor_actor::start(child& c) {
  c.host = spawn<shard_host>(c.shard, &environment_, caf::actor_cast<caf::actor>(this),
                             c.rules.poisoned());
  monitor(c.host);
  environment_.router->set(c.shard, c.host);
  if (c.leaving) drain(c);
}

void supervisor_actor::drain(child& c) {
  send(c.host, shard_call{std::make_shared<std::function<void(shard_machine&)>>(
                   [](shard_machine& s) { s.on_drain(); })});
}

/// What was given up has nothing to drain, but the database still says that it is ours.
void supervisor_actor::release(const child& c) {
  environment_.store->release(c.shard, c.era,
                              [self = caf::actor_cast<caf::actor>(this), shard = c.shard] {
                                caf::anon_send(self, released_atom_v, shard.value());
                              });
}

/// The shard is no longer this node's business.
void supervisor_actor::gone(shard_id shard, caf::message news) {
  children_.remove_if([&](const child& c) { return c.shard == shard; });
  environment_.router->set(shard, nullptr);
  environment_.board->own(shard, false);
  send(member_, std::move(news));
  stop_when_empty();
}

void supervisor_actor::on_failed(const shard_failed& m) {
  auto* c = find(m.shard);
  if (c == nullptr || !c->host) return;
  c->host = nullptr;
  environment_.router->set(m.shard, nullptr);
  if (m.why.what == shard_failure::kind::fenced) {
    log::info("entity", "shard_fenced", {{"shard", m.shard}, {"reason", m.why.reason}});
    return gone(m.shard, caf::make_message(lost_atom_v, m.shard.value()));
  }
  const auto verdict = c->rules.on_failure(m.why, environment_.clock->steady());
  c->given_up = !verdict.restart;
  c->era = std::max(c->era, m.era);
  environment_.board->failed(m.shard, c->given_up ? verdict.alert : m.why.reason, c->given_up);
  log::write(verdict.restart ? log::level::warn : log::level::error, "entity",
             verdict.restart ? "shard_restarts" : "shard_given_up",
             {{"shard", m.shard},
              {"reason", m.why.reason},
              {"entity", to_string(m.why.entity)},
              {"source", m.why.input.source},
              {"place", m.why.input.place},
              {"quarantined", verdict.quarantined},
              {"after_ms", verdict.after.count()},
              {"alert", verdict.alert}});
  if (verdict.restart && lease_ && !stopping_)
    delayed_send(this, verdict.after, restart_atom_v, m.shard.value());
  if (c->given_up && c->leaving) release(*c);
  if (stopping_) std::erase_if(children_, [](const child& x) { return !x.host; });
  stop_when_empty();
}

void supervisor_actor::on_restart(shard_id shard) {
  auto* c = find(shard);
  if (c != nullptr && !c->host && !c->given_up && lease_ && !stopping_) start(*c);
}

void supervisor_actor::on_lease(bool valid, bool for_ever) {
  lease_ = valid;
  for (auto& c : children_) {
    if (valid)
      on_restart(c.shard);
    else if (!c.host && !for_ever)
      environment_.board->store_is_lost(c.shard);
    else if (c.host)
      send(c.host, shard_call{std::make_shared<std::function<void(shard_machine&)>>(
                       [for_ever](shard_machine& s) { s.on_lease_lost(for_ever); })});
  }
}

void supervisor_actor::on_stop() {
  stopping_ = true;
  for (auto& c : children_)
    if (c.host && !c.leaving) drain(c);
  std::erase_if(children_, [](const child& c) { return !c.host; });
  stop_when_empty();
}

/// A host that fails has said so before, and one that has drained ends in order.
void supervisor_actor::on_down(const caf::down_msg& m) {
  const auto c = std::ranges::find_if(
      children_, [&](const child& x) { return x.host && x.host.address() == m.source; });
  if (c == children_.end()) return;
  if ((c->leaving || stopping_) && m.reason == caf::exit_reason::user_shutdown)
    return gone(c->shard, caf::make_message(released_atom_v, c->shard.value()));
  environment_.ingress->unassign(c->shard);
  environment_.egress->close(c->shard);
  shard_failed failed;
  failed.shard = c->shard;
  failed.why.reason = "its actor ended without a word: " + home_system().render(m.reason);
  on_failed(failed);
}

void supervisor_actor::stop_when_empty() {
  if (stopping_ && children_.empty()) quit();
}

}  // namespace troupe
