#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "actors/trading/sweep_options.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading {

inline constexpr std::string_view backtest_job_kind = "backtest_job";
/// Runs a back-test: `{data, settings, parameters}` (run_order). Answers `{outcome: "done", node,
/// seconds, metrics}`, `{outcome: "failed", node, reason}`, or `{outcome: "later"}` when it cannot
/// now.
inline constexpr std::string_view backtest_service = "backtest";

/// One run of a sweep; its key is `SWEEP-NUMBER`. Its state is what it waits for, and then how that
/// ended; its result is a row of backtest_run_table in the same commit.
///
/// - `run` `{sweep, number, order}`, from its sweep: the service is asked; a run that is done stays
/// so
/// - `call_answered`, from the service: the sweep is told `job_ended` `{number, reason}`
/// - `show`, from clients: the state
///
/// A node that dies takes the work with it; a timer asks the next owner's service. Asking twice is
/// harmless: equal input gives equal output, and the first answer counts.
class backtest_job final : public entity {
 public:
  explicit backtest_job(std::shared_ptr<const sweep_options> options)
      : options_(std::move(options)) {}

  void load(std::string_view state, int schema) override;
  std::string save() const override;
  void handle(const message& what, const context& where, effects& out) override;

 private:
  enum class phase : std::uint8_t { none, waiting, done, failed };

  void begin(const message& what, const context& where, effects& out);
  void ask(const context& where, effects& out);
  void hear(const nlohmann::json& answer, const context& where, effects& out);
  void tell_sweep(effects& out) const;

  const std::shared_ptr<const sweep_options> options_;
  phase phase_ = phase::none;
  std::string sweep_;
  std::int64_t number_ = 0;
  std::int64_t asked_ = 0;
  nlohmann::json order_;  // While it waits.
  std::string reason_;
};

kind_def make_backtest_job_kind(std::shared_ptr<const sweep_options> options);

}  // namespace troupe::trading
