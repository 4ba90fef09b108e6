// The unit plane of a shard: one input after another, each with everything that follows from it
// inside the shard.
#include <algorithm>

#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"
#include "runtime/codec/text.hpp"
#include "runtime/entity/remembered.hpp"
#include "runtime/entity/retry.hpp"
#include "runtime/entity/shard_machine.hpp"

namespace troupe {

namespace {

nlohmann::json error_answer(std::string_view name, std::string_view detail) {
  return {{"error", name}, {"detail", detail}};
}

std::string message_json(const message& what) {
  return nlohmann::json{{"type", what.type}, {"body", what.body}}.dump();
}

}  // namespace

bool shard_machine::bridge_full() const {
  return outbox_.undelivered_to_topics() >= setup_.limits.outbox_max;
}

/// Who waits is told for whom, once it takes longer than usual.
nlohmann::json shard_machine::not_live_refusal() const {
  constexpr std::chrono::milliseconds usual_max{1000};
  const auto late_since = [&](time_point since) { return world_.now() - since > usual_max; };
  const bool late = late_since(phase_since_);
  if (phase_ == phase::taking && (late || world_.store_lost()))
    return error_answer("store_unavailable", "the shard waits for the database to be recovered");
  if (phase_ == phase::opening && late)
    return error_answer("bridge_unavailable", "the shard waits for Kafka to learn what is out");
  if (phase_ != phase::live)
    return error_answer("shard_unavailable", "the shard is being recovered");
  if (outbox_.undelivered_to_topics() > 0 && late_since(undelivered_since_))
    return error_answer("bridge_unavailable",
                        "the shard waits for Kafka to take what it has to say, then moves");
  return error_answer("shard_unavailable", "the shard is being handed over");
}

nlohmann::json shard_machine::refusal() const {
  if (phase_ != phase::live || draining_) return not_live_refusal();
  if (bridge_full())
    return error_answer("bridge_unavailable", "the shard's outbox is full and waits for Kafka");
  if (outbox_.undelivered() >= setup_.limits.outbox_max)
    return error_answer("busy", "the shard's outbox is full and waits for other shards");
  if (inbox_.size() >= setup_.limits.inbox_max)
    return error_answer("busy", "the shard's inbox is full");
  return {};
}

/// Nobody waits in vain for a unit that cannot run before Kafka is back.
void shard_machine::refuse_waiting_clients() {
  std::erase_if(inbox_, [this](const unit& u) {
    if (u.from) world_.answer(*u.from, refusal());
    return u.from.has_value();
  });
}

void shard_machine::on_request(entity_id to, message what, std::string request, request_ref from) {
  if (auto refused = refusal(); !refused.is_null()) return world_.answer(from, std::move(refused));
  if (!is_name(to.key) || (!request.empty() && !is_name(request)))
    return world_.answer(
        from,
        error_answer("bad_request",
                     "keys and ids must be 1 to 256 bytes of UTF-8 without control characters"));
  unit u;
  u.input = {"request", 0, request.empty() ? std::to_string(from.value()) : request};
  u.to = std::move(to);
  u.what = std::move(what);
  u.request = effect_id(request);
  u.from = from;
  enqueue(std::move(u));
  run_units();
  maybe_commit();
}

nlohmann::json shard_machine::unknown_kind(std::string_view name) const {
  std::string detail = "there is no \"" + std::string(name) + "\"; kinds are";
  for (const auto& kind : setup_.things.kinds)
    detail += (&kind == setup_.things.kinds.data() ? " " : ", ") + std::string(kind.name);
  return error_answer("unknown_kind", detail);
}

void shard_machine::on_show(entity_id of, request_ref from) {
  if (phase_ != phase::live || draining_) return world_.answer(from, refusal());
  if (!is_name(of.key)) return world_.answer(from, error_answer("unknown_entity", "not a key"));
  const auto* kind = find_kind(of.kind);
  if (kind == nullptr) return world_.answer(from, unknown_kind(of.kind));
  const auto slot = resident(*kind, of);
  load_missing();
  residents_[slot].used = world_.now();
  open_.shows.emplace(slot, from);
  maybe_commit();
}

void shard_machine::on_call_answered(entity_id to, const effects::called& asked,
                                     nlohmann::json answer) {
  if (phase_ != phase::live || draining_) return;
  unit u;
  u.input = {"call:" + asked.service, 0, to_string(to) + '/' + asked.id};
  u.to = std::move(to);
  u.what = {"call_answered",
            {{"service", asked.service}, {"id", asked.id}, {"answer", std::move(answer)}}};
  enqueue(std::move(u));
  run_units();
  maybe_commit();
}

void shard_machine::on_channel(shard_id source, sequence seq, entity_id to, message what) {
  if (phase_ != phase::live) return;
  auto& last = channels_[source];
  if (seq <= last) {
    const auto durable = channels_committed_[source];
    if (durable.value() > 0) world_.acknowledge_channel(source, durable);
    return;
  }
  // A gap or a full inbox: the source sends again from its first unacknowledged message.
  if (seq.value() != last.value() + 1 || inbox_.size() >= setup_.limits.inbox_max) return;
  last = seq;
  unit u;
  u.input = {shard_target(source), seq.value(), {}};
  u.to = std::move(to);
  u.what = std::move(what);
  u.channel = source;
  enqueue(std::move(u));
  run_units();
  maybe_commit();
}

void shard_machine::on_answer_found(std::uint64_t serial,
                                    std::optional<std::optional<std::string>> answer) {
  if (phase_ != phase::live) return;
  if (!answer)
    return fail({shard_failure::kind::store, "remembered answers could not be read", {}, {}});
  const auto u = std::ranges::lower_bound(inbox_, serial, {}, &unit::serial);
  if (u != inbox_.end() && u->serial == serial) {
    u->answer_lookup = unit::lookup::done;
    u->answer = std::move(*answer);
  }
  run_units();
  maybe_commit();
}

void shard_machine::enqueue(unit u) {
  u.serial = ++enqueued_;
  if (open_since_ == time_point{}) open_since_ = world_.now();
  if (!u.request.empty()) {
    u.asked = remembered::name_of(u.to, u.what);
    u.answer_lookup = unit::lookup::pending;
    world_.find_answer(u.request, u.serial);
  }
  inbox_.push_back(std::move(u));
}

void shard_machine::run_units() {
  while (phase_ == phase::live && !running_ && !bridge_full() && !batch_full())
    if (!begin_next()) return;
}

/// Whether the next commit is to begin before the next unit does: it is large enough, or its first
/// unit has waited long enough for company while others came in all the time.
bool shard_machine::batch_full() const {
  constexpr std::size_t batch_units_max = 2000;
  constexpr std::chrono::milliseconds company_max{10};
  if (!open_.urgent()) return false;  // They came to nothing: no commit would begin the next batch.
  if (open_.units >= batch_units_max) return true;
  return open_.units > 0 && !closing_ && loading_ == 0 && world_.now() - open_.since >= company_max;
}

void shard_machine::count_unit() {
  if (open_.units++ == 0) open_.since = world_.now();
}

/// Inputs and feeds take turns.
bool shard_machine::begin_next() {
  const bool input = !inbox_.empty() && ready_to_run(inbox_.front());
  if ((!input || feeds_turn_) && begin_feed()) {
    feeds_turn_ = false;
    return true;
  }
  if (!input) return false;
  feeds_turn_ = true;
  auto next = std::move(inbox_.front());
  inbox_.pop_front();
  begin_unit(std::move(next));
  return true;
}

bool shard_machine::ready_to_run(unit& u) {
  if (u.request.empty()) return true;
  if (const auto* known = answers_.find(u.request)) {
    u.answer = *known;
    return true;
  }
  return u.answer_lookup == unit::lookup::done;
}

void shard_machine::begin_unit(unit u) {
  count_unit();
  if (u.timer) {
    if (!timers_.still_due(*u.timer)) return;
    const store::timer_key key{u.timer->owner, u.timer->name};
    timers_.cancel(key);
    open_.timers[key] = std::nullopt;
  }
  if (const auto* p = find_poison(u.input)) return pass_over(std::move(u), *p);
  if (u.refused) {
    dead_letter(u.input.source, u.input.place, u.record.key, u.record.payload, u.refused->reason,
                u.refused->detail);
    return advance(u);
  }
  if (u.answer) return answer_again(u, *u.answer);
  running_.emplace();
  running_->todo.push_back({u.to, std::move(u.what)});
  running_->what = std::move(u);
  step_unit();
}

/// An id that came with something else before is a client's mistake: the first one's answer would
/// pass for an effect that this one never had.
void shard_machine::answer_again(const unit& u, const std::string& kept) {
  auto known = remembered::of_text(kept);
  if (known.asked.empty() || known.asked == u.asked) {
    if (u.from) open_.replies.push_back({*u.from, std::move(known.answer)});
    return advance(u);
  }
  const auto what_of = [](const std::string& asked) { return asked.substr(0, asked.rfind(' ')); };
  const auto before = what_of(known.asked), now = what_of(u.asked);
  const auto why = "the id " + u.request + " came with " +
                   (before == now ? before + " of another content" : before) +
                   " before, now it comes with " + now +
                   ", which is not done; every command needs an id of its own";
  if (u.from)
    open_.replies.push_back({*u.from, error_answer("id_reused", why)});
  else
    dead_letter(u.input.source, u.input.place, u.record.key, u.record.payload, "id_reused", why);
  advance(u);
}

void shard_machine::step_unit() {
  while (running_ && !running_->waiting) {
    if (running_->todo.empty()) return end_unit();
    auto& next = running_->todo.front();
    const auto* kind = find_kind(next.to.kind);
    if (kind == nullptr || kind->log_fed) {
      const std::string reason = kind == nullptr ? "unknown_kind" : "takes_no_messages";
      if (running_->what.from)
        running_->answer =
            kind == nullptr ? unknown_kind(next.to.kind) : error_answer(reason, to_string(next.to));
      else
        dead_letter(running_->what.input.source, running_->what.input.place, to_string(next.to),
                    message_json(next.what), reason, next.to.kind);
      running_->todo.pop_front();
      continue;
    }
    const auto slot = resident(*kind, next.to);
    load_missing();
    auto& e = residents_[slot];
    if (e.state != residents::entry::status::ready) return;  // on_loaded goes on.
    e.used = world_.now();
    ++e.busy;
    running_->waiting = slot;
    world_.handle(slot, std::move(next.what));
    running_->todo.pop_front();
  }
}

void shard_machine::on_handled(slot_id slot, effects decided, const follows_now& follows) {
  if (phase_ != phase::live) return;
  ensure(running_ && running_->waiting == slot, "an entity answers only what it was asked");
  --residents_[slot].busy;
  running_->waiting.reset();
  if (!decided.read_only || (residents_[slot].changed && decided.leaves_entity()))
    open_.touched.insert(slot);
  merge(slot, std::move(decided));
  if (follows) {
    follow(slot, *follows);
    follower_.resume(slot);
  }
  step_unit();
  run_units();
  maybe_commit();
}

void shard_machine::merge(slot_id slot, effects done) {
  const auto& self = residents_[slot].id;
  for (auto& tell : done.tells) {
    const auto shard = setup_.shard_of(tell.to);
    if (shard == id_)
      running_->todo.push_back({std::move(tell.to), std::move(tell.what)});
    else
      open_.cross_shard.emplace_back(shard, std::move(tell));
  }
  for (auto& record : done.records) open_.records.push_back(std::move(record));
  for (auto& change : done.timers) {
    const store::timer_key key{self, change.name};
    if (change.due) {
      store::timer_row row{self, change.name, *change.due, message_json(change.what)};
      timers_.set(row);
      open_.timers[key] = std::move(row);
      world_.wake_at(*change.due);
    } else {
      timers_.cancel(key);
      open_.timers[key] = std::nullopt;
    }
  }
  for (auto& call : done.calls) open_.calls.emplace_back(self, std::move(call));
  add_blocks(open_.blocks, std::move(done.blocks));
  if (done.answer && !running_->answer) running_->answer = std::move(done.answer);
}

void shard_machine::end_unit() {
  auto ended = std::move(*running_);
  running_.reset();
  ++progress_.units;
  finish(std::move(ended.what),
         ended.answer ? std::move(*ended.answer) : nlohmann::json{{"ok", true}});
}

void shard_machine::finish(unit u, nlohmann::json answer) {
  if (!u.request.empty()) {
    const auto text = remembered{u.asked, answer}.to_text();
    answers_.remember(u.request, text);
    open_.answers.push_back({u.request, text, setup_.limits.requests_remembered});
  }
  if (u.from) open_.replies.push_back({*u.from, std::move(answer)});
  advance(u);
}

/// The unit has had its effect: its source is done with it once this batch is durable.
void shard_machine::advance(const unit& u) {
  if (u.topic) {
    auto& log = logs_[*u.topic];
    log.applied = position(u.input.place + 1);
    ++log.taken;
    open_.advanced = true;
  }
  if (u.channel) open_.channels[*u.channel] = sequence(u.input.place);
}

void shard_machine::tell_quarantined(const std::string& source, std::int64_t place,
                                     const entity_id& of, const poison& p) {
  ++progress_.quarantined;
  log::error("entity", "quarantined",
             {{"shard", id_},
              {"entity", to_string(of)},
              {"source", source},
              {"place", place},
              {"reason", p.reason}});
}

void shard_machine::quarantine(const unit& u, const poison& p) {
  tell_quarantined(u.input.source, u.input.place, u.to, p);
  // A record as it came, so that it can be put back onto its topic; all else as its message. A
  // request's key is the id by which its effect is remembered, if it has one.
  auto key = u.topic ? std::string(u.record.key) : u.from ? u.request : u.input.key;
  auto input =
      u.topic
          ? std::string(u.record.payload)
          : nlohmann::json{{"to", to_string(u.to)}, {"type", u.what.type}, {"body", u.what.body}}
                .dump();
  dead_letter(u.input.source, u.input.place, key, input, "quarantined", p.reason);
  open_.quarantined.push_back(
      {p.entity, u.input.source, u.input.place, std::move(key), std::move(input), p.reason});
  if (u.from) open_.replies.push_back({*u.from, error_answer("quarantined", p.reason)});
}

/// Who is told inside the shard; the others are told by the commit.
std::deque<running_unit::delivery> shard_machine::told_of(const poison& p) {
  std::deque<running_unit::delivery> here;
  const auto* const kind = find_kind(p.entity.kind);
  // When the telling itself fails, the input is poison a second time: nobody is told then.
  const bool telling_fails =
      std::ranges::count(poisoned_, p.input, [](const poison& one) { return one.input; }) > 1;
  if (kind == nullptr || !kind->when_quarantined || telling_fails) return here;
  effects out;
  kind->when_quarantined({p.entity, p.input.source, p.input.place, p.input.key, p.reason}, out);
  for (auto& tell : out.tells) {
    const auto shard = setup_.shard_of(tell.to);
    if (shard == id_)
      here.push_back({std::move(tell.to), std::move(tell.what)});
    else
      open_.cross_shard.emplace_back(shard, std::move(tell));
  }
  return here;
}

/// What is told of it is all that is left of the unit. Its request is not remembered: it can come
/// again.
void shard_machine::pass_over(unit u, const poison& p) {
  quarantine(u, p);
  u.request.clear();
  u.from.reset();
  running_.emplace();
  running_->todo = told_of(p);
  running_->what = std::move(u);
  step_unit();
}

/// An input is to blame only where the entity was given it. Loading and saving fail for the state,
/// whatever runs meanwhile; an entity that was never stored has none, and fails for whom it is
/// made.
void shard_machine::on_entity_failed(slot_id slot, entity_task doing, std::string reason,
                                     std::optional<position> event) {
  if (phase_ == phase::failed || !residents_.contains(slot)) return;
  using enum entity_task;
  const auto& e = residents_[slot];
  const bool unit_waits = running_ && running_->waiting == slot;
  shard_failure why{shard_failure::kind::entity, std::move(reason), {}, e.id};
  if (doing == save || (doing == load && (e.stored || !unit_waits))) {
    why.what = shard_failure::kind::state;
  } else if (doing == absorb) {
    why.input = {e.topic, event->value(), {}};
  } else {
    ensure(unit_waits, "an entity fails only on what it was asked");
    why.input = running_->what.input;
    if (event) why.input.place = event->value();
  }
  fail(std::move(why));
}

}  // namespace troupe
