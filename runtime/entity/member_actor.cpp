#include "runtime/entity/member_actor.hpp"

#include <algorithm>
#include <optional>

#include "runtime/base/log.hpp"
#include "runtime/codec/json.hpp"
#include "runtime/entity/feed_wire.hpp"

namespace troupe {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto tick_every = 50ms;
constexpr auto dial_within = 1'000ms;

json to_json(const cluster::member_message& m) {
  json to{{"what", static_cast<int>(m.kind)}, {"life", m.life.value()}};
  if (m.kind == cluster::member_message::what::released) to["shard"] = m.shard.value();
  if (m.kind == cluster::member_message::what::decided) {
    to["version"] = m.version;
    to["dead"] = json::array();
    for (const auto life : m.decision.dead) to["dead"].push_back(life.value());
    to["assign"] = json::array();
    for (const auto& a : m.decision.assign) to["assign"].push_back({a.shard.value(), a.node});
  }
  return to;
}

cluster::member_message from_json(const json& from) {
  cluster::member_message m;
  m.kind = static_cast<cluster::member_message::what>(from.at("what").get<int>());
  m.life = incarnation(from.at("life").get<std::int64_t>());
  m.shard = shard_id(from.value("shard", 0U));
  m.version = from.value("version", std::int64_t{0});
  for (const auto& life : from.value("dead", json::array()))
    m.decision.dead.emplace_back(life.get<std::int64_t>());
  for (const auto& a : from.value("assign", json::array()))
    m.decision.assign.push_back(
        {shard_id(a.at(0).get<std::uint32_t>()), a.at(1).get<std::string>()});
  return m;
}

/// The incarnation that a hello names; 0: none.
incarnation life_in(const std::string& hello) {
  const auto it = parse_json_object(hello, {json_inside_depth_max}).value;
  const auto life = it.find("life");
  return incarnation(life != it.end() && life->is_number_integer() ? life->get<std::int64_t>() : 0);
}

/// What one entity tells another, as it stands in the outbox; nothing if it is nothing of the kind.
std::optional<message> message_in(const std::string& payload) {
  auto it = parse_json_object(payload, {json_inside_depth_max}).value;
  const auto type = it.find("type"), body = it.find("body");
  if (type == it.end() || !type->is_string() || body == it.end()) return std::nullopt;
  return message{type->get<std::string>(), std::move(*body)};
}

/// What an operator is told of an order, by what the database said.
json order_answer(const std::string& verb, store::cluster_store::written what) {
  using enum store::cluster_store::written;
  const auto refuse = [](const char* error, const char* detail) {
    return json{{"error", error}, {"detail", detail}};
  };
  switch (what) {
    case done:
      return {{"done", true}};
    case refused:
      return refuse("node_is_live", "it is alive: stop it first");
    case nothing_there:
      return verb == "move" ? refuse("no_leader", "no node has led this cluster yet: repeat it")
                            : refuse("unknown_node", "it is no longer listed: see `troupe status`");
    case unavailable:
      break;
  }
  return refuse("store_unavailable", "the database did not take it");
}

}  // namespace

member_actor::member_actor(caf::actor_config& config, const member_environment* environment,
                           cluster_board* board)
    : caf::event_based_actor(config),
      environment_(*environment),
      board_(*board),
      core_(environment->self.who.name, environment->self.life, environment->options, *this),
      asker_(std::make_unique<job_thread>()),
      dialer_(std::make_unique<job_thread>()) {}

template <class Step>
void member_actor::drive(Step step) {
  step(core_, now());
  board_.post({core_.view(), links_});
  leave_when_empty();
}

