#include "runtime/store/dsn_check.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>

#include "runtime/options/dsn.hpp"
#include "runtime/options/nearest.hpp"

namespace troupe::store {

namespace {

struct freer {
  void operator()(PQconninfoOption* p) const { PQconninfoFree(p); }
};
using conninfo_ptr = std::unique_ptr<PQconninfoOption, freer>;

std::set<std::string> known_keywords() {
  std::set<std::string> names;
  const conninfo_ptr all(PQconndefaults());
  for (const auto* one = all.get(); one != nullptr && one->keyword != nullptr; ++one)
    names.insert(one->keyword);
  return names;
}

/// Anything else may be a piece of a password that was not quoted or encoded as it should be.
bool may_be_shown(std::string_view word) {
  constexpr std::size_t length_max = 32;
  return !word.empty() && word.size() <= length_max &&
         std::ranges::all_of(word, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

}  // namespace

std::string refusal_of_dsn(const std::string& dsn) {
  // What libpq says is not passed on: it repeats pieces of the text.
  const conninfo_ptr parsed(PQconninfoParse(dsn.c_str(), nullptr));
  if (parsed) return {};
  const auto known = known_keywords();
  std::string unknown;
  for (const auto& word : dsn_keywords(dsn)) {
    if (known.empty() || known.contains(word) || !may_be_shown(word)) continue;
    const auto meant = nearest(word, known);
    unknown += (unknown.empty() ? "" : ", ") + word +
               (meant.empty() ? "" : " (did you mean " + meant + "?)");
  }
  return unknown.empty() ? "libpq does not understand it" : "libpq knows no keyword " + unknown;
}

}  // namespace troupe::store
