#include "app/node.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <caf/all.hpp>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <iostream>
#include <mutex>
#include <thread>

#include "actors/ops/notification_entity.hpp"
#include "actors/trading/backtest_job.hpp"
#include "app/actor_watch.hpp"
#include "app/admin_actor.hpp"
#include "app/backtest/job_runner.hpp"
#include "app/catalog.hpp"
#include "app/commands/command_line.hpp"
#include "app/death_herald.hpp"
#include "app/failure.hpp"
#include "app/link_identity.hpp"
#include "app/mapping.hpp"
#include "app/node_guard.hpp"
#include "app/node_status.hpp"
#include "app/notifier.hpp"
#include "app/services.hpp"
#include "app/version.hpp"
#include "runtime/base/log.hpp"
#include "runtime/base/partition.hpp"
#include "runtime/bridge/kafka_egress.hpp"
#include "runtime/bridge/kafka_history.hpp"
#include "runtime/bridge/kafka_ingress.hpp"
#include "runtime/bridge/topic_admin.hpp"
#include "runtime/cluster/lease_keeper.hpp"
#include "runtime/entity/engine.hpp"
#include "runtime/entity/member_actor.hpp"
#include "runtime/entity/supervisor_actor.hpp"
#include "runtime/http/server.hpp"
#include "runtime/metrics/process.hpp"
#include "runtime/store/blob_store.hpp"
#include "runtime/store/node_store.hpp"
#include "runtime/store/postgres_store.hpp"
#include "runtime/store/status_reader.hpp"

namespace troupe::app {

namespace {

using namespace std::chrono_literals;

/// Something that an operator must put right before a node can start; the text says what.
struct cannot_start : failure {
  explicit cannot_start(const std::string& why) : failure("cannot_start", why) {}
};

/// SIGINT, SIGTERM and SIGHUP, waited for instead of handled. Must be made before any thread is.
class stop_signals {
 public:
  stop_signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    struct sigaction now {};
    sigaction(SIGHUP, nullptr, &now);
    if (now.sa_handler != SIG_IGN) sigaddset(&set_, SIGHUP);  // Ignored: started by nohup.
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
        engine_(all.node.threads, all.cluster.membership.probe),
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
    int signal = 0;
    while ((signal = signals_.wait(1h)) == 0) {
    }
    const bool ended = ended_;
    if (ended && !lease_->superseded()) rejoin();
    stop(signal);
    return ended ? 1 : 0;
  }

 private:
  /// Ports first: a second node with the same config stops here, before it can disturb the first.
  void listen() {
    admin_environment_.node = all_.node.id;
    admin_environment_.router = &router_;
    admin_environment_.cluster = &cluster_board_;
    admin_environment_.shard_of = [this](const entity_id& id) { return shard_of(id); };
    admin_environment_.status = [this] { return status_.status(); };
    admin_environment_.shards = [this] { return status_.shards(); };
    admin_environment_.health = [this] { return status_.health_json(); };
    admin_environment_.store_lost = [this](shard_id shard) {
      return board_.store_lost(shard) || status_.store_away();
    };
    admin_environment_.stale = [this] { return status_.stale(); };
    admin_environment_.given_up = [this](shard_id shard) {
      return board_.read().at(shard.value()).stopped;
    };
    admin_environment_.request_timeout = all_.cluster.entities.request_timeout;
    admin_ = system_.spawn<admin_actor>(&admin_environment_);
    self_ = node_self(all_);
    self_.links = std::make_shared<cluster::link_register>(link_silence_max(all_.cluster));
    warn_of_certificates();
    cluster::link_door door{self_, admin_, admin_atom_v, {}};
    door.objection = [this](const std::string& id, incarnation life) {
      return objection_to(cluster_board_.read().view, id, life);
    };
    links_ = std::make_unique<cluster::link_listener>(system_, all_.node.admin.host,
                                                      all_.node.admin.port, std::move(door));
    http::routes routes;
    routes.get("/metrics", [this](const http::request&, const http::reply& reply) {
      reply({200, std::string(metrics::exposition_type), {}, metrics_.expose()});
    });
    routes.get("/healthz", [this](const http::request& r, const http::reply& reply) {
      answer_health(r, reply, &health_report::healthy);
    });
    routes.get("/readyz", [this](const http::request& r, const http::reply& reply) {
      answer_health(r, reply, &health_report::ready);
    });
    if (!all_.node.security.token.empty()) routes.guard(token_guard(all_.node.security.token));
    http_ = std::make_unique<http::server>("node", std::move(routes), metrics_);
    http_->start(all_.node.http.host, all_.node.http.port);
  }

