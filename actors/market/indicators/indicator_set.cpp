#include "actors/market/indicators/indicator_set.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include "runtime/base/ensure.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::market::indicators {

namespace {

/// The state is a plain aggregate of numbers, all zero at first, copied with the memory that holds it.
template <class Kernel>
auto& state_at(std::byte* memory) {
  using state = typename Kernel::state;
  static_assert(std::is_trivially_copyable_v<state> && alignof(state) <= alignof(double));
  return *reinterpret_cast<state*>(memory);
}
template <class Kernel>
const auto& state_at(const std::byte* memory) {
  return *reinterpret_cast<const typename Kernel::state*>(memory);
}

void append_number(std::string& out, double x) {
  if (!std::isfinite(x)) {
    out += "null";
  } else if (x == 0 && std::signbit(x)) {
    out += "-0.0";  // A JSON reader may take -0 for an integer, which has no sign.
  } else {
    char text[32];
    out.append(text, std::to_chars(text, text + sizeof text, x).ptr);
  }
}

class state_writer {
 public:
  explicit state_writer(std::string& out) : out_(out) {}

  void number(double x) {
    out_ += first_ ? '[' : ',';
    first_ = false;
    append_number(out_, x);
  }
  void count(std::uint32_t x, std::uint32_t) { number(x); }
  void numbers(const double* x, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) number(x[i]);
  }
  void end() { out_ += first_ ? "[]" : "]"; }

 private:
  std::string& out_;
  bool first_ = true;
};

/// Numbers that no usable bar could have led to would only overflow later.
constexpr double magnitude_max = 1e60;

class state_reader {
 public:
  state_reader(const nlohmann::json& saved, std::string name) : saved_(saved), name_(std::move(name)) {
    if (!saved.is_array()) damaged("is not an array");
  }

  void number(double& x) {
    const auto& item = next();
    if (!item.is_number()) damaged("holds something that is not a number");
    x = item.get<double>();
    if (!(std::abs(x) <= magnitude_max)) damaged("holds a number without sense");
  }
  void count(std::uint32_t& x, std::uint32_t most) {
    const auto& item = next();
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > most)
      damaged("holds a count that is not a whole number from 0 to " + std::to_string(most));
    x = item.get<std::uint32_t>();
  }
  void numbers(double* x, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) number(x[i]);
  }
  void end() {
    if (at_ != saved_.size()) damaged("has " + std::to_string(saved_.size()) + " numbers, not " + std::to_string(at_));
  }

 private:
  const nlohmann::json& next() {
    if (at_ == saved_.size()) damaged("ends after " + std::to_string(at_) + " numbers");
    return saved_[at_++];
  }
  [[noreturn]] void damaged(const std::string& what) const {
    throw bad_state("indicator state of " + name_ + ' ' + what);
  }

  const nlohmann::json& saved_;
  std::string name_;
  std::size_t at_ = 0;
};

void hash_into(std::uint32_t& hash, std::string_view text) {  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
}

bool within(double x, double least, double most) { return x >= least && x <= most; }

}  // namespace

indicator_list::parsed indicator_list::parse(std::span<const std::string> texts) {
  parsed result;
  std::vector<parsed_indicator> all;
  std::unordered_set<std::string> seen;
  if (texts.size() > length_max)
    result.violations.push_back("at most " + std::to_string(length_max) + " indicators, got " +
                                std::to_string(texts.size()));
  for (const auto& text : texts) {
    const auto before = result.violations.size();
    all.push_back(parse_indicator(text, result.violations));
    if (result.violations.size() == before && !seen.insert(all.back().text).second)
      result.violations.push_back('"' + text + "\": " + all.back().text + " is listed twice");
  }
  if (result.violations.empty()) result.list.reset(new indicator_list(std::move(all)));
  return result;
}

indicator_list::indicator_list(std::vector<parsed_indicator> all) : fingerprint_(2'166'136'261U) {
  for (auto& one : all) {
    const auto [size, cells] = std::visit(
        []<class K>(const K& k) { return std::pair(sizeof(typename K::state), k.cells()); }, one.kernel);
    const auto offset = bytes_;
    const auto cells_at = offset + (size + alignof(double) - 1) / alignof(double) * alignof(double);
    entries_.push_back({one.kernel, static_cast<std::uint32_t>(offset),
                        static_cast<std::uint32_t>(cells_at), static_cast<std::uint32_t>(names_.size())});
    bytes_ = cells_at + cells * sizeof(double);
    std::move(one.names.begin(), one.names.end(), std::back_inserter(names_));
    hash_into(fingerprint_, one.text + ';');
  }
}

bool is_usable(const bar_input& bar) {
  for (const double price : {bar.open, bar.high, bar.low, bar.close})
    if (!within(price, 1e-12, 1e12)) return false;
  return within(bar.volume, 0, 1e18);
}

// Every state starts as zeros.
indicator_set::indicator_set(std::shared_ptr<const indicator_list> list)
    : list_(std::move(list)), memory_(list_->bytes_) {}

bool indicator_set::update(const bar_input& bar, std::span<double> out) {
  ensure(out.size() == names().size());
  if (!is_usable(bar)) [[unlikely]] {
    std::fill(out.begin(), out.end(), none);
    return false;
  }
  for (const auto& e : list_->entries_) {
    auto* const cells = reinterpret_cast<double*>(memory_.data() + e.cells);
    std::visit(
        [&]<class K>(const K& kernel) {
          auto& state = state_at<K>(memory_.data() + e.offset);
          const auto values = kernel.update(state, cells, bar);
          for (std::size_t i = 0; i < values.size(); ++i)
            out[e.first + i] = std::isfinite(values[i]) ? values[i] : none;
        },
        e.kernel);
  }
  return true;
}

void indicator_set::save(std::string& out) const {
  out += "[[" + std::to_string(list_->fingerprint_) + ']';
  for (const auto& e : list_->entries_) {
    const auto* const cells = reinterpret_cast<const double*>(memory_.data() + e.cells);
    out += ',';
    state_writer writer(out);
    std::visit(
        [&]<class K>(const K& kernel) {
          kernel.fields(state_at<K>(memory_.data() + e.offset), cells, writer);
        },
        e.kernel);
    writer.end();
  }
  out += ']';
}

void indicator_set::load(const nlohmann::json& saved) {
  const auto& entries = list_->entries_;
  if (!saved.is_array() || saved.size() != entries.size() + 1)
    throw bad_state("indicator state is not an array of " + std::to_string(entries.size() + 1));
  if (saved[0] != nlohmann::json::array({list_->fingerprint_}))
    throw bad_state("indicator state was saved for another list of indicators");
  std::vector<std::byte> memory(memory_.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& e = entries[i];
    auto* const cells = reinterpret_cast<double*>(memory.data() + e.cells);
    state_reader reader(saved[i + 1], names()[e.first]);
    std::visit(
        [&]<class K>(const K& kernel) {
          kernel.fields(state_at<K>(memory.data() + e.offset), cells, reader);
        },
        e.kernel);
    reader.end();
  }
  memory_ = std::move(memory);
}

}  // namespace troupe::market::indicators
