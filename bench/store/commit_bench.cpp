// Commit rates of the store beside a bare unnest insert of as many rows, in the same run; then a
// steady load of many shards, with the CPU that it costs the store and PostgreSQL. Needs
// TROUPE_TEST_DSN; makes a database of its own.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <future>
#include <pqxx/pqxx>
#include <random>
#include <thread>

#include "bench/support/figures.hpp"
#include "runtime/store/array_encoder.hpp"
#include "runtime/store/migration.hpp"
#include "runtime/store/node_store.hpp"
#include "runtime/store/postgres_store.hpp"
#include "tests/support/test_database.hpp"

namespace troupe::store {
namespace {

using namespace std::chrono_literals;

bool json = false;

void report(const std::string& metric, double value, const char* unit) {
  const auto* format =
      json ? "{\"bench\": \"store\", \"metric\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n"
           : "%-48s %14.6g %s\n";
  std::printf(format, metric.c_str(), value, unit);
  std::fflush(stdout);
}

double seconds_since(steady_time t) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count();
}

// JSON of about `bytes`, as little repetitive as indicator states are.
std::string state_of(std::size_t bytes, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string out = "{\"values\":[0";
  for (int i = 1; out.size() < bytes; ++i)
    (out += i % 8 == 0 ? ",{\"open\":" : ",") +=
        std::to_string(random() % 1'000'000) + (i % 8 == 0 ? "}" : ".25");
  return out + "]}";
}

struct states {
  explicit states(std::size_t bytes) {
    for (std::uint32_t i = 0; i < 64; ++i) list.push_back(state_of(bytes, i));
  }
  const std::string& operator[](std::size_t i) const { return list[i % list.size()]; }
  std::vector<std::string> list;
};

struct cluster {
  explicit cluster(std::uint32_t shards) {
    migrate(db.dsn(), runtime_migrations());
    claim_cluster(db.dsn(), {"bench", shards});
    life = node_store({db.dsn()}).join("bench", "none", "bench", 1h);
  }
  postgres_store_options options(std::uint32_t threads) const {
    postgres_store_options o;
    o.dsn = db.dsn();
    o.life = life;
    o.threads = threads;
    return o;
  }
  epoch take(postgres_store& store, std::uint32_t shard) const {
    std::promise<epoch> era;
    store.take(shard_id(shard), life, [&](auto taken, auto) { era.set_value(taken.value().era); });
    return era.get_future().get();
  }
  test::test_database db;
  incarnation life;
};

// One commit of `units`: each an entity of 200 bytes and an outbox row; positions with every
// commit; what the commit before sent is acknowledged.
commit_batch batch_of(shard_id shard, epoch era, int units, std::int64_t first, const states& s) {
  commit_batch b;
  b.shard = shard;
  b.era = era;
  b.positions = {{"market", position(first)}, {"orders", position(first)}};
  for (int i = 0; i < units; ++i) {
    b.entities.push_back({{"thing", std::to_string(i)}, 1, s[static_cast<std::size_t>(first + i)]});
    b.outbox.push_back(
        {"topic:out", sequence(first + i), std::to_string(i), "{\"n\":12345,\"price\":\"12.5\"}"});
  }
  if (first > 1) b.delivered = {{"topic:out", sequence(first - 1)}};
  return b;
}

// Times of one kind of write, taken in turns with another's: both see the same disk.
struct measured {
  std::vector<double> latencies;

  template <class Write>
  void round(Write write) {
    for (int i = 0; i < 5; ++i) {
      const auto sent = std::chrono::steady_clock::now();
      write();
      latencies.push_back(seconds_since(sent));
    }
  }
  void report_as(const std::string& name, int rows) {
    double sum = 0;
    for (const auto l : latencies) sum += l;
    report(name + ": rate", rows * static_cast<double>(latencies.size()) / sum, "1/s");
    report(name + ": p50", bench::quantile(latencies, 0.5) * 1e3, "ms");
    report(name + ": p99", bench::quantile(latencies, 0.99) * 1e3, "ms");
  }
};

class store_writer {
 public:
  explicit store_writer(const cluster& c) : store_(c.options(1), {}), era_(c.take(store_, 0)) {}

  void write(int units) {
    std::promise<commit_outcome> outcome;
    store_.commit(batch_of(shard_id(0), era_, units, next_, states_),
                  [&](auto o) { outcome.set_value(o); });
    if (outcome.get_future().get() != commit_outcome::committed)
      throw std::runtime_error("a commit failed");
    next_ += units;
  }

 private:
  const states states_{200};
  std::int64_t next_ = 1;
  postgres_store store_;
  epoch era_;
};

// The yardstick: as many rows of the same size appended to one table, nothing else.
class bare_writer {
 public:
  explicit bare_writer(const cluster& c) : connection_(c.db.dsn()) {
    pqxx::nontransaction(connection_)
        .exec("create table bare(n int8 primary key, state text, payload text)");
    connection_.prepare(
        "bare", "insert into bare select * from unnest($1::int8[], $2::text[], $3::text[])");
  }

