// What becomes of the shard hosts of a node.
#include <doctest/doctest.h>

#include <mutex>
#include <thread>

#include "runtime/entity/engine.hpp"
#include "runtime/entity/supervisor_actor.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr shard_id shard{0};

/// A store that gives the shard out or is away, and a log without records.
struct stub_ports final : store::shard_store, ingress_port, egress_port {
  std::atomic<bool> silent{false};      // Whoever takes the shard waits.
  std::atomic<bool> kafka_away{false};  // Whoever asks what is out waits.
  std::atomic<int> takes{0}, unassigned{0}, closed{0};
  std::atomic<std::int64_t> released{0};  // Epoch.

  void take(shard_id, incarnation, take_done done) override {
    const std::lock_guard lock(mutex_);
    ++takes;
    if (silent)
      taking_ = std::move(done);
    else
      done(store::taken_shard{epoch(1), {}}, store::commit_outcome::committed);
  }
  /// Answers the last take that waits.
  void taken(epoch era) {
    const std::lock_guard lock(mutex_);
    std::exchange(taking_, {})(store::taken_shard{era, {}}, store::commit_outcome::committed);
  }
  void release(shard_id, epoch era, std::function<void()> done) override {
    released = era.value();
    done();
  }
  void commit(store::commit_batch, commit_done done) override {
    done(store::commit_outcome::committed);
  }
  void load(shard_id, std::vector<entity_id>, load_done done) override {
    done(std::vector<store::entity_row>{});
  }
  void find_answer(shard_id, std::string, answer_done done) override {
    done(std::optional<std::string>{});
  }
  void assign(shard_id, std::int64_t, std::vector<start>, receiver) override {}
  void unassign(shard_id) override { ++unassigned; }
  void pause(shard_id) override {}
  void resume(shard_id) override {}
  void open(shard_id, epoch, std::vector<std::string>, listener to) override {
    const std::lock_guard lock(mutex_);
    if (kafka_away)
      opening_ = std::move(to.opened);
    else
      to.opened({});
  }
  bool being_opened() const {
    const std::lock_guard lock(mutex_);
    return bool(opening_);
  }
  void kafka_is_back() {
    const std::lock_guard lock(mutex_);
    std::exchange(opening_, {})({});
  }
  void publish(shard_id, epoch, const std::string&, sequence, std::string_view,
               std::string_view) override {}
  void close(shard_id) override { ++closed; }

 private:
  mutable std::mutex mutex_;
  take_done taking_;
  std::function<void(std::map<std::string, sequence>)> opening_;
};

struct supervised_shard {
  engine_config config{2};
  caf::actor_system system{config};
  stub_ports ports;
  system_clock_source clock;
  status_board board{1};
  shard_router router{1};
  host_environment environment;
  caf::scoped_actor member{system};
  caf::actor supervisor;

  enum class away : std::uint8_t { nothing, store, kafka };
  explicit supervised_shard(supervision_limits limits, away what = away::nothing) {
    ports.silent = what == away::store;
    ports.kafka_away = what == away::kafka;
    environment.setup.shard_of = [](const entity_id&) { return shard; };
    environment.store = &ports;
    environment.ingress = &ports;
    environment.egress = &ports;
    environment.clock = &clock;
    environment.self = incarnation(1);
    environment.lease_valid = [] { return true; };
    environment.board = &board;
    environment.router = &router;
    supervisor = system.spawn<supervisor_actor>(&environment, limits,
                                                caf::actor_cast<caf::actor>(member.ptr()));
    caf::anon_send(supervisor, host_atom_v, shard.value());
  }
  ~supervised_shard() {
    caf::anon_send(supervisor, stop_atom_v);
    member->wait_for(supervisor);
  }
  status_board::entry seen() const { return board.read().front(); }
  template <class Condition>
  static bool becomes_true(Condition condition) {
    for (const auto until = std::chrono::steady_clock::now() + 20s;
         std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(2ms))
      if (condition()) return true;
    return false;
  }
  /// Ends it in a way that it cannot foresee.
  void restart_host() const {
    const auto restarts = seen().restarts;
    const auto host = router.find(shard);
    REQUIRE(host);
    caf::anon_send_exit(host, caf::exit_reason::kill);
    CHECK(becomes_true([&] { return seen().restarts == restarts + 1; }));
  }
  /// Whether the member is told that it is free, before it waits for too long.
  bool is_released() {
    bool released = false, late = false;
    member->receive_while([&] { return !released && !late; })(
        [&](live_atom, std::uint32_t) {}, [&](released_atom, std::uint32_t) { released = true; },
        caf::after(20s) >> [&] { late = true; });
    return released;
  }
  /// Whether it ends when it is told to stop.
  bool stops() {
    bool ended = false;
    member->monitor(supervisor);
    caf::anon_send(supervisor, stop_atom_v);
    member->receive([&](const caf::down_msg&) { ended = true; }, caf::after(20s) >> [] {});
    return ended;
  }
  bool lives() const {
    return becomes_true([&] { return seen().now.live && router.find(shard); });
  }
};

