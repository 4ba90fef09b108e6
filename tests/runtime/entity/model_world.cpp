#include "tests/runtime/entity/model_world.hpp"

#include <algorithm>

#include "runtime/base/ensure.hpp"
#include "runtime/entity/feed_decoder.hpp"

namespace troupe::test {

bool model_world::step(std::mt19937_64& random) {
  std::deque<std::function<void()>>* queues[] = {&store_calls,  &store_reads,   &entity_calls,
                                                 &egress_calls, &ingress_calls, &feed_calls,
                                                 &history_calls};
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
  store_reads.push_back([this, ids = std::move(ids)] {
    std::vector<store::entity_row> rows;
    for (const auto& id : ids)
      if (const auto it = disk_.entities.find(id); it != disk_.entities.end())
        rows.push_back(it->second);
    machine->on_loaded(ids, std::move(rows));
  });
}

void model_world::find_answer(std::string request, std::uint64_t serial) {
  store_reads.push_back([this, request = std::move(request), serial] {
    std::optional<std::string> found;
    if (const auto it = disk_.answers.find(request); it != disk_.answers.end()) found = it->second;
    machine->on_answer_found(serial, std::optional(found));
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

std::shared_ptr<record_batch> model_world::read(std::uint32_t topic, std::int64_t from,
                                                std::size_t count) const {
  const auto& log = disk_.in[setup_.things.ingress[topic].topic];
  auto storage = std::make_shared<std::deque<std::string>>();
  auto batch = std::make_shared<record_batch>();
  for (; count > 0 && from < static_cast<std::int64_t>(log.size()); --count, ++from) {
    const auto& text = storage->emplace_back(log[static_cast<std::size_t>(from)]);
    const auto key = std::string_view(text).substr(0, text.find('|'));
    batch->records.push_back({key, std::string_view(text).substr(key.size() + 1), from, 0});
  }
  batch->storage = storage;
  batch->log_end = static_cast<std::int64_t>(log.size());
  return batch;
}

bool model_world::feed(std::uint32_t topic, std::size_t count) {
  const auto it = reading_.find(topic);
  if (it == reading_.end() || paused) return false;
  auto batch = read(topic, it->second, count);
  if (batch->records.empty()) return false;
  it->second = batch->records.back().offset + 1;
  batch->topic = topic;
  batch->assignment = disk_.era.value();
  ingress_calls.push_back([this, batch] { machine->on_records(batch); });
  return true;
}

void model_world::spawn(slot_id slot, const kind_def& kind, const entity_id& id,
                        const store::entity_row* row) {
  if (cores_.size() <= slot.value()) cores_.resize(slot.value() + 1);
  auto& c = cores_[slot.value()];
  c = {id, nullptr, {}, false, kind.follows};
  try {
    c.core = kind.make(id);
    if (row != nullptr) c.core->load(row->state, row->schema);
  } catch (const std::exception& e) {
    c.core.reset();
    return entity_calls.push_back([this, slot, why = std::string(e.what())] {
      machine->on_entity_failed(slot, entity_task::load, why, std::nullopt);
    });
  }
  if (kind.follows)
    entity_calls.push_back(
        [this, slot, follows = c.core->follows()] { machine->on_follows(slot, follows); });
}

void model_world::ask_source(shard_id, feed_request what) {
  feed_calls.push_back([this, what = std::move(what)] { machine->on_feed_request(what); });
}

void model_world::send_feed(shard_id, feed_packet what) {
  feed_calls.push_back([this, what = std::move(what)] {
    if (!feeds_lost) machine->on_feed_packet(what);
  });
}

void model_world::read_history(shard_id source, const std::string& kind, position from,
                               std::vector<std::string> keys) {
  constexpr std::size_t count = 7;
  history_calls.push_back([this, source, kind, from, keys = std::move(keys)] {
    const auto topic = feed_decoder::topic_of(setup_.things.ingress, kind);
    const auto first = disk_.truncated[setup_.things.ingress[*topic].topic];
    history_chunk chunk{history_chunk::outcome::read, from, from, first, {}};
    if (from < first) {
      chunk.what = history_chunk::outcome::truncated;
      return machine->on_history(source, kind, chunk);
    }
    auto batch = read(*topic, from.value(), count);
    if (!batch->records.empty()) chunk.next = position(batch->records.back().offset + 1);
    std::erase_if(batch->records,
                  [&](const record_view& r) { return !std::ranges::binary_search(keys, r.key); });
    chunk.events = feed_decoder(setup_.things.ingress).decode(*topic, batch->records);
    machine->on_history(source, kind, chunk);
  });
}

void model_world::feed(slot_id slot, const feed_follower::delivery& d) {
  entity_calls.push_back([this, slot, d] {
    auto& c = cores_[slot.value()];
    if (!c.core) return;
    effects out;
    auto done = d.first;
    try {
      c.core->absorb_feed({d.of, d.events.get(), d.end, d.next, d.missing}, done, {c.id, clock_},
                          out);
    } catch (const std::exception& e) {
      return machine->on_entity_failed(slot, entity_task::feed, e.what(),
                                       d.events ? std::optional(d.events->at(done)) : std::nullopt);
    }
    shard_machine::follows_now follows;
    if (done != d.end || out.ask_follows) follows = c.core->follows();
    machine->on_fed(slot, done, std::move(out), follows);
  });
}

void model_world::absorb(slot_id slot, event_batch_ptr events, record_batch_ptr) {
  entity_calls.push_back([this, slot, events = std::move(events)] {
    auto& c = cores_[slot.value()];
    if (!c.core) return;
    std::size_t done = 0;
    try {
      c.core->absorb(*events, done, c.output);
    } catch (const std::exception& e) {
      return machine->on_entity_failed(slot, entity_task::absorb, e.what(), events->at(done));
    }
    if (c.output.has_output() && !std::exchange(c.told, true)) machine->on_output_waiting(slot);
  });
}

void model_world::handle(slot_id slot, message what) {
  entity_calls.push_back([this, slot, what = std::move(what)] {
    auto& c = cores_[slot.value()];
    if (!c.core) return;
    effects out;
    try {
      c.core->handle(what, {c.id, clock_}, out);
    } catch (const std::exception& e) {
      return machine->on_entity_failed(slot, entity_task::handle, e.what(), std::nullopt);
    }
    shard_machine::follows_now follows;
    if (c.follows) follows = c.core->follows();
    machine->on_handled(slot, std::move(out), follows);
  });
}

void model_world::save(slot_id slot, std::uint64_t ticket) {
  entity_calls.push_back([this, slot, ticket] {
    auto& c = cores_[slot.value()];
    if (!c.core) return;
    std::string state;
    try {
      state = c.core->save();
    } catch (const std::exception& e) {
      return machine->on_entity_failed(slot, entity_task::save, e.what(), std::nullopt);
    }
    c.told = false;
    machine->on_saved(slot, ticket, std::move(state), std::exchange(c.output, {}));
  });
}

}  // namespace troupe::test
