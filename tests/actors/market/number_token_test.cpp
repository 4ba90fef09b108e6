#include <doctest/doctest.h>

#include <random>
#include <string>

#include "actors/market/number_token.hpp"

using namespace troupe;
using namespace troupe::market;

namespace {

/// Random text of the characters that numbers are made of.
std::string random_number(std::mt19937& random) {
  const std::string alphabet = "00112233445566778899..-e";
  std::string text;
  const auto length = random() % 24;
  for (std::size_t i = 0; i < length; ++i) text += alphabet[random() % alphabet.size()];
  return text;
}

}  // namespace

TEST_CASE("decimals are read as the base library reads them") {
  std::mt19937 random(7);
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto text = random_number(random);
    const auto expected = parse_fixed(text);
    const auto plain = read_decimal(text);
    const auto quoted = read_decimal('"' + text + '"');
    INFO(text);
    REQUIRE((plain.error == number_error::none) == expected.has_value());
    REQUIRE((quoted.error == number_error::none) == expected.has_value());
    if (!expected) continue;
    ++accepted;
    REQUIRE(plain.value == *expected);
    REQUIRE(quoted.value == *expected);
  }
  CHECK(accepted > 10'000);
}

TEST_CASE("decimals that are refused say why") {
  struct {
    const char* token;
    number_error error;
  } const cases[] = {{"", number_error::malformed},
                     {"\"\"", number_error::malformed},
                     {"\"", number_error::malformed},
                     {".", number_error::malformed},
                     {"1e400", number_error::malformed},
                     {"+1", number_error::malformed},
                     {"0x10", number_error::malformed},
                     {"1.2.3", number_error::malformed},
                     {"1.123456789", number_error::malformed},
                     {"1.12345678x", number_error::malformed},
                     {"\"1.1234567/\"", number_error::malformed},
                     {"true", number_error::malformed},
                     {"92233720368.54775807", number_error::none},
                     {"92233720368.54775808", number_error::too_large},
                     {"99999999999", number_error::too_large},
                     {"-99999999999999999999", number_error::too_large},
                     {"1.1234567800000", number_error::none}};
  for (const auto& c : cases) {
    CAPTURE(c.token);
    CHECK(read_decimal(c.token).error == c.error);
  }
}

TEST_CASE("sums and whole numbers") {
  CHECK(read_wide_decimal("\"123456789012345.5\"").value ==
        wide{123456789012345} * fixed::scale + 50'000'000);
  CHECK(read_wide_decimal("1e9").error == number_error::malformed);
  CHECK(read_wide_decimal("99999999999999999999999999999999999999999").error ==
        number_error::too_large);
  CHECK(read_integer("9223372036854775807").value == INT64_MAX);
  CHECK(read_integer("9223372036854775808").error == number_error::too_large);
  CHECK(read_integer("\"12\"").value == 12);
  CHECK(read_integer("1.5").error == number_error::malformed);
  CHECK(read_integer("").error == number_error::malformed);
}