  /// Strangers learn yes or no, who has the token also why.
  void answer_health(const http::request& r, const http::reply& reply,
                     bool health_report::*good) const {
    const bool fine = status_.health().*good;
    const auto& token = all_.node.security.token;
    const auto body = token.empty() || shows_token(r, token) ? status_.health_json().dump()
                      : fine                                 ? R"({"ok":true})"
                                                             : R"({"ok":false})";
    reply(http::json(fine ? 200 : 503, std::string(body) + "\n"));
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

  /// A node of this id at another address that answers is alive: it keeps its id. One that does not
  /// answer (killed a moment ago) is superseded. At our own address nobody can be: the port is
  /// ours.
  void refuse_double(const std::string& address) {
    store::status_reader reader(all_.cluster.postgres.dsn);
    for (const auto& other : reader.nodes()) {
      if (other.id != all_.node.id || !other.alive || other.address == address) continue;
      try {
        cluster::dial(system_, cluster::link_target_of(other.address, other.id), self_, 1s);
      } catch (const cluster::duplicate_node&) {
        throw cannot_start("a live node at " + other.address + " has the id " + all_.node.id +
                           ": give each node an id of its own, or stop that one first");
      } catch (const cluster::link_error& e) {
        log::info("node", "predecessor_gone", {{"address", other.address}, {"reason", e.what()}});
      }
    }
  }

  void warn_of_certificates() const {
    if (!self_.credentials) {
      if (all_.node.security.insecure)
        log::warn("node", "insecure", {{"reason", "links are neither encrypted nor proved"}});
      return;
    }
    constexpr int warn_days = 14;
    if (const int days = self_.credentials->days_left(); days < warn_days)
      log::warn("node", "certificate_ends",
                {{"file", all_.node.security.certificate_file}, {"days_left", days}});
  }

  void join() {
    nodes_ = std::make_unique<store::node_store>(node_store_options(all_));
    const auto ttl = all_.cluster.lease.ttl;
    const auto address = all_.node.admin.host + ':' + std::to_string(all_.node.admin.port);
    patiently("PostgreSQL", [&] { refuse_double(address); });
    steady_time joined_at;
    patiently("PostgreSQL", [&] {
      joined_at = clock_.steady();
      life_ = nodes_->join(all_.node.id, address, std::string(version), ttl);
    });
    self_.life = life_;
    status_.joined(life_);
    status_.watch_cluster(metrics_, [this] { return cluster_board_.read().view; });
    cluster::lease_keeper::callbacks on;
    on.lost = [this](bool ended) {
      log::error("node", "lease_lost", {{"for_ever", ended}});
      caf::anon_send(supervisor_, lease_atom_v, false, ended);
      if (!ended) return;
      ended_ = true;
      if (lease_->superseded())
        log::error("node", "superseded",
                   {{"remedy", "another process runs with this node id: give each its own"}});
      stop_signals::raise();
    };
    on.regained = [this] {
      log::info("node", "lease_regained");
      caf::anon_send(supervisor_, lease_atom_v, true, false);
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
    store_watches_ = watch_store(metrics_, *store_);
    ingress_ = std::make_unique<bridge::kafka_ingress>(bridge_ingress_options(all_, things_));
    status_.ask_kafka([this] { return ingress_->away_since(); });
    egress_ = std::make_unique<bridge::kafka_egress>(
        bridge_egress_options(all_, [this] { return lease_valid(); }));
    history_ = std::make_unique<bridge::kafka_history>(bridge_kafka_options(all_), things_.ingress);
    environment_.setup = {things_, limits_of(all_.cluster),
                          [this](const entity_id& id) { return shard_of(id); }};
    environment_.store = store_.get();
    environment_.ingress = ingress_.get();
    environment_.egress = egress_.get();
    environment_.history = history_.get();
    make_services();
    environment_.services = &services_;
    environment_.clock = &clock_;
    environment_.self = life_;
    environment_.lease_valid = [this] { return lease_valid(); };
    environment_.board = &board_;
    environment_.router = &router_;
    lease_ = std::make_unique<cluster::lease_keeper>(*nodes_, life_, joined_at_,
                                                     keeper_options(all_.cluster.lease), lease_on_);
    status_.ask_lease([this] { return lease_->valid(); }, [this] { return lease_->away_since(); });
    cluster_store_ = std::make_unique<store::cluster_store>(cluster_store_options(all_));
    status_.ready_when([this] {
      const auto view = cluster_board_.read().view;
      return view.leader != incarnation(0) && !view.shards.empty() &&
             std::ranges::none_of(view.shards, [](const auto& s) { return s.assigned.empty(); });
    });
    member_environment_ = {
        self_, membership_options_of(all_.cluster), cluster_store_.get(), &router_, &clock_, admin_,
        {}};
    const auto& tell_deaths_to = all_.notifications.rules.node_deaths;
    if (!tell_deaths_to.empty()) {
      herald_ = system_.spawn<death_herald>(admin_, tell_deaths_to);
      member_environment_.died = [this](incarnation life, const std::string& id) {
        caf::anon_send(herald_, order_atom_v, life.value(), id);
      };
    }
    member_ = system_.spawn<member_actor>(&member_environment_, &cluster_board_);
    supervisor_ = system_.spawn<supervisor_actor>(&environment_,
                                                  supervision_of(all_.cluster.entities), member_);
    caf::anon_send(member_, supervisor_atom_v, supervisor_);
    caf::anon_send(admin_, member_atom_v, member_);
    watch_ = system_.spawn(watch_actors,
                           watched_actors{{"member", member_.address()},
                                          {"supervisor", supervisor_.address()},
                                          {"admin", admin_.address()}},
                           [this](const std::string& name, const std::string& reason) {
                             on_actor_ended(name, reason);
                           });
  }

  /// Nothing takes its place in this process: another incarnation does.
  void on_actor_ended(const std::string& name, const std::string& reason) {
    if (stopping_) return;
    log::error("node", "actor_ended", {{"actor", name}, {"reason", reason}});
    ended_ = true;
    stop_signals::raise();
  }

  void make_services() {
    notifier_ = std::make_unique<notifier>(all_.notifications);
    services_.add(ops::log_service, *notifier_);
    services_.add(ops::webhook_service, *notifier_);
    const auto blobs = std::make_shared<store::blob_store>(all_.cluster.postgres.dsn);
    runner_ = std::make_unique<job_runner>(
        all_.node.id, all_.backtests, [blobs](const std::string& id) { return blobs->get(id); },
        metrics_);
    services_.add(trading::backtest_service, *runner_);
  }

  /// Declared dead, or crippled: whatever is in memory may be stale. Another incarnation begins
  /// from nothing, in the same process.
  [[noreturn]] void rejoin() {
    log::warn("node", "rejoins", {{"incarnation_that_ended", life_}});
    std::ifstream in("/proc/self/cmdline", std::ios::binary);
    std::vector<std::string> words;
    for (std::string word; std::getline(in, word, '\0');) words.push_back(word);
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::this_thread::sleep_for(500ms);  // A node that is cut off does not come back at once.
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);  // The ports are needed again.
    execv("/proc/self/exe", arguments.data());
    throw cannot_start(std::string("cannot begin anew: ") + std::strerror(errno));
  }

  bool lease_valid() const { return lease_ && lease_->valid(); }

  /// Lets the shards drain; whatever is not finished in time is recovered by whoever owns it next.
  void stop(int signal) {
    stopping_ = true;
    log::info("node", "stopping", {{"signal", signal}, {"shards", all_.cluster.shards}});
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
      if (!ended_)
        self->request(member_, caf::duration{12s}, drain_atom_v)
            .receive([](caf::unit_t) {}, [](caf::error&) {});
      self->monitor(supervisor_);
      self->send(supervisor_, stop_atom_v);
      bool drained = false;
      self->receive([&](const caf::down_msg&) { drained = true; }, caf::after(10s) >> [] {});
      if (!drained) end_hosts(self);
    }
    status_.ask_kafka({});
    status_.ask_lease({}, {});
    notifier_.reset();
    runner_.reset();
    ingress_.reset();
    egress_.reset();
    history_.reset();
    lease_.reset();  // Before leaving: a renewal after it would look like a death.
    nodes_->leave(life_);
    for (const auto& [life, member] : cluster_board_.read().members)
      caf::anon_send(member, look_atom_v);
    links_.reset();
    caf::anon_send_exit(member_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(supervisor_, caf::exit_reason::kill);
    if (herald_) caf::anon_send_exit(herald_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(admin_, caf::exit_reason::user_shutdown);
    store_watches_.clear();
    store_.reset();
    log::info("node", "stopped");
    {
      const std::lock_guard lock(stopped_mutex_);
      done_ = true;
    }
    stopped_.notify_one();
    watchdog.join();
  }

  /// What has not drained ends before that which it calls.
  void end_hosts(caf::scoped_actor& self) {
    auto hosts = router_.all();
    std::erase_if(hosts, [](const auto& host) { return !host; });
    self->send_exit(supervisor_, caf::exit_reason::kill);  // It would start them again.
    for (const auto& host : hosts) {
      self->monitor(host);
      self->send_exit(host, caf::exit_reason::kill);
    }
    log::warn("node", "shards_not_drained", {{"shards", hosts.size()}});
    for (std::size_t open = hosts.size() + 1; open > 0; --open)
      self->receive([](const caf::down_msg&) {}, caf::after(5s) >> [&] { open = 1; });
  }

  const settings& all_;
  const catalog& things_;
  const stop_signals& signals_;
  system_clock_source clock_;
  metrics::registry metrics_;
  const std::vector<metrics::registry::subscription> process_ = metrics::watch_process(metrics_);
  shard_router router_;
  status_board board_;
  node_status status_;
  engine_config engine_;
  caf::actor_system system_;
  admin_environment admin_environment_;
  caf::actor admin_;
  cluster::link_self self_;
  std::unique_ptr<cluster::link_listener> links_;
  std::unique_ptr<http::server> http_;
  std::unique_ptr<store::node_store> nodes_;
  incarnation life_;
  steady_time joined_at_{};
  cluster::lease_keeper::callbacks lease_on_;
  std::unique_ptr<store::postgres_store> store_;
  std::vector<metrics::registry::subscription> store_watches_;
  std::unique_ptr<bridge::kafka_ingress> ingress_;
  std::unique_ptr<bridge::kafka_egress> egress_;
  std::unique_ptr<bridge::kafka_history> history_;
  std::unique_ptr<notifier> notifier_;
  std::unique_ptr<job_runner> runner_;
  services services_;
  caf::actor herald_;  // Null: no channel hears of deaths.
  host_environment environment_;
  std::unique_ptr<cluster::lease_keeper> lease_;
  caf::actor supervisor_;
  std::unique_ptr<store::cluster_store> cluster_store_;
  member_environment member_environment_;
  cluster_board cluster_board_;
  caf::actor member_;
  caf::actor watch_;
  std::atomic<bool> ended_{false};  // This incarnation cannot go on.
  std::atomic<bool> stopping_{false};
  std::mutex stopped_mutex_;
  std::condition_variable stopped_;
  bool done_ = false;
};

}  // namespace

void run_node(const settings& all, const catalog& things) {
  const stop_signals signals;
  try {
    // Never destroyed: the actor system's own end would wait for every actor, and nothing is left
    // that could need that.
    const int code = (*new node(all, things, signals)).run();
    std::cout.flush();
    _exit(code);
  } catch (const std::exception& e) {
    log::error("node", "cannot_start", {{"reason", e.what()}});
    const auto why = as_failure(e);
    _exit(tell_failure("node", why.name() == "failed" ? cannot_start(why.what()) : why, false));
  }
}

}  // namespace troupe::app
