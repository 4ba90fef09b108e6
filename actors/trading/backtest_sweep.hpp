#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/trading/sweep_options.hpp"
#include "actors/trading/sweep_order.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

inline constexpr std::string_view backtest_sweep_kind = "backtest_sweep";

/// Gives out the runs of a sweep to jobs, which live in shards of their own, a number of them at a
/// time, and counts what has ended. Its key is derived from everything that its results depend on,
/// so whoever submits the same sweep again means this one.
///
/// - `submit` (sweep_order), from clients: it begins; one that is known goes on, and what failed is
/// run again
/// - `stop`, from clients: no further runs are given out until it is submitted again
/// - `job_ended` `{number, reason}`, from its jobs: the next one is given out
/// - `show`, from clients: how far it is
///
/// Clients are answered `{sweep, phase, runs, done, failed, open, left_out, reason}`.
class backtest_sweep final : public entity {
 public:
  /// More combinations than this are refused: each run is an entity and a row.
  static constexpr std::int64_t runs_max = 100'000;
  /// After so many failures it stops by itself: the rest would fail, too.
  static constexpr std::size_t failures_max = 100;

  explicit backtest_sweep(std::shared_ptr<const sweep_options> options)
      : options_(std::move(options)) {}

  void load(std::string_view state, int schema) override;
  std::string save() const override;
  void handle(const message& what, const context& where, effects& out) override;

 private:
  enum class phase : std::uint8_t { none, running, done, stopped };

  void submit(const message& what, const context& where, effects& out);
  void job_ended(const message& what, const context& where, effects& out);
  void stop(std::string why);
  /// Gives out what may be, and ends when nothing is left.
  void settle(const context& where, effects& out);
  void give_out(std::int64_t number, const context& where, effects& out);
  std::optional<std::int64_t> next();
  nlohmann::json shown(const context& where) const;

  const std::shared_ptr<const sweep_options> options_;
  phase phase_ = phase::none;
  nlohmann::json written_;  // The order as it came; jobs get its settings as they are.
  sweep_order order_;
  std::int64_t runs_ = 0, left_out_ = 0;
  std::int64_t next_ = 0;            // Number of the first combination that was not looked at yet.
  std::vector<std::int64_t> again_;  // Failed earlier, to be given out once more.
  std::int64_t open_ = 0, done_ = 0;
  std::vector<std::int64_t> failed_;
  std::string reason_;  // Why it stopped.
  time_point submitted_{}, ended_{};
};

kind_def make_backtest_sweep_kind(std::shared_ptr<const sweep_options> options);

}  // namespace troupe::trading
