#include "app/node.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <caf/all.hpp>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <thread>

#include "app/admin_actor.hpp"
#include "app/catalog.hpp"
#include "app/mapping.hpp"
#include "app/node_status.hpp"
#include "app/version.hpp"
#include "runtime/base/log.hpp"
#include "runtime/base/partition.hpp"
#include "runtime/bridge/kafka_egress.hpp"
#include "runtime/bridge/kafka_ingress.hpp"
#include "runtime/bridge/topic_admin.hpp"
#include "runtime/cluster/lease_keeper.hpp"
#include "runtime/cluster/links.hpp"
#include "runtime/entity/engine.hpp"
#include "runtime/entity/supervisor_actor.hpp"
#include "runtime/http/server.hpp"
#include "runtime/store/node_store.hpp"
#include "runtime/store/postgres_store.hpp"

namespace troupe::app {

namespace {

using namespace std::chrono_literals;

/// Something that an operator must put right before a node can start; the text says what.
struct cannot_start : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// SIGINT and SIGTERM, waited for instead of handled. Must be made before any thread is.
class stop_signals {
 public:
  stop_signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    signal(SIGPIPE, SIG_IGN);
  }
  /// The signal that came within `limit`, 0 if none did.
  int wait(std::chrono::milliseconds limit) const {
    const timespec t{limit.count() / 1000, limit.count() % 1000 * 1'000'000};
    const int got = sigtimedwait(&set_, nullptr, &t);
    return got > 0 ? got : 0;
  }
  /// For a thread that ends the wait from inside the process.
  static void raise() { kill(getpid(), SIGTERM); }

 private:
  sigset_t set_{};
};

/// Everything that a running node consists of, in the order in which it is made; it goes the other
/// way round.
class node {
 public:
  node(const settings& all, const catalog& things, const stop_signals& signals)
      : all_(all),
        things_(things),
        signals_(signals),
        router_(all.cluster.shards),
        board_(all.cluster.shards),
        status_({all.node.id, all.cluster.name, std::string(version)}, board_, metrics_),
        engine_(all.node.threads),
        system_(engine_) {}

  int run() {
    listen();
    prepare_store();
    prepare_topics();
    join();
    start_shards();
    log::info("node", "started",
              {{"node", all_.node.id},
               {"cluster", all_.cluster.name},
               {"shards", all_.cluster.shards},
               {"incarnation", life_},
               {"admin", all_.node.admin.port},
               {"http", all_.node.http.port}});
    while (signals_.wait(1h) == 0) {
    }
    stop();
    return superseded_ ? 1 : 0;
  }

 private:
  /// Ports first: a second node with the same config stops here, before it can disturb the first.
  void listen() {
    admin_environment_ = {&router_, [this](const entity_id& id) { return shard_of(id); },
                          [this] { return status_.status(); },
                          [this] { return status_.health_json(); },
                          all_.cluster.entities.request_timeout};
    admin_ = system_.spawn<admin_actor>(&admin_environment_);
    links_ = std::make_unique<cluster::link_listener>(
        system_, all_.node.admin.host, all_.node.admin.port, all_.cluster.name, admin_);
    http::routes routes;
    routes.get("/metrics", [this](const http::request&, const http::reply& reply) {
      reply({200, std::string(metrics::exposition_type), {}, metrics_.expose()});
    });
    routes.get("/healthz", [this](const http::request&, const http::reply& reply) {
      answer_health(reply, &health_report::healthy);
    });
    routes.get("/readyz", [this](const http::request&, const http::reply& reply) {
      answer_health(reply, &health_report::ready);
    });
    http_ = std::make_unique<http::server>("node", std::move(routes), metrics_);
    http_->start(all_.node.http.host, all_.node.http.port);
  }

  void answer_health(const http::reply& reply, bool health_report::*good) const {
    const bool fine = status_.health().*good;
    reply(http::json(fine ? 200 : 503, status_.health_json().dump() + "\n"));
  }

  shard_id shard_of(const entity_id& id) const {
    return shard_id(partition_of(id.key, all_.cluster.shards));
  }

  /// Runs `step` until it succeeds; what is out of reach is tried again for a minute.
  template <class Step>
  void patiently(const char* what, Step step) const {
    for (int attempt = 0;; ++attempt) {
      try {
        return step();
      } catch (const store::unavailable_error& e) {
        wait_or_give_up(what, e.what(), attempt);
      } catch (const kafka_unavailable& e) {
        wait_or_give_up(what, e.what(), attempt);
      }
    }
  }

  void wait_or_give_up(const char* what, const std::string& why, int attempt) const {
    constexpr int attempts_max = 60;
    if (attempt >= attempts_max) throw cannot_start(std::string(what) + " is out of reach: " + why);
    log::warn("node", "waiting", {{"for", what}, {"reason", why}});
    if (signals_.wait(1s) != 0)
      throw cannot_start(std::string("stopped while waiting for ") + what);
  }

  void prepare_store() {
    const auto& dsn = all_.cluster.postgres.dsn;
    patiently("PostgreSQL", [&] {
      const auto wanted = all_migrations();
      const auto missing = store::missing_migrations(dsn, wanted);
      if (!missing.empty())
        throw cannot_start("the database lacks " + std::to_string(missing.size()) +
                           " migration(s), the first is " + missing.front() +
                           ": run `troupe migrate` with the same --config");
      store::claim_cluster(dsn, {all_.cluster.name, all_.cluster.shards});
    });
  }