caf::behavior member_actor::make_behavior() {
  set_default_handler([](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
    return caf::sec::unexpected_message;
  });
  set_error_handler([](caf::error&) {});
  set_down_handler([this](const caf::down_msg& m) { on_down(m); });
  environment_.self.links->on_large_frame([self = caf::actor_cast<caf::actor>(this)](auto life) {
    caf::anon_send(self, peer_heard{life});
  });
  delayed_send(this, tick_every, tick_atom_v);
  return {
      // From this node.
      [this](tick_atom) { on_tick(); },
      [this](supervisor_atom, const caf::actor& supervisor) { on_supervisor(supervisor); },
      [this](live_atom, std::uint32_t shard) { on_live(shard_id(shard)); },
      [this](released_atom, std::uint32_t shard) { on_released(shard_id(shard)); },
      [this](lost_atom, std::uint32_t shard) { on_lost(shard_id(shard)); },
      [this](drain_atom) { return on_drain(); },
      [this](order_atom, const std::string& text) { return on_order(text); },
      // From its threads.
      [this](const view_read& m) { on_view_read(m); },
      [this](const lead_answered& m) { on_lead_answered(m); },
      [this](const peer_dialed& m) { on_dialed(m); },
      [this](const peer_heard& m) { on_heard(m); },
      [this](const order_carried_out& m) { on_order_carried_out(m); },
      // From other nodes' members.
      [this](hello_atom, const std::string& text) { return on_hello(text); },
      [this](member_atom, const std::string& text) { on_member(text); },
      [this](look_atom) { on_look(); },
      [this](channel_atom, std::uint32_t target, std::uint32_t source, std::int64_t seq,
             const std::string& to, const std::string& payload) {
        on_channel(shard_id(target), {shard_id(source), sequence(seq), to, payload});
      },
      [this](received_atom, std::uint32_t source, const std::string& target, std::int64_t up_to) {
        pass_to(shard_id(source), channel_acknowledged{target, sequence(up_to)});
      },
      [this](feed_atom, std::uint32_t target, std::string& bytes) {
        pass_to(shard_id(target), feed_bytes{std::move(bytes)});
      },
      [this](follow_atom, std::uint32_t source, const std::string& bytes) {
        on_follow(shard_id(source), bytes);
      },
      [this](source_atom, std::uint32_t shard) { tell_source_live(shard_id(shard)); },
      [this](admin_atom, const std::string& text) {
        return delegate(environment_.admin, admin_atom_v, text);
      },
  };
}

// ---- from this node ----------------------------------------------------------------------------

void member_actor::on_tick() {
  delayed_send(this, tick_every, tick_atom_v);
  if (supervisor_) drive([](auto& core, auto t) { core.on_tick(t); });
}

void member_actor::on_supervisor(const caf::actor& supervisor) {
  supervisor_ = supervisor;
  drive([](auto& core, auto t) { core.on_tick(t); });
}

void member_actor::on_released(shard_id shard) {
  arriving_.erase(shard);
  drive([&](auto& core, auto t) { core.on_released(shard, t); });
}

void member_actor::on_lost(shard_id shard) {
  arriving_.erase(shard);
  drive([&](auto& core, auto t) { core.on_lost(shard, t); });
}

/// Before the node stops. Answered when all shards are gone, or nobody takes them.
caf::result<caf::unit_t> member_actor::on_drain() {
  drained_ = make_response_promise();
  drain_until_ = now() + 10s;
  auto promise = drained_;
  drive([](auto& core, auto t) { core.drain(t); });
  asker_->post([self = caf::actor_cast<caf::actor>(this), store = environment_.store, id = id()] {
    caf::anon_send(self, order_carried_out{nullptr, {}, store->set_draining(id, true)});
  });
  return promise;
}

// ---- from its threads --------------------------------------------------------------------------

void member_actor::on_view_read(const view_read& m) {
  drive([&](auto& core, auto t) {
    if (*m.view && supervisor_)  // Before it is known nobody could host a shard.
      core.on_view(std::move(**m.view), t);
    else
      core.on_read_failed();
  });
}

void member_actor::on_lead_answered(const lead_answered& m) {
  const bool led = m.led.what == store::cluster_store::led::outcome::done;
  if (led) tell_deaths(*m.what);
  if (led && !m.what->empty())
    log::info("cluster", "decided",
              {{"version", m.led.version},
               {"dead", m.what->dead.size()},
               {"moves", m.what->assign.size()}});
  drive([&](auto& core, auto t) { core.on_led(m.led, *m.what, t); });
}

void member_actor::on_dialed(const peer_dialed& m) {
  const auto failed = [this, life = m.life] {
    drive([&](auto& core, auto t) { core.on_dial_failed(life, t); });
  };
  if (!m.root) return failed();
  request(m.root, dial_within, member_atom_v)
      .then([this, life = m.life](const caf::actor& member) { greet(life, member); },
            [failed](caf::error&) { failed(); });
}

void member_actor::on_heard(const peer_heard& m) {
  drive([&](auto& core, auto t) { core.on_heard(m.life, t); });
}

void member_actor::on_order_carried_out(const order_carried_out& m) {
  if (m.to) m.to->deliver(order_answer(m.verb, m.what).dump());
  for (const auto& [life, member] : links_) caf::event_based_actor::send(member, look_atom_v);
  on_look();
}

// ---- from other nodes --------------------------------------------------------------------------

void member_actor::on_down(const caf::down_msg& m) {
  const auto it = std::ranges::find_if(
      links_, [&](const auto& link) { return link.second.address() == m.source; });
  if (it == links_.end()) return;
  const auto lost = it->first;
  log::info("cluster", "link_lost", {{"incarnation", lost}});
  links_.erase(it);
  link_lost_ = now();
  relocate();
  drive([&](auto& core, auto t) { core.on_link_lost(lost, t); });
}

