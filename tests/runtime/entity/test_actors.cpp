// The actors around a shard and a node's links, with a store, a bridge and peers that do what the
// test says.
#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "runtime/entity/engine.hpp"
#include "runtime/entity/member_actor.hpp"
#include "runtime/entity/supervisor_actor.hpp"
#include "tests/support/durable.hpp"
#include "tests/support/savings_account.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr shard_id home{0};
constexpr auto patience = 20s;

/// Answers at once, but lets go of a shard only when the test does.
class slow_to_release final : public store::shard_store {
 public:
  void take(shard_id, incarnation, take_done done) override {
    done(disk_.take(), store::commit_outcome::committed);
  }
  void release(shard_id, epoch era, std::function<void()> done) override {
    const std::lock_guard lock(mutex_);
    released_ = era;
    done_ = std::move(done);
  }
  void commit(store::commit_batch batch, commit_done done) override { done(disk_.apply(batch)); }
  void load(shard_id, std::vector<entity_id> ids, load_done done) override {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(load_later_, false)) {
        loading_ = [this, ids, done] { load(home, ids, done); };
        return;
      }
    }
    std::vector<store::entity_row> rows;
    for (const auto& id : ids)
      if (const auto it = disk_.entities.find(id); it != disk_.entities.end())
        rows.push_back(it->second);
    done(std::move(rows));
  }
  void find_answer(shard_id, std::string, answer_done done) override {
    done(std::optional<std::string>());
  }

  /// Under which epoch the shard is given back, once it is.
  epoch let_go() {
    for (const auto until = std::chrono::steady_clock::now() + patience;
         std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(1ms)) {
      const std::lock_guard lock(mutex_);
      if (!done_) continue;
      std::exchange(done_, {})();
      return released_;
    }
    return epoch(0);
  }
  bool asked_to_release() {
    const std::lock_guard lock(mutex_);
    return done_ != nullptr;
  }
  /// The next load is answered by `load_now` only.
  void load_later() {
    const std::lock_guard lock(mutex_);
    load_later_ = true;
  }
  void load_now() { loading_(); }
  /// Before the shard is taken.
  void keep(store::entity_row row) { disk_.entities[row.id] = std::move(row); }

 private:
  durable disk_;
  std::mutex mutex_;
  epoch released_{0};
  std::function<void()> done_;
  bool load_later_ = false;
  std::function<void()> loading_;
};

class no_ingress final : public ingress_port {
 public:
  void assign(shard_id, std::int64_t, std::vector<start>, receiver) override {}
  void unassign(shard_id) override {}
  void pause(shard_id) override {}
  void resume(shard_id) override {}
};

/// Knows what is out when the test says so.
class told_egress final : public egress_port {
 public:
  void open(shard_id, epoch, std::vector<std::string> topics, listener to) override {
    const std::lock_guard lock(mutex_);
    topics_ = std::move(topics);
    to_ = std::make_shared<listener>(std::move(to));
    if (out_) tell();
  }
  void publish(shard_id, epoch, const std::string& topic, sequence seq, std::string_view,
               std::string_view) override {
    std::shared_ptr<listener> to;
    {
      const std::lock_guard lock(mutex_);
      to = to_;
    }
    if (to) to->delivered(topic, seq);
  }
  void close(shard_id) override {
    const std::lock_guard lock(mutex_);
    to_ = nullptr;
  }

  /// The last sequence in every log, now and later.
  void is_out(std::int64_t last) {
    const std::lock_guard lock(mutex_);
    out_ = sequence(last);
    if (to_) tell();
  }
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return to_ == nullptr;
  }

 private:
  void tell() {
    std::map<std::string, sequence> out;
    for (const auto& topic : topics_) out[topic] = *out_;
    to_->opened(std::move(out));
  }
  mutable std::mutex mutex_;
  std::vector<std::string> topics_;
  std::shared_ptr<listener> to_;
  std::optional<sequence> out_;
};

class no_history final : public history_port {
 public:
  void read(std::uint32_t, shard_id, position, std::vector<std::string>,
            std::function<void(history_chunk)>) override {}
};

/// A node with one shard; the test is its supervisor, its member, and its clients.
struct node_rig {
  engine_config config{2};
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  slow_to_release store;
  no_ingress ingress;
  told_egress egress;
  no_history history;
  system_clock_source clock;
  status_board board{1};
  shard_router router{1};
  host_environment environment;

