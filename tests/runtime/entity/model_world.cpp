#include "tests/runtime/entity/model_world.hpp"

#include "runtime/base/ensure.hpp"

namespace troupe::test {

bool model_world::step(std::mt19937_64& random) {
  std::deque<std::function<void()>>* queues[] = {&store_calls, &entity_calls, &egress_calls,
                                                 &ingress_calls};
  std::vector<std::deque<std::function<void()>>*> busy;
  for (auto* q : queues)
    if (!q->empty() && !(kafka_away && q == &egress_calls)) busy.push_back(q);
  if (busy.empty()) return false;
  auto& queue = *busy[random() % busy.size()];
  auto call = std::move(queue.front());
  queue.pop_front();
  call();
  return true;
}

void model_world::run_all() {
  std::mt19937_64 random(1);
  while (!failure && step(random)) {
  }
}

void model_world::take() {
  store_calls.push_back(
      [this] { machine->on_taken(disk_.take(), store::commit_outcome::committed); });
}

void model_world::commit(store::commit_batch batch) {
  store_calls.push_back([this, batch = std::move(batch)] {
    const auto how = std::exchange(next_commit, fault::none);
    if (how == fault::lost_before)
      return machine->on_committed(store::commit_outcome::outcome_unknown);
    const auto outcome = disk_.apply(batch);
    machine->on_committed(how == fault::lost_after ? store::commit_outcome::outcome_unknown
                                                   : outcome);
  });
}

void model_world::load(std::vector<entity_id> ids) {
  store_calls.push_back([this, ids = std::move(ids)] {
    std::vector<store::entity_row> rows;
    for (const auto& id : ids)
      if (const auto it = disk_.entities.find(id); it != disk_.entities.end())
        rows.push_back(it->second);
    machine->on_loaded(ids, std::move(rows));
  });
}

void model_world::find_answer(std::string request) {
  store_calls.push_back([this, request = std::move(request)] {
    std::optional<std::string> found;
    if (const auto it = disk_.answers.find(request); it != disk_.answers.end()) found = it->second;
    machine->on_answer_found(request, std::optional(found));
  });
}

void model_world::open_egress(epoch) {
  egress_calls.push_back([this] {
    std::map<std::string, sequence> out;
    for (const auto& topic : setup_.things.egress)
      out[topic] = disk_.out[topic].empty() ? sequence(0) : disk_.out[topic].back().first;
    machine->on_egress_opened(out);
  });
}

void model_world::publish(epoch era, const store::outbox_row& row) {
  egress_calls.push_back([this, era, row] {
    ensure(disk_.outbox[row.target].contains(row.seq) || disk_.era != era,
           "only what is durable goes out");
    const auto topic = row.target.substr(6);
    disk_.out[topic].emplace_back(row.seq, row.payload);
    machine->on_delivered(topic, row.seq);
  });
}

void model_world::assign(epoch, std::vector<ingress_port::start> from) {
  for (const auto& start : from) reading_[start.topic] = start.from.value();
}

bool model_world::feed(std::uint32_t topic, std::size_t count) {
  const auto it = reading_.find(topic);
  if (it == reading_.end() || paused) return false;
  const auto& name = setup_.things.ingress[topic].topic;
  const auto& log = disk_.in[name];
  auto storage = std::make_shared<std::deque<std::string>>();
  auto batch = std::make_shared<record_batch>();
  for (; count > 0 && it->second < static_cast<std::int64_t>(log.size()); --count, ++it->second) {
    const auto& text = storage->emplace_back(log[static_cast<std::size_t>(it->second)]);
    const auto key = std::string_view(text).substr(0, text.find('|'));
    batch->records.push_back({key, std::string_view(text).substr(key.size() + 1), it->second, 0});
  }
  if (batch->records.empty()) return false;
  batch->topic = topic;
  batch->assignment = disk_.era.value();
  batch->log_end = static_cast<std::int64_t>(log.size());
  batch->storage = storage;
  ingress_calls.push_back([this, batch] { machine->on_records(batch); });
  return true;
}

void model_world::spawn(slot_id slot, const kind_def& kind, const entity_id& id,
                        const store::entity_row* row) {
  if (cores_.size() <= slot.value()) cores_.resize(slot.value() + 1);
  auto& c = cores_[slot.value()];
  c = {id, kind.make(id), {}, false};
  if (row != nullptr) c.core->load(row->state, row->schema);
}

void model_world::absorb(slot_id slot, event_batch_ptr events, record_batch_ptr) {
  entity_calls.push_back([this, slot, events = std::move(events)] {
    auto& c = cores_[slot.value()];
    std::size_t done = 0;
    try {
      c.core->absorb(*events, done, c.output);
    } catch (const std::exception& e) {
      return machine->on_entity_failed(slot, e.what(), events->at(done));
    }
    if (c.output.has_output() && !std::exchange(c.told, true)) machine->on_output_waiting(slot);
  });
}

void model_world::handle(slot_id slot, message what) {
  entity_calls.push_back([this, slot, what = std::move(what)] {
    auto& c = cores_[slot.value()];
    effects out;
    try {
      c.core->handle(what, {c.id, clock_}, out);
    } catch (const std::exception& e) {
      return machine->on_entity_failed(slot, e.what(), std::nullopt);
    }
    machine->on_handled(slot, std::move(out));
  });
}

void model_world::save(slot_id slot, std::uint64_t ticket) {
  entity_calls.push_back([this, slot, ticket] {
    auto& c = cores_[slot.value()];
    c.told = false;
    machine->on_saved(slot, ticket, c.core->save(), std::exchange(c.output, {}));
  });
}

}  // namespace troupe::test
