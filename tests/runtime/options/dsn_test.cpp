#include "runtime/options/dsn.hpp"

#include <doctest/doctest.h>

namespace troupe {
namespace {

TEST_CASE("a dsn is settings or an address") {
  for (const auto* good : {"host=127.0.0.1", " host = 'a b'  port=1 ", "dbname=''",
                           "password=a\\ b user=x", "postgresql://h/db", "postgres://"})
    CHECK_MESSAGE(is_dsn(good), good);
  for (const auto* bad : {"", "  ", "localhost", "host=a b", "=x", "host='open", "host=a 'b'=c d"})
    CHECK_MESSAGE(!is_dsn(bad), bad);
}

TEST_CASE("the keywords of a dsn are found, of either form") {
  using words = std::vector<std::string>;
  CHECK(dsn_keywords("host=db hots = 'a b=c' user=t") == words{"host", "hots", "user"});
  CHECK(dsn_keywords("postgresql://u:p@h/db").empty());
  CHECK(dsn_keywords("postgresql://u:p@h/db?sslmode=require&hots=1&x") ==
        words{"sslmode", "hots", "x"});
  CHECK(dsn_keywords("no dsn").empty());
}

TEST_CASE("only what is known to be harmless is printed of a dsn") {
  struct row {
    std::string dsn, printed;
  };
  for (const auto& r : {
           row{"host=db user=t dbname=d", "host=db user=t dbname=d"},
           row{"password=hunter2 host=db", "password=*** host=db"},
           row{"host=db password = 'hunter2 hunter2' port=1", "host=db password=*** port=1"},
           row{"password='hunter\\'2 host=x'", "password=***"},
           row{"password=hunter\\ 2 host=x", "password=*** host=x"},
           row{"pasword=hunter2 sslpassword=hunter2", "pasword=*** sslpassword=***"},
           row{"password= hunter2", "password=***"},
           row{"password=hun ter2", "***"},
           row{"password='hunter2", "***"},
           row{"hunter2", "***"},
           row{"postgresql://u:hunter2@h/db", "postgresql://***"},
           row{"password=${PW:-hunter2}", "password=***"},
       }) {
    CAPTURE(r.dsn);
    CHECK(without_password(r.dsn) == r.printed);
    CHECK(without_password(r.dsn).find("hunter") == std::string::npos);
  }
}

}  // namespace
}  // namespace troupe
