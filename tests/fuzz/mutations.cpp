#include "tests/fuzz/mutations.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace troupe::fuzz {

namespace {

std::size_t below(std::mt19937& random, std::size_t limit) {
  return limit == 0 ? 0 : random() % limit;
}

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

std::vector<std::string> corpus_of(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(folder)) paths.push_back(file.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

std::string damaged_one(const std::vector<std::string>& corpus, std::mt19937& random) {
  constexpr std::size_t bytes_max = 8'192;
  auto text = corpus[below(random, corpus.size())];
  for (auto n = 1 + random() % 4; n > 0; --n) damage(text, corpus, random);
  if (text.size() > bytes_max) text.resize(bytes_max);
  return text;
}

}  // namespace troupe::fuzz
