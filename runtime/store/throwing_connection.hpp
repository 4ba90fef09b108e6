#pragma once

#include "runtime/store/pg_connection.hpp"
#include "runtime/store/store_error.hpp"

namespace troupe::store {

/// For callers that wait for the database and tell a user what is wrong with it.
struct throwing_connection : pg_connection {
  using pg_connection::pg_connection;

  /// Throws `unavailable_error` when the database is out of reach and `refused` when it has no such
  /// tables or does not let us in.
  void run(const std::function<void(pqxx::work&)>& body) {
    const auto result = transact(body);
    constexpr auto undefined_table = "42P01";
    if (result == statement_result::rejected && last_sqlstate() == undefined_table)
      throw refused(
          "the database lacks Troupe's tables: run `troupe migrate` with the same --config");
    if (result == statement_result::rejected || refused_for_good()) throw refused(last_error());
    if (result != statement_result::done) throw unavailable_error(last_error());
  }
};

}  // namespace troupe::store
