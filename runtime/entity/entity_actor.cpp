#include "runtime/entity/entity_actor.hpp"

#include "runtime/base/ensure.hpp"

namespace troupe {

entity_actor::entity_actor(caf::actor_config& config, caf::actor host, slot_id slot,
                           const kind_def* kind, entity_id id,
                           std::shared_ptr<store::entity_row> row)
    : caf::event_based_actor(config),
      host_(std::move(host)),
      slot_(slot),
      kind_(kind),
      id_(std::move(id)),
      row_(std::move(row)) {}

caf::behavior entity_actor::make_behavior() {
  recover();
  return {
      [this](const absorb_events& m) { on_absorb(m); },
      [this](const handle_message& m) { on_handle(m); },
      [this](const feed_entity& m) { on_feed(m); },
      [this](const save_entity& m) { on_save(m); },
  };
}

void entity_actor::recover() {
  try {
    core_ = kind_->make(id_);
    if (row_ && row_->schema > kind_->schema)
      throw bad_state("schema " + std::to_string(row_->schema) + " is newer than this program's " +
                      std::to_string(kind_->schema));
    if (row_) core_->load(row_->state, row_->schema);
    row_.reset();
    if (kind_->follows) send(host_, follows_known{slot_, core_->follows()});
  } catch (const std::exception& e) {
    fail(entity_task::load, std::string("its state cannot be loaded: ") + e.what());
  }
}

void entity_actor::on_absorb(const absorb_events& m) {
  if (failed_) return;
  std::size_t finished = 0;
  try {
    core_->absorb(*m.events, finished, output_);
  } catch (const std::exception& e) {
    return fail(entity_task::absorb, e.what(),
                m.events->at(std::min(finished, m.events->size() - 1)));
  }
  if (told_ || !output_.has_output()) return;
  told_ = true;
  send(host_, output_waiting{slot_});
}

void entity_actor::on_handle(const handle_message& m) {
  if (failed_) return;
  auto decided = std::make_shared<effects>();
  shard_machine::follows_now follows;
  try {
    core_->handle(*m.what, {id_, m.now}, *decided);
    if (kind_->follows) follows = core_->follows();
  } catch (const std::exception& e) {
    return fail(entity_task::handle, e.what());
  }
  send(host_, message_handled{slot_, std::move(decided), std::move(follows)});
}

void entity_actor::on_feed(const feed_entity& m) {
  if (failed_) return;
  const auto& d = m.what;
  auto decided = std::make_shared<effects>();
  shard_machine::follows_now follows;
  auto taken = d.first;
  try {
    core_->absorb_feed({d.of, d.events.get(), d.end, d.next, d.missing}, taken, {id_, m.now},
                       *decided);
    ensure(d.first <= taken && taken <= d.end, "a core takes what it is given");
    if (taken != d.end || decided->ask_follows) follows = core_->follows();
  } catch (const std::exception& e) {
    if (!d.events) return fail(entity_task::feed, e.what());
    return fail(entity_task::feed, e.what(), d.events->at(std::clamp(taken, d.first, d.end - 1)));
  }
  send(host_, feed_taken{slot_, taken, std::move(decided), std::move(follows)});
}

void entity_actor::on_save(const save_entity& m) {
  if (failed_) return;
  try {
    auto state = std::make_shared<std::string>(core_->save());
    auto output = std::make_shared<effects>(std::exchange(output_, {}));
    told_ = false;
    send(host_, state_saved{slot_, m.ticket, std::move(state), std::move(output)});
  } catch (const std::exception& e) {
    fail(entity_task::save, std::string("its state cannot be saved: ") + e.what());
  }
}

void entity_actor::fail(entity_task doing, std::string reason, std::optional<position> event) {
  failed_ = true;
  send(host_, entity_failed{slot_, doing, std::move(reason), event});
}

}  // namespace troupe