  void prepare_topics() {
    patiently("Kafka", [&] { ensure_topics(things_, all_); });
  }

  void join() {
    nodes_ =
        std::make_unique<store::node_store>(store::node_store::options{all_.cluster.postgres.dsn});
    const auto ttl = all_.cluster.lease.ttl;
    const auto address = all_.node.admin.host + ':' + std::to_string(all_.node.admin.port);
    steady_time joined_at;
    patiently("PostgreSQL", [&] {
      joined_at = clock_.steady();
      life_ = nodes_->join(all_.node.id, address, std::string(version), ttl);
    });
    status_.joined(life_);
    cluster::lease_keeper::callbacks on;
    on.lost = [this](bool ended) {
      log::error("node", "lease_lost", {{"for_ever", ended}});
      caf::anon_send(supervisor_, lease_atom_v, false);
      if (!ended) return;
      superseded_ = true;
      log::error("node", "superseded",
                 {{"remedy",
                   "another process runs with this node id, or the node was declared dead: give "
                   "each its own id"}});
      stop_signals::raise();
    };
    on.regained = [this] {
      log::info("node", "lease_regained");
      caf::anon_send(supervisor_, lease_atom_v, true);
    };
    lease_on_ = std::move(on);
    joined_at_ = joined_at;
  }

  void start_shards() {
    store_ = std::make_unique<store::postgres_store>(store_options(all_, life_), result_tables());
    patiently("PostgreSQL", [&] {
      const auto problems = store_->verify();
      if (!problems.empty()) throw store::unavailable_error(problems.front());
    });
    ingress_ = std::make_unique<bridge::kafka_ingress>(bridge_ingress_options(all_, things_));
    egress_ = std::make_unique<bridge::kafka_egress>(
        bridge_egress_options(all_, [this] { return lease_valid(); }));
    environment_.setup = {things_, limits_of(all_.cluster),
                          [this](const entity_id& id) { return shard_of(id); }};
    environment_.store = store_.get();
    environment_.ingress = ingress_.get();
    environment_.egress = egress_.get();
    environment_.clock = &clock_;
    environment_.self = life_;
    environment_.lease_valid = [this] { return lease_valid(); };
    environment_.board = &board_;
    environment_.router = &router_;
    std::vector<shard_id> shards;
    for (std::uint32_t i = 0; i < all_.cluster.shards; ++i) shards.emplace_back(i);
    lease_ = std::make_unique<cluster::lease_keeper>(*nodes_, life_, joined_at_,
                                                     keeper_options(all_.cluster.lease), lease_on_);
    supervisor_ = system_.spawn<supervisor_actor>(
        &environment_, supervision_of(all_.cluster.entities), std::move(shards));
  }

  bool lease_valid() const { return lease_ && lease_->valid(); }

  /// Lets the shards drain; whatever is not finished in time is recovered by whoever owns it next.
  void stop() {
    log::info("node", "stopping", {{"shards", all_.cluster.shards}});
    std::thread watchdog([this] {
      std::unique_lock lock(stopped_mutex_);
      if (!stopped_.wait_for(lock, 20s, [this] { return done_; })) {
        log::warn("node", "stopped_hard",
                  {{"reason", "it took too long; nothing is lost, the next start recovers"}});
        _exit(0);
      }
    });
    http_->drain();
    {
      caf::scoped_actor self{system_};
      self->monitor(supervisor_);
      self->send(supervisor_, stop_atom_v);
      self->receive([](const caf::down_msg&) {}, caf::after(10s) >> [] {});
    }
    links_.reset();
    caf::anon_send_exit(supervisor_, caf::exit_reason::kill);
    caf::anon_send_exit(admin_, caf::exit_reason::user_shutdown);
    ingress_.reset();
    egress_.reset();
    lease_.reset();
    store_.reset();
    nodes_->leave(life_);
    log::info("node", "stopped");
    {
      const std::lock_guard lock(stopped_mutex_);
      done_ = true;
    }
    stopped_.notify_one();
    watchdog.join();
  }

  const settings& all_;
  const catalog& things_;
  const stop_signals& signals_;
  system_clock_source clock_;
  metrics::registry metrics_;
  shard_router router_;
  status_board board_;
  node_status status_;
  engine_config engine_;
  caf::actor_system system_;
  admin_environment admin_environment_;
  caf::actor admin_;
  std::unique_ptr<cluster::link_listener> links_;
  std::unique_ptr<http::server> http_;
  std::unique_ptr<store::node_store> nodes_;
  incarnation life_;
  steady_time joined_at_{};
  cluster::lease_keeper::callbacks lease_on_;
  std::unique_ptr<store::postgres_store> store_;
  std::unique_ptr<bridge::kafka_ingress> ingress_;
  std::unique_ptr<bridge::kafka_egress> egress_;
  host_environment environment_;
  std::unique_ptr<cluster::lease_keeper> lease_;
  caf::actor supervisor_;
  std::atomic<bool> superseded_{false};
  std::mutex stopped_mutex_;
  std::condition_variable stopped_;
  bool done_ = false;
};

}  // namespace

void run_node(const settings& all, const catalog& things) {
  const stop_signals signals;
  try {
    node n(all, things, signals);
    const int code = n.run();
    // The actor system's own end waits for every actor; nothing is left that could need that.
    std::cout.flush();
    _exit(code);
  } catch (const std::exception& e) {
    log::error("node", "cannot_start", {{"reason", e.what()}});
    std::cerr << "troupe node: " << e.what() << std::endl;
    _exit(1);
  }
}

}  // namespace troupe::app