  node_rig() {
    environment.setup.things.kinds = {example::savings_kind()};
    environment.setup.things.egress = {std::string(example::balances_topic)};
    environment.setup.shard_of = [](const entity_id&) { return home; };
    environment.store = &store;
    environment.ingress = &ingress;
    environment.egress = &egress;
    environment.history = &history;
    environment.clock = &clock;
    environment.self = incarnation(1);
    environment.lease_valid = [] { return true; };
    environment.board = &board;
    environment.router = &router;
    board.own(home, true);
  }
  ~node_rig() { router.set(home, nullptr); }

  caf::actor me() { return caf::actor_cast<caf::actor>(self); }
  template <class Atom>
  bool hears(Atom) {
    bool heard = false;
    self->receive([&](Atom, std::uint32_t shard) { heard = shard == home.value(); },
                  caf::after(patience) >> [] {});
    return heard;
  }
  bool hears_that_it_is_down(const caf::actor& of) {
    bool heard = false;
    self->monitor(of);
    self->receive([&](const caf::down_msg&) { heard = true; }, caf::after(patience) >> [] {});
    return heard;
  }
  json ask(const caf::actor& host, const std::string& type) {
    json answer;
    self->request(
            host, patience,
            ask_entity{
                {"savings", "x"}, std::make_shared<message>(message{type, {{"amount", 5}}}), ""})
        .receive([&](const std::string& text) { answer = json::parse(text); },
                 [&](caf::error& e) { answer = system.render(e); });
    return answer;
  }
};

/// A live shard whose supervisor is the test.
struct host_rig : node_rig {
  host_rig() {
    egress.is_out(0);
    host = system.spawn<shard_host>(home, &environment, me(), std::vector<poison>{});
    REQUIRE(hears(live_atom_v));
  }
  ~host_rig() { caf::anon_send_exit(host, caf::exit_reason::user_shutdown); }
  void drain() {
    self->send(host, shard_call{std::make_shared<std::function<void(shard_machine&)>>(
                         [](shard_machine& s) { s.on_drain(); })});
  }
  caf::actor host;
};

}  // namespace

TEST_CASE("who asks a shard that has just left is told so at once") {
  host_rig r;
  CHECK(r.ask(r.host, "deposit") == json{{"balance", 5}});
  r.drain();
  for (const auto until = std::chrono::steady_clock::now() + patience;
       !r.store.asked_to_release() && std::chrono::steady_clock::now() < until;)
    std::this_thread::sleep_for(1ms);
  REQUIRE(r.store.asked_to_release());
  CHECK(r.ask(r.host, "deposit")["error"] == "shard_unavailable");
  CHECK(r.egress.closed());  // It would keep the shard's memory.
  CHECK(r.store.let_go() == epoch(1));
  CHECK(r.hears_that_it_is_down(r.host));
}

TEST_CASE("who asked a shard before it is handed over is answered") {
  host_rig r;
  r.store.load_later();
  auto shown = r.self->request(r.host, patience, show_entity{{"savings", "x"}});
  r.drain();
  CHECK(r.ask(r.host, "deposit")["error"] == "shard_unavailable");
  CHECK(!r.store.asked_to_release());
  r.store.load_now();
  json answer;
  shown.receive([&](const std::string& text) { answer = json::parse(text); },
                [&](caf::error& e) { answer["error"] = r.system.render(e); });
  CHECK(answer["error"] == "unknown_entity");
  CHECK(r.store.let_go() == epoch(1));
}

namespace {

/// Throws whenever it does this.
class frail final : public entity {
 public:
  explicit frail(entity_task at) : at_(at) {}
  void load(std::string_view, int) override { fail_if(entity_task::load); }
  std::string save() const override {
    fail_if(entity_task::save);
    return "{}";
  }
  void handle(const message&, const context&, effects&) override { fail_if(entity_task::handle); }

 private:
  void fail_if(entity_task doing) const {
    if (doing == at_) throw std::runtime_error("frail");
  }
  const entity_task at_;
};

}  // namespace

