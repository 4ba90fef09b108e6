#include "runtime/entity/shard_host.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"
#include "runtime/entity/entity_actor.hpp"
#include "runtime/entity/feed_wire.hpp"

namespace troupe {

shard_host::shard_host(caf::actor_config& config, shard_id shard,
                       const host_environment* environment, caf::actor supervisor,
                       std::vector<poison> poisoned)
    : caf::event_based_actor(config),
      shard_(shard),
      environment_(*environment),
      supervisor_(std::move(supervisor)),
      machine_(shard, environment->setup, *this, std::move(poisoned)),
      feed_decoder_(environment->setup.things.ingress) {}

template <class Step>
void shard_host::drive(Step step) {
  if (done_) return;
  try {
    step(machine_);
  } catch (const std::exception& e) {
    machine_.on_defect(e.what());
  }
  post_progress(false);
}

template <class Step>
void shard_host::drive_from(slot_id slot, Step step) {
  const auto i = slot.value();
  const auto& from = current_sender();
  if (i < entities_.size() && entities_[i] && from && entities_[i].id() == from->id()) drive(step);
}

template <class Ask>
caf::result<std::string> shard_host::on_client(Ask ask) {
  if (done_)
    return nlohmann::json{{"error", "shard_unavailable"}, {"detail", "the shard has just left"}}
        .dump();
  const auto from = remember_client();
  auto promise = clients_.at(from.value());
  drive([&](shard_machine& s) { ask(s, from); });
  return promise;
}

template <class Step>
auto shard_host::later(Step step) {
  return [self = caf::actor_cast<caf::actor>(this), step](auto&&... arguments) {
    auto call = std::make_shared<std::function<void(shard_machine&)>>(
        [step, ... kept =
                   std::decay_t<decltype(arguments)>(std::forward<decltype(arguments)>(arguments))](
            shard_machine& machine) mutable { step(machine, std::move(kept)...); });
    caf::anon_send(self, shard_call{std::move(call)});
  };
}

caf::behavior shard_host::make_behavior() {
  set_exit_handler([this](caf::exit_msg& m) { quit(std::move(m.reason)); });
  drive([](shard_machine& m) { m.start(); });
  return {
      [this](const records_arrived& m) { drive([&](shard_machine& s) { s.on_records(m.batch); }); },
      [this](const output_waiting& m) {
        drive_from(m.slot, [&](shard_machine& s) { s.on_output_waiting(m.slot); });
      },
      [this](const state_saved& m) {
        drive_from(m.slot, [&](shard_machine& s) {
          s.on_saved(m.slot, m.ticket, std::move(*m.state), std::move(*m.output));
        });
      },
      [this](const message_handled& m) {
        drive_from(m.slot,
                   [&](shard_machine& s) { s.on_handled(m.slot, std::move(*m.done), m.follows); });
      },
      [this](const feed_taken& m) {
        drive_from(m.slot, [&](shard_machine& s) {
          s.on_fed(m.slot, m.done, std::move(*m.decided), m.follows);
        });
      },
      [this](const follows_known& m) {
        drive_from(m.slot, [&](shard_machine& s) { s.on_follows(m.slot, m.follows); });
      },
      [this](const feed_asked& m) { drive([&](shard_machine& s) { s.on_feed_request(m.what); }); },
      [this](const feed_arrived& m) {
        drive([&](shard_machine& s) { s.on_feed_packet(*m.what); });
      },
      [this](const feed_bytes& m) { on_feed_bytes(m.text); },
      [this](const source_live& m) { drive([&](shard_machine& s) { s.on_source_live(m.shard); }); },
      [this](const entity_failed& m) {
        drive_from(m.slot, [&](shard_machine& s) {
          s.on_entity_failed(m.slot, m.doing, m.reason, m.event);
        });
      },
      [this](const shard_call& m) { drive([&](shard_machine& s) { (*m.call)(s); }); },
      [this](const progress_due&) {
        progress_due_ = false;
        if (!done_) post_progress(true);
      },
      [this](const wake_up& m) {
        if (woken_at_ == m.wished) woken_at_ = {};
        drive([](shard_machine& s) { s.on_wake(); });
      },
      [this](const ask_entity& m) {
        return on_client([&](shard_machine& s, request_ref from) {
          s.on_request(m.to, std::move(*m.what), m.request, from);
        });
      },
      [this](const show_entity& m) {
        return on_client([&](shard_machine& s, request_ref from) { s.on_show(m.of, from); });
      },
      [this](const channel_message& m) {
        drive([&](shard_machine& s) { s.on_channel(m.source, m.seq, m.to, std::move(*m.what)); });
      },
      [this](const channel_acknowledged& m) {
        drive([&](shard_machine& s) { s.on_channel_acknowledged(m.target, m.up_to); });
      },
  };
}

void shard_host::take() {
  environment_.store->take(
      shard_, environment_.self,
      later([](shard_machine& s, auto taken, auto why) { s.on_taken(std::move(taken), why); }));
}

void shard_host::commit(store::commit_batch batch) {
  environment_.store->commit(
      std::move(batch), later([](shard_machine& s, auto outcome) { s.on_committed(outcome); }));
}

void shard_host::load(std::vector<entity_id> ids) {
  auto callback = later([ids](shard_machine& s, auto rows) { s.on_loaded(ids, std::move(rows)); });
  environment_.store->load(shard_, std::move(ids), std::move(callback));
}

void shard_host::find_answer(std::string request, std::uint64_t serial) {
  auto callback = later(
      [serial](shard_machine& s, auto answer) { s.on_answer_found(serial, std::move(answer)); });
  environment_.store->find_answer(shard_, std::move(request), std::move(callback));
}

void shard_host::open_egress(epoch era) {
  egress_port::listener to;
  to.delivered =
      later([](shard_machine& s, std::string topic, sequence seq) { s.on_delivered(topic, seq); });
  to.lost = later([](shard_machine& s, std::string topic, std::string reason) {
    s.on_egress_lost(topic, reason);
  });
  to.opened = later([](shard_machine& s, auto out) { s.on_egress_opened(out); });
  environment_.egress->open(shard_, era, environment_.setup.things.egress, std::move(to));
}

void shard_host::publish(epoch era, const store::outbox_row& row) {
  constexpr std::size_t prefix = std::string_view("topic:").size();
  environment_.egress->publish(shard_, era, row.target.substr(prefix), row.seq, row.key,
                               row.payload);
}

void shard_host::send_to_shard(const store::outbox_row& row) {
  constexpr std::size_t prefix = std::string_view("shard:").size();
  const shard_id target(static_cast<std::uint32_t>(std::stoul(row.target.substr(prefix))));
  const auto host = environment_.router->find(target);
  if (!host) {
    // Lost, it is sent again until somebody acknowledges it.
    if (const auto member = environment_.router->find_remote(target))
      send(member, channel_atom_v, target.value(), shard_.value(), row.seq.value(), row.key,
           row.payload);
    return;
  }
  const auto json = nlohmann::json::parse(row.payload);
  auto what = std::make_shared<message>(message{json.at("type"), json.at("body")});
  send(host, channel_message{shard_, row.seq, parse_entity_id(row.key), std::move(what)});
}

void shard_host::acknowledge_channel(shard_id source, sequence up_to) {
  const auto target = "shard:" + std::to_string(shard_.value());
  if (const auto host = environment_.router->find(source))
    send(host, channel_acknowledged{target, up_to});
  else if (const auto member = environment_.router->find_remote(source))
    send(member, received_atom_v, source.value(), target, up_to.value());
}

void shard_host::ask_source(shard_id source, feed_request what) {
  if (const auto host = environment_.router->find(source))
    send(host, feed_asked{std::move(what)});
  else if (const auto member = environment_.router->find_remote(source))
    send(member, follow_atom_v, source.value(), encode(what));
}

void shard_host::send_feed(shard_id to, feed_packet what) {
  const auto host = environment_.router->find(to);
  if (!host) {
    if (const auto member = environment_.router->find_remote(to))
      send(member, feed_atom_v, to.value(), encode(what));
    return;
  }
  for (auto& piece : what.pieces) piece.raw.reset();  // Ingress waits for its records.
  send(host, feed_arrived{std::make_shared<const feed_packet>(std::move(what))});
}

void shard_host::on_feed_bytes(const std::string& text) {
  const auto packet = decode_packet(text, feed_decoder_, environment_.setup.things.ingress);
  if (!packet)
    return log::warn("entity", "feed_refused", {{"shard", shard_}, {"bytes", text.size()}});
  drive([&](shard_machine& s) { s.on_feed_packet(*packet); });
}

void shard_host::read_history(shard_id source, const std::string& kind, position from,
                              std::vector<std::string> keys) {
  const auto topic = feed_decoder::topic_of(environment_.setup.things.ingress, kind);
  environment_.history->read(*topic, source, from, std::move(keys),
                             later([source, kind](shard_machine& s, history_chunk read) {
                               s.on_history(source, kind, read);
                             }));
}

void shard_host::assign(epoch era, std::vector<ingress_port::start> from) {
  ingress_port::receiver to;
  to.records = [self = caf::actor_cast<caf::actor>(this)](record_batch_ptr batch) {
    caf::anon_send(self, records_arrived{std::move(batch)});
  };
  to.unreadable = later([](shard_machine& s, const unreadable_log& log) { s.on_unreadable(log); });
  to.log_end =
      later([](shard_machine& s, std::uint32_t topic, position end) { s.on_log_end(topic, end); });
  environment_.ingress->assign(shard_, era.value(), std::move(from), std::move(to));
}

void shard_host::spawn(slot_id slot, const kind_def& kind, const entity_id& id,
                       const store::entity_row* row) {
  if (entities_.size() <= slot.value()) entities_.resize(slot.value() + 1);
  auto kept = row == nullptr ? nullptr : std::make_shared<store::entity_row>(*row);
  entities_[slot.value()] = home_system().spawn<entity_actor>(caf::actor_cast<caf::actor>(this),
                                                              slot, &kind, id, std::move(kept));
}

void shard_host::absorb(slot_id slot, event_batch_ptr events, record_batch_ptr from) {
  send(entities_[slot.value()], absorb_events{std::move(events), std::move(from)});
}

void shard_host::handle(slot_id slot, message what) {
  send(entities_[slot.value()], handle_message{std::make_shared<message>(std::move(what)), now()});
}

void shard_host::feed(slot_id slot, const feed_follower::delivery& what) {
  send(entities_[slot.value()], feed_entity{what, now()});
}

void shard_host::save(slot_id slot, std::uint64_t ticket) {
  send(entities_[slot.value()], save_entity{ticket});
}

void shard_host::retire(slot_id slot) {
  send_exit(entities_[slot.value()], caf::exit_reason::user_shutdown);
  entities_[slot.value()] = nullptr;
  while (!entities_.empty() && !entities_.back()) entities_.pop_back();
  if (entities_.empty()) entities_.shrink_to_fit();
}

request_ref shard_host::remember_client() {
  const request_ref from(++requests_);
  clients_.emplace(from.value(), make_response_promise());
  return from;
}

void shard_host::call(const entity_id& from, effects::called what) {
  ensure(environment_.services != nullptr, "who calls a service has one");
  auto callback = later([from, what](shard_machine& s, nlohmann::json answer) {
    s.on_call_answered(from, what, std::move(answer));
  });
  environment_.services->call(what, std::move(callback));
}

void shard_host::answer(request_ref to, nlohmann::json what) {
  const auto it = clients_.find(to.value());
  if (it == clients_.end()) return;
  it->second.deliver(what.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  clients_.erase(it);
}

void shard_host::refuse_clients(std::string_view error, std::string_view detail) {
  for (auto& [ref, promise] : clients_)
    promise.deliver(nlohmann::json{{"error", error}, {"detail", detail}}.dump());
  clients_.clear();
}

void shard_host::wake_at(time_point when) {
  if (woken_at_ != time_point{} && woken_at_ <= when) return;
  woken_at_ = when;
  const auto wait = std::max(std::chrono::microseconds(0), when - now());
  delayed_send(this, wait, wake_up{when});
}

void shard_host::live(epoch) {
  send(supervisor_, live_atom_v, shard_.value());
  post_progress(true);
}

void shard_host::drained(epoch era) {
  done_ = true;
  environment_.egress->close(shard_);
  refuse_clients("shard_unavailable", "the shard has just left");
  environment_.store->release(shard_, era, [self = caf::actor_cast<caf::actor>(this)] {
    caf::anon_send_exit(self, caf::exit_reason::user_shutdown);
  });
}

namespace {

/// What clients are told whose requests were under way; nobody knows how far they got.
const char* error_of(shard_failure::kind why) {
  using enum shard_failure::kind;
  return why == store ? "store_unavailable" : why == lease ? "lease_lost" : "shard_failed";
}

}  // namespace

void shard_host::fail(shard_failure why) {
  done_ = true;
  environment_.ingress->unassign(shard_);
  environment_.egress->close(shard_);
  if (why.what == shard_failure::kind::store) environment_.board->store_is_lost(shard_);
  refuse_clients(error_of(why.what), why.reason);
  send(supervisor_, shard_failed{shard_, machine_.era(), std::move(why)});
  quit();
}

void shard_host::on_exit() {
  for (auto& e : entities_)
    if (e)
      caf::anon_send<caf::message_priority::high>(
          e, caf::exit_msg{address(), caf::exit_reason::user_shutdown});
  entities_.clear();
  clients_.clear();
  supervisor_ = nullptr;
}

void shard_host::post_progress(bool always) {
  constexpr std::chrono::milliseconds apart{100};
  const auto steady = environment_.clock->steady();
  if (!always && steady - posted_ < apart) {
    if (!std::exchange(progress_due_, true)) delayed_send(this, apart, progress_due{});
    return;
  }
  posted_ = steady;
  environment_.board->post(shard_, machine_.progress(), steady);
}

}  // namespace troupe
