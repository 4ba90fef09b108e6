#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/market_checks.hpp"

using namespace troupe::market;

namespace {

std::vector<std::string> corpus() {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(TROUPE_CORPUS))
    paths.push_back(file.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

std::size_t below(std::mt19937& random, std::size_t limit) {
  return limit == 0 ? 0 : random() % limit;
}

/// One small damage: a bit, a byte, a digit, a cut, a repetition, or a piece of another input.
void damage(std::string& text, const std::vector<std::string>& others, std::mt19937& random) {
  const auto at = below(random, text.size());
  const auto length = below(random, std::min<std::size_t>(text.size() - at, 40) + 1);
  switch (random() % 7) {
    case 0:
      if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << random() % 8));
      break;
    case 1:
      if (!text.empty()) text[at] = static_cast<char>(random() % 256);
      break;
    case 2:
      if (!text.empty()) text[at] = "0123456789-.eE{}[]\",:\\n"[random() % 23];
      break;
    case 3:
      text.erase(at, length);
      break;
    case 4:
      text.insert(at, text.substr(at, length));
      break;
    case 5:
      text.insert(at, std::string(random() % 30, '9'));
      break;
    default: {
      const auto& other = others[below(random, others.size())];
      const auto from = below(random, other.size());
      text.insert(at, other.substr(from, below(random, 60)));
    }
  }
}

}  // namespace

TEST_CASE("the corpus and seeded damages of it break nothing") {
  const auto inputs = corpus();
  REQUIRE(inputs.size() >= 20);
  for (const auto& input : inputs) CHECK_NOTHROW(fuzz::check(input));
  std::mt19937 random(20'131'008);
  for (int i = 0; i < 100'000; ++i) {
    auto text = inputs[below(random, inputs.size())];
    for (auto n = 1 + random() % 4; n > 0; --n) damage(text, inputs, random);
    if (text.size() > 8'192) text.resize(8'192);
    CAPTURE(i);
    REQUIRE_NOTHROW(fuzz::check(text));
  }
}