constexpr supervision_limits few{2, 1, 1ms, 1ms};

}  // namespace

TEST_CASE("a host that ends without a word is a defect: it begins anew, until that is too often") {
  supervised_shard s(few);
  for (int ends = 1; ends <= 3; ++ends) {
    REQUIRE(s.lives());
    s.restart_host();
    CHECK(s.seen().last_failure.ends_with("its actor ended without a word: exit_reason(kill)"));
    CHECK(s.ports.unassigned == ends);
    CHECK(s.ports.closed == ends);
  }
  CHECK(supervised_shard::becomes_true([&] { return !s.seen().stopped.empty(); }));
  CHECK(s.seen().stopped.find("more than 2 restarts a minute") != std::string::npos);
  CHECK_FALSE(s.router.find(shard));
}

TEST_CASE("a host that is handed over is told of as released, once") {
  supervised_shard s(few);
  REQUIRE(s.lives());
  caf::anon_send(s.supervisor, hand_over_atom_v, shard.value());
  bool released = false;
  s.member->receive_while([&] { return !released; })(
      [&](live_atom, std::uint32_t) {}, [&](released_atom, std::uint32_t) { released = true; });
  CHECK(released);
  CHECK(s.seen().restarts == 0);
  CHECK_FALSE(s.seen().owned);
}

TEST_CASE("a host that ends without a word while it drains has not been released") {
  supervised_shard s(few, supervised_shard::away::store);
  caf::anon_send(s.supervisor, hand_over_atom_v, shard.value());
  REQUIRE(supervised_shard::becomes_true([&] { return bool(s.router.find(shard)); }));
  s.restart_host();
  CHECK(s.seen().owned);
  CHECK(s.member->mailbox().empty());  // Nobody has been told that it is free.
  REQUIRE(supervised_shard::becomes_true([&] { return bool(s.router.find(shard)); }));
  s.ports.silent = false;
  s.restart_host();  // The one that waits.
  bool released = false;
  s.member->receive_while([&] { return !released; })(
      [&](live_atom, std::uint32_t) {}, [&](released_atom, std::uint32_t) { released = true; });
  CHECK(released);
}

TEST_CASE("a host that ends without a word at the end keeps nobody waiting") {
  supervised_shard s(few, supervised_shard::away::store);
  REQUIRE(supervised_shard::becomes_true([&] { return bool(s.router.find(shard)); }));
  caf::anon_send(s.supervisor, stop_atom_v);  // It is on its way to life, so it is waited for.
  s.restart_host();
}

TEST_CASE("without the lease a shard waits for the database, whatever it did before") {
  supervised_shard s({5, 1, 1h, 1h});
  REQUIRE(s.lives());
  SUBCASE("lived") {}
  SUBCASE("was between two lives") {
    s.restart_host();
    CHECK(supervised_shard::becomes_true([&] { return !s.router.find(shard); }));
  }
  caf::anon_send(s.supervisor, lease_atom_v, false, false);
  CHECK(supervised_shard::becomes_true(
      [&] { return s.board.store_lost(shard) && !s.router.find(shard); }));
  caf::anon_send(s.supervisor, lease_atom_v, true, false);
  CHECK(s.lives());
  CHECK_FALSE(s.board.store_lost(shard));
}

TEST_CASE("a host that waits for Kafka is not waited for: its shard is released at once") {
  supervised_shard s(few, supervised_shard::away::kafka);
  REQUIRE(supervised_shard::becomes_true([&] { return s.ports.being_opened(); }));
  SUBCASE("when it is handed over") {
    caf::anon_send(s.supervisor, hand_over_atom_v, shard.value());
    CHECK(s.is_released());
    CHECK_FALSE(s.seen().owned);
  }
  SUBCASE("when its node stops") {
    CHECK(s.stops());
  }
  CHECK(s.ports.released == 1);
  CHECK(s.ports.closed == 1);
  s.ports.kafka_is_back();
}

TEST_CASE("a shard that is handed over between two lives of its host does not wait for the pause") {
  supervised_shard s({5, 1, 1h, 1h});
  REQUIRE(s.lives());
  s.restart_host();
  caf::anon_send(s.supervisor, hand_over_atom_v, shard.value());
  CHECK(s.is_released());
  CHECK(s.ports.takes == 2);
  CHECK(s.ports.released == 1);
}

TEST_CASE("a shard that is handed over while it is being taken is released with its new epoch") {
  supervised_shard s(few, supervised_shard::away::store);
  s.ports.kafka_away = true;
  REQUIRE(supervised_shard::becomes_true([&] { return s.ports.takes == 1; }));
  caf::anon_send(s.supervisor, hand_over_atom_v, shard.value());
  SUBCASE("by its first host") {}
  SUBCASE("by one that began anew meanwhile") {
    s.restart_host();
    REQUIRE(supervised_shard::becomes_true([&] { return s.ports.takes == 2; }));
  }
  CHECK(s.ports.released == 0);
  s.ports.taken(epoch(7));
  CHECK(s.is_released());
  CHECK(s.ports.released == 7);
}
