#include "runtime/store/array_encoder.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <pqxx/pqxx>

#include "tests/support/test_database.hpp"

namespace troupe::store {
namespace {

// What PostgreSQL understood, as its own array text.
std::string understood(const std::string& dsn, pg_type type, const std::string& bytes) {
  pqxx::connection c(dsn);
  pqxx::nontransaction tx(c);
  const auto sql = "select ($1::" + std::string(array_name(type)) + ")::text";
  return tx.exec_params(sql, pqxx::binarystring(bytes))[0][0].c_str();
}

std::string cells(const std::string& dsn, column_type type, std::vector<row_block::cell> v) {
  return understood(dsn, type_of(type), encode_column(type, v));
}

wide wide_max() {
  return static_cast<wide>(~static_cast<std::uint64_t>(0)) << 63;
}

}  // namespace

TEST_CASE("every column type arrives in PostgreSQL as it was") {
  const test::test_database db;
  using limit = std::numeric_limits<std::int64_t>;
  CHECK(cells(db.dsn(), column_type::integer, {std::int64_t{1}, limit::min(), limit::max()}) ==
        "{1,-9223372036854775808,9223372036854775807}");
  CHECK(cells(db.dsn(), column_type::real,
              {0.1, -1e300, std::numeric_limits<double>::quiet_NaN(),
               std::numeric_limits<double>::infinity(),
               std::numeric_limits<double>::denorm_min()}) == "{0.1,-1e+300,NULL,Infinity,5e-324}");
  CHECK(cells(db.dsn(), column_type::text,
              {std::string("a"), std::string(), std::string("ü\\\"'{}")}) ==
        "{a,\"\",\"ü\\\\\\\"'{}\"}");
  CHECK(cells(db.dsn(), column_type::timestamp,
              {std::int64_t{0}, std::int64_t{1'700'000'000'123'456}, std::int64_t{-1}}) ==
        "{\"1970-01-01 00:00:00+00\",\"2023-11-14 22:13:20.123456+00\",\"1969-12-31 "
        "23:59:59.999999+00\"}");
}

TEST_CASE("numbers are exact, without trailing zeros") {
  const test::test_database db;
  struct row {
    wide units;
    const char* expected;
  };
  const row rows[] = {{0, "{0}"},
                      {1, "{0.00000001}"},
                      {-1, "{-0.00000001}"},
                      {100'000'000, "{1}"},
                      {1'250'000'000, "{12.5}"},
                      {-999'999'999'999, "{-9999.99999999}"},
                      {1'000'000'000'000, "{10000}"},
                      {1'000'100'000'000, "{10001}"},
                      {10'000, "{0.0001}"},
                      {100'000, "{0.001}"},
                      {wide{123'456'789} * 100'000'000 + 12'345'678, "{123456789.12345678}"}};
  for (const auto& r : rows) CHECK(cells(db.dsn(), column_type::numeric, {r.units}) == r.expected);
  for (const wide extreme : {wide_max(), -wide_max()})
    CHECK(cells(db.dsn(), column_type::numeric, {extreme}) == '{' + to_string(extreme) + '}');
}

TEST_CASE("numbers of every size agree with the decimal text") {
  const test::test_database db;
  std::vector<row_block::cell> values;
  std::string expected;
  wide v = 1;
  for (int i = 0; i < 120; ++i, v = v * 2 + (i % 3)) {
    const wide sign = i % 2 == 0 ? 1 : -1;
    values.emplace_back(v * sign);
    expected += (i == 0 ? "{" : ",") + to_string(v * sign);
  }
  CHECK(cells(db.dsn(), column_type::numeric, values) == expected + '}');
}

TEST_CASE("bytes of any kind survive") {
  const test::test_database db;
  array_encoder bytes(pg_type::bytea, 2);
  bytes.put(std::string_view("\0\xff\\", 3));
  bytes.put(std::string_view());
  CHECK(understood(db.dsn(), pg_type::bytea, std::move(bytes).take()) ==
        "{\"\\\\x00ff5c\",\"\\\\x\"}");
}

}  // namespace troupe::store
