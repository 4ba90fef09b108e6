#include "actors/market/indicators/indicator_plan.hpp"

#include <stdexcept>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace troupe::market {

namespace {

constexpr std::uint32_t hash_seed = 2'166'136'261U;  // FNV-1a

void hash_into(std::uint32_t& hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const auto& line : lines) all += (all.empty() ? "" : "; ") + line;
  return all;
}

/// Reads them all; `violations` gets what is wrong with each and with the list.
std::vector<indicators::parsed_indicator> parse_all(std::span<const std::string> texts,
                                                    std::vector<std::string>& violations) {
  std::vector<indicators::parsed_indicator> all;
  std::unordered_set<std::string> seen;
  if (texts.size() > indicator_plan::length_max)
    violations.push_back("at most " + std::to_string(indicator_plan::length_max) +
                         " indicators, got " + std::to_string(texts.size()));
  for (const auto& text : texts) {
    std::vector<std::string> wrong;
    all.push_back(indicators::parse_indicator(text, wrong));
    if (wrong.empty() && !seen.insert(all.back().text).second)
      wrong.push_back(all.back().text + " is listed twice");
    for (const auto& what : wrong) violations.push_back('"' + text + "\": " + what);
  }
  return all;
}

}  // namespace

std::string indicator_violation(const std::string& text) {
  std::vector<std::string> wrong;
  indicators::parse_indicator(text, wrong);
  return joined(wrong);
}

std::vector<std::string> indicator_violations(std::span<const std::string> texts) {
  std::vector<std::string> violations;
  parse_all(texts, violations);
  return violations;
}

indicator_plan::indicator_plan(std::span<const std::string> texts) {
  std::vector<std::string> violations;
  const auto parsed = parse_all(texts, violations);
  if (!violations.empty()) throw std::invalid_argument(joined(violations));
  auto all = std::make_shared<contents>();
  all->fingerprint = hash_seed;
  for (const auto& one : parsed) append(*all, one);
  all_ = std::move(all);
}

void indicator_plan::append(contents& all, const indicators::parsed_indicator& one) {
  constexpr auto unit = sizeof(double);
  const auto [state_bytes, cells] = std::visit(
      []<class K>(const K& kernel) { return std::pair(sizeof(typename K::state), kernel.cells()); },
      one.kernel);
  const auto cells_at = all.bytes + (state_bytes + unit - 1) / unit * unit;
  all.entries.push_back({one.kernel, static_cast<std::uint32_t>(all.bytes),
                         static_cast<std::uint32_t>(cells_at),
                         static_cast<std::uint32_t>(all.names.size())});
  all.bytes = cells_at + cells * unit;
  all.names.insert(all.names.end(), one.names.begin(), one.names.end());
  hash_into(all.fingerprint, one.text + ';');
}

}  // namespace troupe::market
