#include "actors/trading/strategies/catalog.hpp"
#include "actors/trading/strategies/long_or_flat.hpp"

namespace troupe::trading {

namespace {

/// Sum of the last closes, in units and so exact: equal averages are equal, on any machine and in
/// any order of adding.
class close_window {
 public:
  explicit close_window(std::size_t period) : ring_(period) {}

  void add(std::int64_t close) {
    sum_ += close - ring_[at_];
    ring_[at_] = close;
    if (++at_ == ring_.size()) at_ = 0, full_ = true;
  }
  bool full() const { return full_; }
  wide sum() const { return sum_; }
  std::int64_t period() const { return static_cast<std::int64_t>(ring_.size()); }

  void state(state_fields& v, const std::string& name) {
    auto at = static_cast<std::int64_t>(at_);
    v(name, ring_);
    v(name + "_at", at);
    v(name + "_full", full_);
    if (at < 0 || at >= period()) throw bad_state("strategy state: " + name + "_at out of bounds");
    at_ = static_cast<std::size_t>(at);
    sum_ = 0;
    for (const auto close : ring_) sum_ += close;
  }

 private:
  std::vector<std::int64_t> ring_;
  std::size_t at_ = 0;
  bool full_ = false;
  wide sum_ = 0;
};

class sma_cross final : public strategy {
 public:
  sma_cross(std::size_t fast, std::size_t slow) : fast_(fast), slow_(slow) {}

  void on_bar(const market_view&, const market::price_bar& bar, orders& with) override {
    fast_.add(bar.close.raw());
    slow_.add(bar.close.raw());
    if (!slow_.full()) return;
    const auto fast = fast_.sum() * slow_.period();
    const auto slow = slow_.sum() * fast_.period();
    if (fast != slow) mind_.want(fast > slow, with);
  }
  void state(state_fields& v) override {
    fast_.state(v, "fast");
    slow_.state(v, "slow");
    mind_.state(v);
  }

 private:
  close_window fast_, slow_;
  long_or_flat mind_;
};

}  // namespace

strategy_def sma_cross_def() {
  return {"sma_cross",
          "long while the fast simple average of closes is above the slow one, flat while below",
          {bars_parameter("fast", 10, 1, "bars of the fast average"),
           bars_parameter("slow", 20, 2, "bars of the slow average")},
          [](const parameter_values& p) -> std::unique_ptr<strategy> {
            return std::make_unique<sma_cross>(p.count("fast"), p.count("slow"));
          },
          fast_slow_conflict};
}

}  // namespace troupe::trading