std::string member_actor::on_hello(const std::string& text) {
  const auto life = life_in(text);
  const auto member = caf::actor_cast<caf::actor>(current_sender());
  if (life.value() > 0 && member)
    link(life, member);
  else
    log::warn("cluster", "hello_refused", {{"said", text.substr(0, 80)}});
  return hello();
}

void member_actor::on_look() {
  drive([](auto& core, auto t) { core.on_look(t); });
}

template <class Message>
void member_actor::pass_to(shard_id shard, Message what) {
  if (const auto host = environment_.router->find(shard))
    caf::event_based_actor::send(host, std::move(what));
}

void member_actor::on_channel(shard_id target, const channel_text& m) {
  auto what = message_in(m.payload);
  if (!what)
    return log::warn("cluster", "channel_message_refused",
                     {{"from", m.source},
                      {"shard", target},
                      {"seq", m.seq},
                      {"to", m.to},
                      {"said", m.payload.substr(0, 80)}});
  pass_to(target, channel_message{m.source, m.seq, parse_entity_id(m.to),
                                  std::make_shared<message>(std::move(*what))});
}

void member_actor::on_follow(shard_id source, const std::string& bytes) {
  if (const auto what = decode_request(bytes))
    pass_to(source, feed_asked{*what});
  else
    log::warn("cluster", "follow_refused", {{"shard", source}, {"bytes", bytes.size()}});
}

void member_actor::on_exit() {
  environment_.self.links->on_large_frame({});
  links_.clear();
  supervisor_ = nullptr;
  asker_.reset();
  dialer_.reset();
}

void member_actor::leave_when_empty() {
  if (!drained_.pending()) return;
  if (!core_.empty() && core_.accompanied() && now() < drain_until_) return;
  auto promise = std::move(drained_);
  promise.deliver(caf::unit);
}

std::string member_actor::hello() const {
  return json{{"id", id()}, {"life", life().value()}}.dump();
}

/// Tells the peer who we are; its answer proves who it is.
void member_actor::greet(incarnation peer, const caf::actor& member) {
  request(member, dial_within, hello_atom_v, hello())
      .then(
          [this, peer, member](const std::string& text) {
            if (life_in(text) == peer) return link(peer, member);
            log::warn("cluster", "another_incarnation",
                      {{"expected", peer}, {"said", text.substr(0, 80)}});
            drive([&](auto& core, auto t) { core.on_dial_failed(peer, t); });
          },
          [this, peer](caf::error&) {
            drive([&](auto& core, auto t) { core.on_dial_failed(peer, t); });
          });
}

void member_actor::link(incarnation peer, const caf::actor& member) {
  drop(peer);
  links_[peer] = member;
  monitor(member);
  log::info("cluster", "linked", {{"incarnation", peer}});
  relocate();
  drive([&](auto& core, auto t) { core.on_linked(peer, t); });
}

void member_actor::on_member(const std::string& text) {
  const auto from = caf::actor_cast<caf::actor>(current_sender());
  const auto it = std::ranges::find_if(links_, [&](const auto& l) { return l.second == from; });
  if (it == links_.end()) return;
  const auto life = it->first;
  try {
    const auto what = from_json(parse_json_object(text, {json_inside_depth_max}).value);
    if (what.kind == cluster::member_message::what::decided) tell_deaths(what.decision);
    drive([&](auto& core, auto t) { core.on_message(life, what, t); });
  } catch (const json::exception& e) {
    log::warn("cluster", "member_message_refused", {{"from", life}, {"reason", e.what()}});
  }
}

/// Of operators, by way of the admin actor.
caf::result<std::string> member_actor::on_order(const std::string& text) {
  std::string verb, node;
  std::uint32_t shard = 0;
  try {
    const auto what = json::parse(text);
    verb = what.at("verb").get<std::string>();
    node = what.at("node").get<std::string>();
    if (verb == "move") shard = what.at("shard").get<std::uint32_t>();
  } catch (const json::exception& e) {
    return json{{"error", "malformed_request"}, {"detail", e.what()}}.dump();
  }
  const auto promise = std::make_shared<caf::response_promise>(make_response_promise());
  asker_->post([self = caf::actor_cast<caf::actor>(this), store = environment_.store, verb, node,
                shard, promise] {
    const auto written = verb == "move"     ? store->assign(shard_id(shard), node)
                         : verb == "forget" ? store->forget(node)
                                            : store->set_draining(node, verb == "drain");
    caf::anon_send(self, order_carried_out{promise, verb, written});
  });
  return *promise;
}

// ---- what the membership asks for --------------------------------------------------------------