  void write(int rows) {
    const auto size = static_cast<std::size_t>(rows);
    array_encoder keys(pg_type::int8, size), state(pg_type::text, size),
        payload(pg_type::text, size);
    for (int i = 0; i < rows; ++i, ++next_) {
      keys.put(next_);
      state.put(std::string_view(states_[static_cast<std::size_t>(next_)]));
      payload.put(std::string_view("{\"n\":12345,\"price\":\"12.5\"}"));
    }
    pqxx::nontransaction(connection_)
        .exec_prepared("bare", pqxx::binarystring(std::move(keys).take()),
                       pqxx::binarystring(std::move(state).take()),
                       pqxx::binarystring(std::move(payload).take()));
  }

 private:
  const states states_{200};
  std::int64_t next_ = 1;
  pqxx::connection connection_;
};

void bench_commits(const cluster& c) {
  store_writer store(c);
  bare_writer bare(c);
  for (const int units : {1, 10, 100, 1000}) {
    measured ours, yardstick;
    const auto start = std::chrono::steady_clock::now();
    while (seconds_since(start) < 4) {
      ours.round([&] { store.write(units); });
      yardstick.round([&] { bare.write(units); });
    }
    ours.report_as("commit of " + std::to_string(units) + " units", units);
    yardstick.report_as("bare unnest insert of " + std::to_string(units) + " rows", units);
  }
}

double own_cpu() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(u.ru_utime) + of(u.ru_stime);
}

struct process {
  int parent = 0;
  double cpu = 0;  // With that of children that have ended.
};

process read_process(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto after_name = text.rfind(')');
  if (after_name == std::string::npos) return {};
  char state = 0;
  int parent = 0;
  long user = 0, system = 0, children_user = 0, children_system = 0;
  std::sscanf(text.c_str() + after_name + 1,
              " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld", &state, &parent, &user,
              &system, &children_user, &children_system);
  const auto ticks = static_cast<double>(user + system + children_user + children_system);
  return {parent, ticks / static_cast<double>(::sysconf(_SC_CLK_TCK))};
}

// CPU of the server and all its processes.
double server_cpu(int postmaster) {
  double sum = read_process(postmaster).cpu;
  DIR* dir = ::opendir("/proc");
  while (const auto* entry = ::readdir(dir))
    if (const int pid = std::atoi(entry->d_name); pid > 0)
      if (const auto p = read_process(pid); p.parent == postmaster) sum += p.cpu;
  ::closedir(dir);
  return sum;
}

int postmaster_of(const cluster& c) {
  return std::stoi(c.db.run("select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"));
}

// 64 shards, 20 commits a second each, of one state of 5 KB, positions and an outbox row that the
// next commit clears.
void bench_steady(const cluster& c) {
  constexpr std::uint32_t shards = 64, a_second = 20;
  constexpr auto length = 15s;
  postgres_store store(c.options(4), {});
  std::vector<epoch> eras;
  for (std::uint32_t s = 0; s < shards; ++s) eras.push_back(c.take(store, s));
  const states s(5'000);
  std::mutex mutex;
  std::vector<double> latencies;
  std::atomic<int> open = 0, failed = 0;
  const int postmaster = postmaster_of(c);
  const double cpu_before = own_cpu(), server_before = server_cpu(postmaster);
  const auto start = std::chrono::steady_clock::now();
  const auto total = shards * a_second * static_cast<std::uint32_t>(length.count());
  for (std::uint32_t i = 0; i < total; ++i) {
    std::this_thread::sleep_until(start + i * 1'000'000us / (shards * a_second));
    auto b = batch_of(shard_id(i % shards), eras[i % shards], 1, 1'000'000'000 + i, s);
    b.entities[0].id.key = std::to_string(i / shards % 32);
    const auto sent = std::chrono::steady_clock::now();
    ++open;
    store.commit(std::move(b), [&, sent](auto outcome) {
      const std::lock_guard lock(mutex);
      latencies.push_back(seconds_since(sent));
      if (outcome != commit_outcome::committed) ++failed;
      --open;
    });
  }
  while (open > 0) std::this_thread::yield();
  const double took = seconds_since(start);
  const auto commits = static_cast<double>(total);
  report("64 shards x 20/s x 5 KB: commits", commits / took, "1/s");
  report("64 shards x 20/s x 5 KB: failed", failed, "commits");
  report("64 shards x 20/s x 5 KB: p50", bench::quantile(latencies, 0.5) * 1e3, "ms");
  report("64 shards x 20/s x 5 KB: p99", bench::quantile(latencies, 0.99) * 1e3, "ms");
  report("64 shards x 20/s x 5 KB: client CPU", (own_cpu() - cpu_before) / commits * 1e6,
         "us/commit");
  report("64 shards x 20/s x 5 KB: PostgreSQL CPU",
         (server_cpu(postmaster) - server_before) / commits * 1e6, "us/commit");
  report("64 shards x 20/s x 5 KB: entity table",
         std::stod(c.db.run("select pg_table_size('entity')")) / 1e6, "MB");
}

void run() {
  bench_commits(cluster(1));
  bench_steady(cluster(64));
}

}  // namespace
}  // namespace troupe::store

int main(int count, char** arguments) {
  troupe::store::json = count > 1 && std::strcmp(arguments[1], "--json") == 0;
  try {
    troupe::store::run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_store: %s\n", e.what());
    return 1;
  }
}