TEST_CASE("a supervisor is told whether an entity failed on an input or for its state") {
  using enum entity_task;
  for (const auto at : {load, save, handle}) {
    CAPTURE(static_cast<int>(at));
    node_rig r;
    r.environment.setup.things.kinds[0].make = [at](const entity_id&) {
      return std::make_unique<frail>(at);
    };
    r.store.keep({{"savings", "x"}, 1, "{}"});
    r.egress.is_out(0);
    const auto host =
        r.system.spawn<shard_host>(home, &r.environment, r.me(), std::vector<poison>{});
    REQUIRE(r.hears(live_atom_v));
    CHECK(r.ask(host, "deposit")["error"] == "shard_failed");
    std::optional<shard_failure> why;
    r.self->receive([&](const shard_failed& m) { why = m.why; }, caf::after(patience) >> [] {});
    REQUIRE(why);
    CHECK(why->what == (at == handle ? shard_failure::kind::entity : shard_failure::kind::state));
    CHECK(why->input.source == (at == handle ? "request" : ""));
  }
}

TEST_CASE("what an entity says that is no longer in its slot is not taken for another's") {
  host_rig r;
  CHECK(r.ask(r.host, "deposit") == json{{"balance", 5}});
  r.self->send(r.host, message_handled{slot_id(0), std::make_shared<effects>(), {}});
  r.self->send(r.host, entity_failed{slot_id(0), entity_task::load, "it was I", {}});
  r.self->send(r.host, follows_known{slot_id(7), {}});
  CHECK(r.ask(r.host, "deposit") == json{{"balance", 10}});
}

TEST_CASE("a shard that was given up is given back when another node is to have it") {
  node_rig r;
  const auto supervisor =
      r.system.spawn<supervisor_actor>(&r.environment, supervision_limits{}, r.me());
  r.self->send(supervisor, host_atom_v, home.value());
  SUBCASE("before that") {
    r.egress.is_out(9);  // The database knows of none: log and database do not belong together.
    const auto given_up = [&] { return !r.board.read().front().stopped.empty(); };
    for (const auto until = std::chrono::steady_clock::now() + patience;
         !given_up() && std::chrono::steady_clock::now() < until;)
      std::this_thread::sleep_for(1ms);
    REQUIRE(given_up());
    r.self->send(supervisor, hand_over_atom_v, home.value());
  }
  SUBCASE("after that") {
    r.self->send(supervisor, hand_over_atom_v, home.value());
    r.egress.is_out(9);
  }
  CHECK(r.store.let_go() == epoch(1));
  CHECK(r.hears(released_atom_v));
  caf::anon_send_exit(supervisor, caf::exit_reason::kill);
}

TEST_CASE("a member goes on whatever other members say") {
  engine_config config{2};
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  store::cluster_store nowhere({"host=127.0.0.1 port=1 connect_timeout=1"});
  shard_router router{1};
  router.set(home, caf::actor_cast<caf::actor>(self));
  system_clock_source clock;
  cluster_board board;
  member_environment environment;
  environment.self.who.name = "node-1";
  environment.self.life = incarnation(4);
  environment.self.links = std::make_shared<cluster::link_register>(60s);
  environment.store = &nowhere;
  environment.router = &router;
  environment.clock = &clock;
  const auto member = system.spawn<member_actor>(&environment, &board);
  for (const auto* hello :
       {"", "[]", "7", R"({"life":"x"})", R"({"life":[4]})", R"({"life":1e300})"})
    self->send(member, hello_atom_v, std::string(hello));
  for (const auto* payload : {"", "[]", "{}", R"({"type":7,"body":{}})", R"({"type":"credit"})"})
    self->send(member, channel_atom_v, home.value(), std::uint32_t{1}, std::int64_t{1},
               std::string("savings/x"), std::string(payload));
  for (const auto* text : {"", "[]", R"({"what":1})", R"({"what":"x","life":"y"})"})
    self->send(member, member_atom_v, std::string(text));
  self->send(member, channel_atom_v, home.value(), std::uint32_t{1}, std::int64_t{1},
             std::string("savings/x"), std::string(R"({"type":"credit","body":{"amount":1}})"));
  bool credited = false;
  self->receive([&](const channel_message& m) { credited = m.what->type == "credit"; },
                caf::after(patience) >> [] {});
  CHECK(credited);
  router.set(home, nullptr);
  self->monitor(member);
  caf::anon_send_exit(member, caf::exit_reason::user_shutdown);
  self->receive([](const caf::down_msg&) {});
}
