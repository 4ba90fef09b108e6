// A node with a strategy that orders on every trade, and with stopwatches.
#include "actors/trading/strategy.hpp"
#include "bench/feeds/stopwatch.hpp"
#include "tests/support/own_node.hpp"

namespace {

using namespace troupe;

/// Buys, sells, buys ...
class every_trade final : public trading::strategy {
 public:
  void on_trade(const trading::market_view&, const market::market_event&,
                trading::orders& with) override {
    buys_ ? with.buy() : with.sell();
    buys_ = !buys_;
  }
  void state(trading::state_fields& v) override { v("buys", buys_); }

 private:
  bool buys_ = true;
};

}  // namespace

int main(int argc, char** argv) {
  trading::add_strategy(
      {"every_trade",
       "buys and sells in turn, one order a trade",
       {},
       [](const trading::parameter_values&) { return std::make_unique<every_trade>(); },
       {}});
  return test::run_own_node(argc, argv, [](const app::settings& all) {
    auto things = app::make_catalog(all);
    test::add_kind(things, bench::stopwatch_kind(), "stopwatch.commands", "stopwatch.records");
    return things;
  });
}
