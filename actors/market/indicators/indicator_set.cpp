#include "actors/market/indicators/indicator_set.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "runtime/base/ensure.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::market {

namespace {

/// The state is a plain aggregate of numbers, all zero at first, copied with the memory that holds
/// it.
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
  state_reader(const nlohmann::json& saved, std::string name)
      : saved_(saved), name_(std::move(name)) {
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
    if (at_ != saved_.size())
      damaged("has " + std::to_string(saved_.size()) + " numbers, not " + std::to_string(at_));
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

bool within(double x, double least, double most) {
  return x >= least && x <= most;
}

bool is_price(double x) {
  return within(x, 1e-12, 1e12);
}

}  // namespace

bool is_usable(const indicators::bar_input& bar) {
  return is_price(bar.open) && is_price(bar.high) && is_price(bar.low) && is_price(bar.close) &&
         within(bar.volume, 0, 1e18);
}

// Every state starts as zeros.
indicator_set::indicator_set(const indicator_plan& plan) : plan_(plan), memory_(plan.all_->bytes) {}

bool indicator_set::update(const indicators::bar_input& bar, std::span<double> out) {
  ensure(out.size() == names().size());
  if (!is_usable(bar)) [[unlikely]] {
    std::fill(out.begin(), out.end(), indicators::none);
    return false;
  }
  for (const auto& e : plan_.all_->entries) {
    auto* const cells = reinterpret_cast<double*>(memory_.data() + e.cells);
    std::visit(
        [&]<class K>(const K& kernel) {
          auto& state = state_at<K>(memory_.data() + e.state);
          const auto values = kernel.update(state, cells, bar);
          for (std::size_t i = 0; i < values.size(); ++i)
            out[e.first + i] = std::isfinite(values[i]) ? values[i] : indicators::none;
        },
        e.kernel);
  }
  return true;
}

void indicator_set::save(std::string& out) const {
  out += "[[" + std::to_string(plan_.all_->fingerprint) + ']';
  for (const auto& e : plan_.all_->entries) {
    const auto* const cells = reinterpret_cast<const double*>(memory_.data() + e.cells);
    out += ',';
    state_writer writer(out);
    std::visit(
        [&]<class K>(const K& kernel) {
          kernel.fields(state_at<K>(memory_.data() + e.state), cells, writer);
        },
        e.kernel);
    writer.end();
  }
  out += ']';
}

void indicator_set::load(const nlohmann::json& saved) {
  const auto& entries = plan_.all_->entries;
  if (!saved.is_array() || saved.size() != entries.size() + 1)
    throw bad_state("indicator state is not an array of " + std::to_string(entries.size() + 1));
  if (saved[0] != nlohmann::json::array({plan_.all_->fingerprint}))
    throw bad_state("indicator state was saved for another list of indicators");
  std::vector<std::byte> memory(memory_.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& e = entries[i];
    auto* const cells = reinterpret_cast<double*>(memory.data() + e.cells);
    state_reader reader(saved[i + 1], names()[e.first]);
    std::visit(
        [&]<class K>(const K& kernel) {
          kernel.fields(state_at<K>(memory.data() + e.state), cells, reader);
        },
        e.kernel);
    reader.end();
  }
  memory_ = std::move(memory);
}

}  // namespace troupe::market
