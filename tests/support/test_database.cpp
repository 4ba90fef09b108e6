#include "tests/support/test_database.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <pqxx/pqxx>
#include <stdexcept>

namespace troupe::test {
namespace {

std::string server_dsn() {
  const char* dsn = std::getenv("TROUPE_TEST_DSN");
  if (dsn == nullptr) throw std::runtime_error("TROUPE_TEST_DSN must name the tests' PostgreSQL");
  return dsn;
}

std::string unique_name() {
  static std::atomic<int> count{0};
  return "test_" + std::to_string(::getpid()) + '_' + std::to_string(++count);
}

std::string with_options(const std::string& dsn) {
  return dsn + " options=-cclient_min_messages=warning";
}

std::string run_on(pqxx::connection& connection, const std::string& sql) {
  pqxx::nontransaction immediate(connection);
  const auto rows = immediate.exec(sql);
  return rows.empty() || rows[0].empty() ? std::string() : std::string(rows[0][0].c_str());
}

std::string run_in(const std::string& dsn, const std::string& sql) {
  pqxx::connection connection(with_options(dsn));
  return run_on(connection, sql);
}

}  // namespace

test_database::test_database() : server_dsn_(server_dsn()), name_(unique_name()) {
  run_in(server_dsn_, "drop database if exists " + name_ + " with (force)");
  run_in(server_dsn_, "create database " + name_);
  dsn_ = server_dsn_ + " dbname=" + name_;
  port_ = std::stoi(run("show port"));
}

test_database::~test_database() {
  connection_.reset();
  try {
    run_in(server_dsn_, "drop database if exists " + name_ + " with (force)");
  } catch (const std::exception&) {
    // A server that a test has left dead is that test's failure, not this one's.
  }
}

std::string test_database::dsn_by_port(int port) const {
  return dsn_ + " port=" + std::to_string(port);
}

std::string test_database::run(const std::string& sql) const {
  const std::lock_guard lock(mutex_);
  const bool kept = connection_ != nullptr;
  try {
    if (!kept) connection_ = std::make_unique<pqxx::connection>(with_options(dsn_));
    return run_on(*connection_, sql);
  } catch (const pqxx::broken_connection&) {
    connection_.reset();
    if (!kept) throw;
  }
  // The server was restarted since the last time.
  connection_ = std::make_unique<pqxx::connection>(with_options(dsn_));
  return run_on(*connection_, sql);
}

}  // namespace troupe::test
