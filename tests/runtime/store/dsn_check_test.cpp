#include "runtime/store/dsn_check.hpp"

#include <doctest/doctest.h>

namespace troupe::store {

TEST_CASE("what libpq takes is taken, in either form") {
  for (const auto* good :
       {"host=127.0.0.1 port=5432 user=troupe dbname=troupe password='a b' sslmode=require",
        "host=a,b target_session_attrs=read-write keepalives_idle=3 application_name=x",
        "postgresql://u:p@h:5432/db?sslmode=require&connect_timeout=3", "postgres://h"})
    CHECK_MESSAGE(refusal_of_dsn(good).empty(), good);
}

TEST_CASE("keywords that libpq does not know are named, all of them, and nothing else is shown") {
  CHECK(refusal_of_dsn("hots=hunter2") == "libpq knows no keyword hots (did you mean host?)");
  CHECK(refusal_of_dsn("host=h pasword=hunter2 dbnam=hunter2") ==
        "libpq knows no keyword pasword (did you mean password?), dbnam (did you mean dbname?)");
  CHECK(refusal_of_dsn("postgresql://u:hunter2@h/db?sslmod=hunter2&nothing_like_it=hunter2") ==
        "libpq knows no keyword sslmod (did you mean sslmode?), nothing_like_it");
  for (const auto* bad : {"host='hunter2", "postgresql://u:%zzhunter2@h/", "hunter2"})
    CHECK_MESSAGE(refusal_of_dsn(bad) == "libpq does not understand it", bad);
}

}  // namespace troupe::store
