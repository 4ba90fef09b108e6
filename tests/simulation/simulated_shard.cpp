#include "tests/simulation/simulated_shard.hpp"

#include "runtime/codec/text.hpp"
#include "runtime/entity/remembered.hpp"
#include "tests/simulation/world.hpp"

namespace troupe::simulation {

namespace {

using nlohmann::json;
using enum planted;
using end = simulated_connection::end;
using store::commit_outcome;

constexpr std::size_t prefix = std::string_view("shard:").size();  // As long as "topic:".

shard_id receiver(const store::outbox_row& row) {
  return shard_id(static_cast<std::uint32_t>(std::stoul(row.target.substr(prefix))));
}

}  // namespace

simulated_shard::simulated_shard(world& w, simulated_node& node, shard_id shard,
                                 std::vector<poison> poisoned)
    : world_(w), node_(node), shard_(shard), machine_(shard, w.setup, *this, std::move(poisoned)) {}

void simulated_shard::later(ms delay, std::function<void()> step) {
  node_.later(delay, [weak = weak_from_this(), step = std::move(step)] {
    if (const auto self = weak.lock(); self && !self->done_) step();
  });
}

void simulated_shard::ask(simulated_connection& on, simulated_connection::work what,
                          std::function<void(end)> step) {
  on.call(std::move(what), [weak = weak_from_this(), step = std::move(step)](end how) {
    if (const auto self = weak.lock(); self && !self->done_) step(how);
  });
}

// ---- from outside ------------------------------------------------------------------------------

request_ref simulated_shard::remember(const std::string& id, answer_to from) {
  clients_[++requests_] = {id, std::move(from)};
  return request_ref(requests_);
}

void simulated_shard::request(entity_id to, message what, std::string id, answer_to from) {
  if (done_) return;
  const auto ref = remember(id, std::move(from));
  machine_.on_request(std::move(to), std::move(what), std::move(id), ref);
}

void simulated_shard::show(entity_id of, answer_to from) {
  if (!done_) machine_.on_show(std::move(of), remember({}, std::move(from)));
}

void simulated_shard::channel(shard_id source, const store::outbox_row& row) {
  if (done_) return;
  const auto what = json::parse(row.payload);
  machine_.on_channel(source, row.seq, parse_entity_id(row.key),
                      {what.at("type"), what.at("body")});
  if (world_.bug == acknowledged_too_early && !done_) acknowledge_channel(source, row.seq);
}

void simulated_shard::acknowledged(const std::string& target, sequence up_to) {
  if (!done_) machine_.on_channel_acknowledged(target, up_to);
}

void simulated_shard::drain() {
  if (!done_) machine_.on_drain();
}

void simulated_shard::lease_lost() {
  if (!done_) machine_.on_lease_lost(false);
}

// ---- store -------------------------------------------------------------------------------------

void simulated_shard::take() {
  const auto result =
      std::make_shared<simulated_database::taken>(std::nullopt, commit_outcome::unavailable);
  ask(
      node_.connection(shard_),
      [&database = world_.database, shard = shard_, life = node_.life(), result](auto done) {
        database.take(shard, life, [result, done](auto taken) {
          *result = std::move(taken);
          done();
        });
      },
      [this, result](end how) {
        if (how != end::answered) return machine_.on_taken({}, commit_outcome::unavailable);
        if (result->first) handled_ = result->first->image.channels;
        machine_.on_taken(std::move(result->first), result->second);
      });
}

void simulated_shard::commit(store::commit_batch batch) {
  for (const auto& [source, seq] : batch.channels)
    if (handled_[source] < seq)
      throw broken("channel: shard " + std::to_string(shard_.value()) + " commits message " +
                   std::to_string(seq.value()) + " of shard " + std::to_string(source.value()) +
                   ", which it has not handled, or too early");
  tamper(batch);
  if (world_.bug == read_unfenced && batch.empty())
    return later(ms(0), [this] { machine_.on_committed(commit_outcome::committed); });
  send_commit(std::make_shared<const store::commit_batch>(std::move(batch)));
}

void simulated_shard::tamper(store::commit_batch& batch) {
  if (world_.bug == channel_not_committed) batch.channels.clear();
  if (world_.bug == sent_too_early)
    for (const auto& row : batch.outbox)
      if (row.target.starts_with("shard:")) send_to_shard(row);
  if (world_.bug == answer_too_early)
    for (const auto& row : batch.answers)
      for (const auto& [ref, c] : clients_)
        if (c.id == row.request) c.from(remembered::of_text(row.answer).answer);
}

void simulated_shard::send_commit(const std::shared_ptr<const store::commit_batch>& batch) {
  const auto outcome = std::make_shared<commit_outcome>(commit_outcome::outcome_unknown);
  ask(
      node_.connection(shard_),
      [&database = world_.database, batch, outcome](auto done) {
        database.commit(*batch, [outcome, done](auto what) {
          *outcome = what;
          done();
        });
      },
      [this, batch, outcome](end how) {
        committed(batch, how == end::answered    ? *outcome
                         : how == end::unreached ? commit_outcome::unavailable
                                                 : commit_outcome::outcome_unknown);
      });
}

void simulated_shard::committed(const std::shared_ptr<const store::commit_batch>& batch,
                                commit_outcome outcome) {
  const bool unknown = outcome == commit_outcome::outcome_unknown;
  if (unknown && world_.bug == unknown_is_retried) return send_commit(batch);
  if (unknown && world_.bug == unknown_is_success) outcome = commit_outcome::committed;
  machine_.on_committed(outcome);
}

void simulated_shard::load(std::vector<entity_id> ids) {
  const auto rows = std::make_shared<std::vector<store::entity_row>>();
  ask(
      node_.reading(shard_),
      [&disk = world_.database.disk(shard_), ids, rows](const auto& done) {
        for (const auto& id : ids)
          if (const auto it = disk.entities.find(id); it != disk.entities.end())
            rows->push_back(it->second);
        done();
      },
      [this, ids, rows](end how) {
        machine_.on_loaded(ids,
                           how == end::answered ? std::optional(std::move(*rows)) : std::nullopt);
      });
}

void simulated_shard::find_answer(std::string request, std::uint64_t serial) {
  const auto found = std::make_shared<std::optional<std::string>>();
  ask(
      node_.reading(shard_),
      [&disk = world_.database.disk(shard_), request, found](const auto& done) {
        if (const auto it = disk.answers.find(request); it != disk.answers.end())
          *found = it->second;
        done();
      },
      [this, serial, found](end how) {
        if (how != end::answered) return machine_.on_answer_found(serial, std::nullopt);
        if (world_.bug == request_forgotten) found->reset();
        machine_.on_answer_found(serial, std::optional(std::move(*found)));
      });
}

// ---- log and channels --------------------------------------------------------------------------

void simulated_shard::open_egress(epoch) {
  const auto wait = std::max(ms(0), ceil<ms>(egress_busy_until_ - world_.time.now()));
  later(wait + world_.time.between(1, 4), [this] {
    std::map<std::string, sequence> out;
    for (const auto& topic : world_.setup.things.egress) {
      const auto& logs = world_.database.disk(shard_).out;
      const auto log = logs.find(topic);
      out[topic] = log == logs.end() ? sequence(0) : log->second.back().first;
    }
    egress_open_ = true;
    machine_.on_egress_opened(out);
  });
}

/// A lost record may be out or not; nothing behind it goes out until the log is opened again.
void simulated_shard::publish(epoch, const store::outbox_row& row) {
  if (!egress_open_) return;
  const bool lost = !lease_valid() || world_.time.mishap(1);
  egress_busy_until_ = std::max(egress_busy_until_, world_.time.now() + world_.time.between(1, 4));
  const auto delay = ceil<ms>(egress_busy_until_ - world_.time.now());
  if (!lost || (lease_valid() && world_.time.chance(50)))
    world_.time.after(delay, [&rules = world_.database.rules, shard = shard_, row] {
      rules.record_out(shard, row);
    });
  egress_open_ = !lost;
  later(delay, [this, lost, topic = row.target.substr(prefix), seq = row.seq] {
    if (lost)
      machine_.on_egress_lost(topic, "simulated");
    else
      machine_.on_delivered(topic, seq);
  });
}

void simulated_shard::send_to_shard(const store::outbox_row& row) {
  node_.to_shard(receiver(row),
                 [source = shard_, row](simulated_shard& to) { to.channel(source, row); });
}

void simulated_shard::acknowledge_channel(shard_id source, sequence up_to) {
  node_.to_shard(source, [target = shard_target(shard_), up_to](simulated_shard& to) {
    to.acknowledged(target, up_to);
  });
}

// ---- entities ----------------------------------------------------------------------------------

void simulated_shard::to_entity(slot_id slot, std::function<void()> step) {
  auto& busy_until = entities_[slot.value()].busy_until;
  busy_until = std::max(busy_until, world_.time.now() + world_.time.between(0, 1));
  later(duration_cast<ms>(busy_until - world_.time.now()), std::move(step));
}

void simulated_shard::spawn(slot_id slot, const kind_def& kind, const entity_id& id,
                            const store::entity_row* row) {
  if (entities_.size() <= slot.value()) entities_.resize(slot.value() + 1);
  auto& e = entities_[slot.value()];
  e = {id, kind.make(id), {}};
  if (row != nullptr) e.core->load(row->state, row->schema);
}

void simulated_shard::handle(slot_id slot, message what) {
  to_entity(slot, [this, slot, what = std::move(what)] {
    if (what.type == "credit") applies_in_order(what);
    auto& e = entities_[slot.value()];
    effects out;
    e.core->handle(what, {e.id, now()}, out);
    machine_.on_handled(slot, std::move(out));
  });
}

void simulated_shard::applies_in_order(const message& what) {
  const auto place = world_.database.rules.channel_of(what.body.at("amount"));
  if (place.seq == sequence(0)) return;  // From this shard itself.
  auto& last = handled_[place.source];
  if (place.seq.value() != last.value() + 1)
    throw broken("channel: message " + std::to_string(place.seq.value()) + " of shard " +
                 std::to_string(place.source.value()) + " is handled after " +
                 std::to_string(last.value()));
  last = place.seq;
}

void simulated_shard::save(slot_id slot, std::uint64_t ticket) {
  to_entity(slot, [this, slot, ticket] {
    machine_.on_saved(slot, ticket, entities_[slot.value()].core->save(), {});
  });
}

// ---- life --------------------------------------------------------------------------------------

time_point simulated_shard::now() const {
  return world_.time.wall();
}

bool simulated_shard::lease_valid() const {
  return node_.lease_valid();
}

void simulated_shard::answer(request_ref to, json what) {
  const auto it = clients_.find(to.value());
  if (it == clients_.end()) return;
  it->second.from(what);
  clients_.erase(it);
}

void simulated_shard::wake_at(time_point when) {
  if (woken_at_ != time_point{} && woken_at_ <= when) return;
  woken_at_ = when;
  later(std::max(ms(0), ceil<ms>(when - now())), [this, when] {
    if (woken_at_ == when) woken_at_ = {};
    machine_.on_wake();
  });
}

void simulated_shard::live(epoch era) {
  live_ = era;
  later(ms(0), [this] { node_.on_live(shard_); });
}

void simulated_shard::drained(epoch era) {
  done_ = true;
  const bool lived = std::exchange(live_, std::nullopt).has_value();
  world_.database.never_lived += lived ? 0 : 1;
  for (const auto& [target, lane] : world_.database.disk(shard_).outbox)
    if (target.starts_with("shard:") && !lane.empty()) world_.database.handed_on += lived ? 1 : 0;
  node_.connection(shard_).call([&database = world_.database, shard = shard_,
                                 era](auto done) { database.release(shard, era, done); },
                                [&node = node_, shard = shard_](end) { node.on_drained(shard); });
}

void simulated_shard::fail(shard_failure why) {
  using enum shard_failure::kind;
  world_.time.note("shard ", shard_, " of incarnation ", node_.life(), " stops: ", why.reason);
  if (why.what != store && why.what != fenced && why.what != lease)
    throw broken("shard " + std::to_string(shard_.value()) + " fails: " + why.reason);
  done_ = true;
  live_.reset();
  for (const auto& [ref, c] : std::exchange(clients_, {}))
    c.from({{"error", why.what == store ? "store_unavailable" : "shard_failed"}});
  node_.later(
      ms(0), [&node = node_, shard = shard_, why = std::move(why)] { node.on_failed(shard, why); });
}

}  // namespace troupe::simulation
