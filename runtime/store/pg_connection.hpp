#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <unordered_set>
#include <vector>

#include "runtime/base/clock.hpp"
#include "runtime/base/ids.hpp"

namespace troupe::store {

/// How the runtime's connections behave; all of it goes into the connection string, so that it also
/// holds after a reconnect.
struct connection_options {
  /// libpq connection string, `key=value` form or URI.
  std::string dsn;
  /// Shown in pg_stat_activity; `application_name_of` makes the one that takeovers look for.
  std::string application_name = "troupe";
  /// A statement that takes longer is given up by the server. Also bounds how long a takeover waits
  /// for an old owner.
  std::chrono::milliseconds statement_timeout{10'000};
  /// A transaction that waits for us longer is ended by the server, with its locks.
  std::chrono::milliseconds idle_in_transaction_timeout{1'000};
  /// Plans fit for few rows by primary key, made once. False: the server's own choice, for reports.
  bool keyed_plans = true;
  /// Data unacknowledged by the server's host for longer means the connection is lost.
  std::chrono::milliseconds tcp_user_timeout{3'000};
  std::chrono::seconds connect_timeout{3};
};

/// `troupe:<node>:<incarnation>`.
std::string application_name_of(const std::string& node, incarnation life);

/// Parameters of a statement, each in PostgreSQL's binary format.
using binary_parameters = std::vector<pqxx::binarystring>;

enum class statement_result : std::uint8_t {
  done,
  unavailable,      // Nothing was written: no connection, or the server gave up (time, deadlock,
                    // resources).
  outcome_unknown,  // The connection was lost between sending and the answer.
  rejected,         // Nothing was written: the server refused the SQL or its values.
};

/// One connection, which is dropped on any loss and opened again by the next use. For one thread,
/// but for `interrupt`.
class pg_connection {
 public:
  explicit pg_connection(const connection_options& options);
  ~pg_connection();

  /// Opens the connection unless it is open and sound. Returns false if that failed; see
  /// `last_error`.
  bool ensure_open();

  /// Runs one prepared statement, outside of any transaction: one round trip. `sql` is sent when
  /// this connection has not yet prepared `name`. Never throws; failures are logged and described
  /// by `last_error`.
  statement_result execute(const std::string& name, const std::string& sql,
                           const binary_parameters& parameters, pqxx::result& out);

  /// Runs `body` in a transaction and commits it. Same results as `execute`; a `refused` thrown by
  /// `body` passes.
  statement_result transact(const std::function<void(pqxx::work&)>& body);

  /// Prepares a statement without running it; `rejected` if its SQL is bad. Same results as
  /// `execute` otherwise.
  statement_result prepare(const std::string& name, const std::string& sql);

  const std::string& last_error() const { return last_error_; }
  /// Whether the last attempt to connect failed for a reason that only an operator can mend: no
  /// such database or user, a wrong password, a DSN that cannot be read.
  bool refused_for_good() const { return refused_for_good_; }
  /// SQLSTATE of the last statement that failed; empty if the connection was lost instead.
  const std::string& last_sqlstate() const { return last_sqlstate_; }

  /// Breaks whatever is under way; it ends as a lost connection. Any thread.
  void interrupt();

 private:
  statement_result guarded(const std::string& what, const std::function<void()>& body);
  statement_result lost(const std::string& what, const char* why);
  statement_result failed(const std::string& what, const pqxx::sql_error& error);
  void prepare_once(const std::string& name, const std::string& sql);
  bool sound() const;
  void open();
  void drop();

  const std::string dsn_;
  std::mutex mutex_;  // Guards opening, dropping and interrupting.
  std::unique_ptr<pqxx::connection> connection_;
  bool sent_ = false;  // The statement at hand may have reached the server.
  std::unordered_set<std::string> prepared_;
  std::string last_error_;
  std::string last_sqlstate_;
  bool refused_for_good_ = false;
};

}  // namespace troupe::store
