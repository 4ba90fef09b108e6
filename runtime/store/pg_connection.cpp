#include "runtime/store/pg_connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "runtime/base/log.hpp"
#include "runtime/store/store_error.hpp"

namespace troupe::store {
namespace {

// More than the sets of parts that a running node meets; a guard for the server's memory, not a
// cache to tune.
constexpr std::size_t prepared_max = 256;

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      out += c;
    else
      (((out += '%') += hex[static_cast<unsigned char>(c) >> 4]) +=
       hex[static_cast<unsigned char>(c) & 15]);
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out += '\'';
}

// Plans are made once, when tables may still be empty, so scans that suit an empty table are ruled
// out beforehand.
constexpr std::string_view keyed_plans =
    " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off"
    " -c enable_mergejoin=off";

std::string server_options(const connection_options& o) {
  auto out = "-c statement_timeout=" + std::to_string(o.statement_timeout.count()) +
             " -c idle_in_transaction_session_timeout=" +
             std::to_string(o.idle_in_transaction_timeout.count()) +
             " -c synchronous_commit=on -c jit=off -c timezone=UTC -c client_min_messages=warning";
  if (o.keyed_plans) out += keyed_plans;
  return out;
}

std::string composed(const connection_options& o) {
  const std::array<std::pair<std::string_view, std::string>, 7> settings{{
      {"connect_timeout", std::to_string(o.connect_timeout.count())},
      {"keepalives_idle", "2"},
      {"keepalives_interval", "1"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", std::to_string(o.tcp_user_timeout.count())},
      {"application_name", o.application_name},
      {"options", server_options(o)},
  }};
  const bool uri = o.dsn.find("://") != std::string::npos;
  std::string out = o.dsn;
  char separator = !uri ? ' ' : o.dsn.find('?') == std::string::npos ? '?' : '&';
  for (const auto& [name, value] : settings) {
    out += separator;
    (out += name) += '=';
    out += uri ? percent_encoded(value) : quoted(value);
    separator = uri ? '&' : ' ';
  }
  return out;
}

// Classes after which the same statement may well succeed later: read-only server, log-in,
// rollback, resources, locks, operator intervention, system errors, lost prepared statements.
bool is_transient(std::string_view sqlstate) {
  constexpr std::array<std::string_view, 8> classes{"25", "26", "28", "40", "53", "55", "57", "58"};
  return std::find(classes.begin(), classes.end(), sqlstate.substr(0, 2)) != classes.end();
}

// A failed connect comes without SQLSTATE. libpq's own complaints about the DSN name no server.
bool only_an_operator_helps(std::string_view reason) {
  constexpr std::array<std::string_view, 8> phrases{
      "does not exist",          "authentication failed", "no pg_hba.conf entry",
      "not permitted to log in", "no password supplied",  "invalid connection option",
      "missing \"=\" after",     "invalid port number"};
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](auto phrase) { return reason.find(phrase) != std::string_view::npos; });
}

// The server ends the connection with these (shutdown, crash of another backend), or can't go on
// with it.
bool ends_connection(std::string_view sqlstate) {
  return sqlstate.starts_with("57P") || sqlstate.starts_with("26") || sqlstate.starts_with("0A");
}

std::string one_line(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

std::string application_name_of(const std::string& node, incarnation life) {
  return "troupe:" + node + ':' + std::to_string(life.value());
}

pg_connection::pg_connection(const connection_options& options) : dsn_(composed(options)) {}

pg_connection::~pg_connection() {
  drop();
}

bool pg_connection::ensure_open() {
  sent_ = false;
  refused_for_good_ = false;
  if (sound()) return true;
  try {
    open();
    return true;
  } catch (const std::exception& e) {
    lost("connect", e.what());
    refused_for_good_ = only_an_operator_helps(last_error_);
    return false;
  }
}

// A connection at rest has nothing to read: what is there is the server's farewell, or the end of
// the stream.
bool pg_connection::sound() const {
  if (!connection_ || !connection_->is_open()) return false;
  pollfd at_rest{connection_->sock(), POLLIN, 0};
  return ::poll(&at_rest, 1, 0) == 0;
}

void pg_connection::open() {
  drop();
  auto fresh = std::make_unique<pqxx::connection>(dsn_);
  const std::lock_guard lock(mutex_);
  connection_ = std::move(fresh);
}

void pg_connection::drop() {
  const std::lock_guard lock(mutex_);
  connection_.reset();
  prepared_.clear();
}

void pg_connection::interrupt() {
  const std::lock_guard lock(mutex_);
  if (connection_ && connection_->sock() >= 0) ::shutdown(connection_->sock(), SHUT_RDWR);
}

statement_result pg_connection::lost(const std::string& what, const char* why) {
  const auto reason = one_line(why);
  last_error_ = what + ": " + reason;
  last_sqlstate_.clear();
  log::warn("store", "connection_lost", {{"during", what}, {"reason", reason}, {"sent", sent_}});
  drop();
  return sent_ ? statement_result::outcome_unknown : statement_result::unavailable;
}

statement_result pg_connection::failed(const std::string& what, const pqxx::sql_error& error) {
  const bool alive = connection_ && connection_->is_open();
  if (!alive || error.sqlstate().starts_with("57P")) return lost(what, error.what());
  const auto detail = one_line(error.what());
  last_error_ = what + ": " + detail + " (SQLSTATE " + error.sqlstate() + ')';
  last_sqlstate_ = error.sqlstate();
  log::error("store", "statement_failed",
             {{"statement", what}, {"sqlstate", error.sqlstate()}, {"detail", detail}});
  if (ends_connection(error.sqlstate())) drop();
  return is_transient(error.sqlstate()) ? statement_result::unavailable
                                        : statement_result::rejected;
}

// Vendor exceptions end here.
statement_result pg_connection::guarded(const std::string& what,
                                        const std::function<void()>& body) {
  if (!ensure_open()) return statement_result::unavailable;
  try {
    body();
    return statement_result::done;
  } catch (const store::refused&) {
    throw;
  } catch (const pqxx::in_doubt_error& e) {
    sent_ = true;
    return lost(what, e.what());
  } catch (const pqxx::sql_error& e) {
    return failed(what, e);
  } catch (const std::exception& e) {
    return lost(what, e.what());
  }
}

void pg_connection::prepare_once(const std::string& name, const std::string& sql) {
  if (prepared_.contains(name)) return;
  if (prepared_.size() >= prepared_max) open();
  connection_->prepare(name, sql);
  connection_->prepare_now(name);
  prepared_.insert(name);
}

statement_result pg_connection::execute(const std::string& name, const std::string& sql,
                                        const binary_parameters& parameters, pqxx::result& out) {
  return guarded(name, [&] {
    prepare_once(name, sql);
    pqxx::nontransaction immediate(*connection_);
    sent_ = true;
    out = immediate.exec_prepared(name, pqxx::prepare::make_dynamic_params(parameters));
  });
}

statement_result pg_connection::transact(const std::function<void(pqxx::work&)>& body) {
  return guarded("transaction", [&] {
    pqxx::work transaction(*connection_);
    body(transaction);
    sent_ = true;
    transaction.commit();
  });
}

statement_result pg_connection::prepare(const std::string& name, const std::string& sql) {
  return guarded(name, [&] { prepare_once(name, sql); });
}

}  // namespace troupe::store
