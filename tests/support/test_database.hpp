#pragma once

#include <memory>
#include <mutex>
#include <pqxx/connection>
#include <string>

namespace troupe::test {

/// A fresh, empty database on the tests' PostgreSQL (TROUPE_TEST_DSN), dropped at the end, also if
/// connections to it are still open.
class test_database {
 public:
  test_database();
  ~test_database();
  test_database(const test_database&) = delete;
  test_database& operator=(const test_database&) = delete;

  /// Connection string of the new database.
  const std::string& dsn() const { return dsn_; }
  /// The same by way of another loopback port, e.g. a `tcp_proxy`'s.
  std::string dsn_by_port(int port) const;
  int port() const { return port_; }

  /// Runs SQL in it; returns the first value of the result as text, or nothing. Throws on any
  /// failure.
  std::string run(const std::string& sql) const;

 private:
  std::string server_dsn_;
  std::string name_;
  std::string dsn_;
  int port_ = 5432;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<pqxx::connection> connection_;  // Kept: tests ask again and again.
};

}  // namespace troupe::test