void member_actor::read() {
  asker_->post([self = caf::actor_cast<caf::actor>(this), store = environment_.store] {
    caf::anon_send(self,
                   view_read{std::make_shared<std::optional<store::cluster_view>>(store->read())});
  });
}

void member_actor::lead(store::cluster_decision what) {
  const auto kept = std::make_shared<store::cluster_decision>(std::move(what));
  for (const auto life : kept->dead)
    log::warn("cluster", "declares_dead", {{"incarnation", life}, {"moves", kept->assign.size()}});
  asker_->post([self = caf::actor_cast<caf::actor>(this), store = environment_.store, kept,
                life = life(), ttl = environment_.options.leader_ttl] {
    caf::anon_send(self, lead_answered{store->lead(life, ttl, *kept), kept});
  });
}

void member_actor::expired(const store::cluster_view::node& peer) {
  log::warn("cluster", "lease_ran_out", {{"node", peer.id}, {"incarnation", peer.life}});
  if (environment_.died) environment_.died(peer.life, peer.id);
}

/// Before the core takes the decision in: it still knows who that was.
void member_actor::tell_deaths(const store::cluster_decision& decided) const {
  if (!environment_.died) return;
  for (const auto& node : core_.view().nodes)
    if (std::ranges::find(decided.dead, node.life) != decided.dead.end())
      environment_.died(node.life, node.id);
}

void member_actor::dial(const store::cluster_view::node& peer) {
  auto target = cluster::link_target_of(peer.address, peer.id);
  target.life = peer.life;
  dialer_->post([self = caf::actor_cast<caf::actor>(this), &system = home_system(), target,
                 own = environment_.self, life = peer.life] {
    caf::actor root;
    try {
      root = cluster::dial(system, target, own, dial_within);
    } catch (const std::exception& e) {
      log::info("cluster", "dial_failed", {{"incarnation", life}, {"reason", e.what()}});
    }
    caf::anon_send(self, peer_dialed{life, root});
  });
}

void member_actor::send(incarnation peer, const cluster::member_message& what) {
  const auto it = links_.find(peer);
  if (it != links_.end())
    caf::event_based_actor::send(it->second, member_atom_v, to_json(what).dump());
}

/// The other end must hear of it, or it would believe in the link and never dial.
void member_actor::forget(incarnation peer) {
  if (links_.contains(peer) && core_.alive(peer)) {
    log::info("cluster", "link_lost", {{"incarnation", peer}, {"reason", "silent"}});
    link_lost_ = now();
  }
  environment_.self.links->cut(peer);
  drop(peer);
}

void member_actor::drop(incarnation peer) {
  const auto it = links_.find(peer);
  if (it == links_.end()) return;
  demonitor(it->second);
  links_.erase(it);
  relocate();
}

void member_actor::host(shard_id shard) {
  if (arriving_.empty()) arriving_since_ = now();
  arriving_.insert(shard);
  caf::event_based_actor::send(supervisor_, host_atom_v, shard.value());
}

/// Those who follow its entities need not wait until they notice.
void member_actor::tell_source_live(shard_id shard) {
  for (const auto& host : environment_.router->all())
    if (host) caf::event_based_actor::send(host, source_live{shard});
}

/// Tells how long it took, once everything that was to come has come.
void member_actor::on_live(shard_id shard) {
  tell_source_live(shard);
  for (const auto& [life, member] : links_)
    caf::event_based_actor::send(member, source_atom_v, shard.value());
  if (arriving_.erase(shard) == 0) return;
  ++arrived_;
  if (!arriving_.empty()) return;
  const auto ms = [](auto span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
  };
  const auto t = now();
  if (link_lost_ != steady_time{} && t - link_lost_ < 10s)
    log::info("cluster", "shards_live",
              {{"shards", arrived_},
               {"ms", ms(t - arriving_since_)},
               {"since_link_lost_ms", ms(t - link_lost_)}});
  else
    log::info("cluster", "shards_live", {{"shards", arrived_}, {"ms", ms(t - arriving_since_)}});
  arrived_ = 0;
}

void member_actor::hand_over(shard_id shard) {
  caf::event_based_actor::send(supervisor_, hand_over_atom_v, shard.value());
}

void member_actor::locate(shard_id shard, incarnation at) {
  located_[shard] = at;
  const auto it = links_.find(at);
  environment_.router->set_remote(shard, it == links_.end() ? caf::actor{} : it->second);
}

/// After a link has come or gone.
void member_actor::relocate() {
  for (const auto& [shard, at] : located_) {
    const auto it = links_.find(at);
    environment_.router->set_remote(shard, it == links_.end() ? caf::actor{} : it->second);
  }
}

}  // namespace troupe
