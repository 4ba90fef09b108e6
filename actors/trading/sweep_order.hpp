#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "actors/trading/backtest.hpp"
#include "actors/trading/fields.hpp"

namespace troupe::trading {

/// The values of one parameter.
struct sweep_axis {
  std::string name;
  std::vector<double> values;
};

/// `fast=5:50:5`: from 5 to 50 in steps of 5. Throws std::runtime_error saying what is wrong.
sweep_axis parse_axis(const std::string& text);

inline constexpr std::int64_t combinations_max = 1'000'000;
/// How many there are; above `combinations_max`: some number above it.
std::int64_t count_combinations(const std::vector<sweep_axis>& axes);
/// The combination of this number, from 0, laid over `base`; the last axis turns fastest.
given_parameters combination(const given_parameters& base, const std::vector<sweep_axis>& axes,
                             std::int64_t number);

/// Back-tests over one data set with every combination of some parameters.
struct sweep_order {
  std::string data;  // SHA-256 of the recording (recording.hpp), hexadecimal.
  backtest_settings settings;
  std::vector<sweep_axis> axes;

  given_parameters parameters(std::int64_t number) const {
    return combination(settings.session.parameters, axes, number);
  }
};

nlohmann::json json_of(const backtest_settings& v);
nlohmann::json json_of(const sweep_axis& v);
nlohmann::json json_of(const sweep_order& v);
void read(field_reader& from, backtest_settings& to);
void read(field_reader& from, sweep_axis& to);
void read(field_reader& from, sweep_order& to);

/// One run, as it is handed to whoever computes it.
struct run_order {
  std::string data;
  backtest_settings settings;  // With its parameters.
};
void read(field_reader& from, run_order& to);

/// What is wrong with a run over these symbols' data before it has begun; empty: nothing.
std::string objection(const backtest_settings& settings, std::span<const symbol_data> data);

}  // namespace troupe::trading
