#include "actors/market/json_text.hpp"

namespace troupe::market {

json_text& json_text::decimal(wide units) {
  if (units < 0 || units > INT64_MAX) return text(to_string(units));
  const auto narrow = static_cast<std::int64_t>(units);
  raw("\"").number(narrow / fixed::scale);
  auto fraction = narrow % fixed::scale;
  if (fraction == 0) return raw("\"");
  char digits[fixed::decimals];
  for (int i = fixed::decimals; i-- > 0; fraction /= 10)
    digits[i] = static_cast<char>('0' + fraction % 10);
  std::size_t used = fixed::decimals;
  while (digits[used - 1] == '0') --used;
  return raw(".").raw({digits, used}).raw("\"");
}

}  // namespace troupe::market
