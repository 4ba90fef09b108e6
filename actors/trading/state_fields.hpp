#pragma once

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "actors/market/indicators/window.hpp"
#include "runtime/base/fixed.hpp"

namespace troupe::trading {

/// A kernel of actors/market/indicators with the state of one series.
template <class Kernel>
class indicator {
 public:
  explicit indicator(Kernel kernel) : kernel_(kernel), cells_(kernel.cells()) {}

  /// The kernel's outputs behind this bar; NaN: none yet.
  auto update(const market::indicators::bar_input& bar) {
    return kernel_.update(state_, cells_.data(), bar);
  }
  void fields(auto& v) { kernel_.fields(state_, cells_.data(), v); }

 private:
  Kernel kernel_;
  typename Kernel::state state_;
  std::vector<double> cells_;
};

/// Shows the fields of a strategy's state to whoever saves or loads it: one function of the
/// strategy serves both ways. Numbers come back bit by bit. Loading throws bad_state on what saving
/// cannot have written.
class state_fields {
 public:
  enum class way : std::uint8_t { save, load };
  /// `object` must outlive it.
  state_fields(nlohmann::json& object, way w) : object_(object), way_(w) {}

  void operator()(std::string_view name, double& x);
  void operator()(std::string_view name, bool& x);
  void operator()(std::string_view name, std::int64_t& x);
  void operator()(std::string_view name, fixed& x);
  void operator()(std::string_view name, std::vector<double>& x);
  /// A ring or list of integers; loading keeps its size.
  void operator()(std::string_view name, std::vector<std::int64_t>& x);
  /// An indicator, or whatever else shows its numbers by `fields`.
  template <class Series>
  requires requires(Series& x, state_fields& v) { x.fields(v); }
  void operator()(std::string_view name, Series& x) {
    std::vector<double> flat;
    collector collect{flat};
    x.fields(collect);
    (*this)(name, flat);
    if (way_ == way::save) return;
    distributor spread{flat, name};
    x.fields(spread);
  }

 private:
  struct collector {
    std::vector<double>& to;
    void number(double x) { to.push_back(x); }
    void count(std::uint32_t x, std::uint32_t) { to.push_back(x); }
    void numbers(const double* x, std::size_t size) { to.insert(to.end(), x, x + size); }
  };
  struct distributor {
    const std::vector<double>& from;
    std::string_view name;
    std::size_t at = 0;
    void number(double& x) { x = from[at++]; }
    void count(std::uint32_t& x, std::uint32_t most);
    void numbers(double* x, std::size_t size) {
      for (std::size_t i = 0; i < size; ++i) number(x[i]);
    }
  };

  nlohmann::json& slot(std::string_view name);

  nlohmann::json& object_;
  way way_;
};

}  // namespace troupe::trading
