#include <latch>
#include <thread>

#include "runtime/store/status_reader.hpp"
#include "tests/runtime/store/store_fixture.hpp"

namespace troupe::store {
namespace {

const migration first{"demo/0001_a", "create table a(x int)"};
const migration second{"demo/0002_b", "create table b(x int); insert into b values (1)"};

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const refused& r) {
    return r.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("migrations are applied once, in order, and later ones on top") {
  const test::test_database db;
  CHECK(missing_migrations(db.dsn(), std::array{first, second}).size() == 2);
  CHECK(migrate(db.dsn(), std::array{first}) == std::vector<std::string>{"demo/0001_a"});
  CHECK(migrate(db.dsn(), std::array{first}).empty());
  CHECK(migrate(db.dsn(), std::array{first, second}) == std::vector<std::string>{"demo/0002_b"});
  CHECK(missing_migrations(db.dsn(), std::array{first, second}).empty());
  CHECK(db.run("select count(*) from b") == "1");
}

TEST_CASE("a changed migration, a newer database and a failing migration are refused by name") {
  const test::test_database db;
  migrate(db.dsn(), std::array{first, second});
  const migration changed{"demo/0001_a", "create table a(x bigint)"};
  CHECK(refusal([&] {
          migrate(db.dsn(), std::array{changed, second});
        }).find("demo/0001_a") != std::string::npos);
  const auto newer = refusal([&] { migrate(db.dsn(), std::array{first}); });
  CHECK(newer.find("demo/0002_b") != std::string::npos);
  CHECK(newer.find("newer") != std::string::npos);

  const migration failing{"demo/0003_c", "create table c(x int); select 1/0"};
  const auto failed = refusal([&] { migrate(db.dsn(), std::array{first, second, failing}); });
  CHECK(failed.find("demo/0003_c") != std::string::npos);
  CHECK(db.run("select to_regclass('c') is null") == "t");
  CHECK(missing_migrations(db.dsn(), std::array{first, second, failing}).size() == 1);
}

TEST_CASE("many runners at once apply each migration exactly once") {
  const test::test_database db;
  const std::array all{first, second};
  std::atomic<int> applied{0}, failures{0};
  std::latch together(8);
  std::vector<std::jthread> runners;
  for (int i = 0; i < 8; ++i)
    runners.emplace_back([&] {
      together.arrive_and_wait();
      try {
        applied += static_cast<int>(migrate(db.dsn(), all).size());
      } catch (const std::exception&) {
        ++failures;
      }
    });
  runners.clear();
  CHECK(failures == 0);
  CHECK(applied == 2);
  CHECK(db.run("select count(*) from b") == "1");
}

TEST_CASE("an unreachable database is told apart from a refusal") {
  CHECK_THROWS_AS(migrate("host=127.0.0.1 port=1 user=none", runtime_migrations()),
                  unavailable_error);
}

TEST_CASE("cluster name and shard count are fixed when the cluster is made") {
  const cluster_database cluster(8);
  const auto& dsn = cluster.db.dsn();
  CHECK(refusal([&] { claim_cluster(dsn, {"test", 8}); }) == "accepted");
  CHECK(refusal([&] {
          claim_cluster(dsn, {"test", 16});
        }).find("shard_count is 8") != std::string::npos);
  CHECK(refusal([&] {
          claim_cluster(dsn, {"other", 8});
        }).find("name is test") != std::string::npos);
  CHECK(cluster.db.run("select count(*) from shard") == "8");
}

}  // namespace troupe::store
