#include "app/backtest/page.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/app/feed/temp_folder.hpp"

using namespace troupe;
using namespace troupe::app;
using namespace troupe::trading;
using nlohmann::json;

namespace {

/// A cache with a library of one line in it: the page takes what is there.
class cache {
 public:
  explicit cache(bool with_library) {
    ::setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1);
    if (!with_library) return;
    std::filesystem::create_directories(folder_.path() + "/troupe/uplot-1.6.32");
    folder_.write("troupe/uplot-1.6.32/uPlot.iife.min.js", "var uPlot = 'the library';");
    folder_.write("troupe/uplot-1.6.32/uPlot.min.css", ".uplot {}");
  }
  ~cache() { ::unsetenv("XDG_CACHE_HOME"); }

 private:
  feed::test::temp_folder folder_;
};

struct run {
  run() {
    data.rules.symbol = "</script><b>X";  // Whatever a symbol is called, it stays text.
    for (std::int64_t i = 0; i < 9000; ++i) {
      market::market_event e;
      e.offset = i;
      e.time = i * 1'000'000;
      e.price = fixed::from_raw((i == 4321 ? 500 : 100) * fixed::scale);
      e.size = fixed::from_raw(fixed::scale);
      data.events.push_back(e);
    }
    report.settings.session.name = "s";
    report.settings.session.portfolio = "p";
    report.settings.session.strategy = "buy_and_hold";
    report.settings.session.instruments = {data.rules};
    report.settings.limits.symbols["*"];
    report.result = run_backtest(report.settings, {&data, 1});
  }
  symbol_data data;
  backtest_report report;
};

json data_of(const std::string& page) {
  const std::string before = "<script type=\"application/json\" id=\"data\">";
  const auto from = page.find(before) + before.size();
  return json::parse(page.substr(from, page.find("</script>", from) - from));
}

}  // namespace

TEST_CASE("without the chart library the error says how to get it") {
  const cache empty(false);
  try {
    chart_folder();
    FAIL("no error");
  } catch (const std::runtime_error& e) {
    CHECK(std::string(e.what()).find("deploy/charts/fetch") != std::string::npos);
  }
}

TEST_CASE("the page holds everything and asks for nothing") {
  const cache filled(true);
  const run r;
  const auto page = page_of(r.report, {&r.data, 1}, nullptr);
  CHECK(page.find("var uPlot = 'the library';") != std::string::npos);
  CHECK(page.find(".uplot {}") != std::string::npos);
  for (const auto* outside : {"http:", "https:", "src=", "href=", "import(", "fetch("})
    CHECK(page.find(outside) == std::string::npos);
  CHECK(page.find("<b>X") == std::string::npos);
  const auto data = data_of(page);
  CHECK(data["settings"]["symbols"][0] == "</script><b>X");
  CHECK(data["metrics"]["fills"] == 1);
  CHECK(data["prices"][0]["fills"].size() == 1);
  CHECK(data["sweep"].is_null());
}

TEST_CASE("long series are thinned and keep their peaks") {
  const cache filled(true);
  const run r;
  const auto data = data_of(page_of(r.report, {&r.data, 1}, nullptr));
  const auto& prices = data["prices"][0]["price"];
  CHECK(prices.size() <= 4000);
  CHECK(prices.size() >= 2000);
  CHECK(std::count(prices.begin(), prices.end(), json(500.0)) == 1);
  CHECK(data["curve"]["equity"].size() <= 4000);
}

TEST_CASE("a sweep over two parameters has a heat map, combinations left out are empty") {
  const cache filled(true);
  const run r;
  sweep_result sweep;
  sweep.axes = {{"fast", {1, 2}}, {"slow", {2, 3}}};
  sweep.by = "total_return";
  const auto add = [&](double fast, double slow, double value) {
    sweep_run one{{{"fast", fast}, {"slow", slow}}, {}};
    one.metrics.total_return = value;
    sweep.runs.push_back(one);
  };
  add(1, 3, 0.5);
  add(1, 2, 0.25);
  add(2, 3, -0.5);
  const auto data = data_of(page_of(r.report, {&r.data, 1}, &sweep))["sweep"];
  CHECK(data["heat"]["cells"] == json::parse("[[0.25, 0.5], [null, -0.5]]"));
  CHECK(data["best"][0]["parameters"] == json::parse(R"(["1", "3"])"));
  CHECK(data["best"].size() == 3);
}

TEST_CASE("a cell of the heat map whose figure is not defined for want of losses says so") {
  const cache filled(true);
  const run r;
  sweep_result sweep;
  sweep.axes = {{"low", {1, 2}}, {"high", {2}}, {"period", {5, 6}}};
  sweep.by = "profit_factor";
  sweep.runs = {{{{"low", 1}, {"high", 2}, {"period", 6}}, {}},
                {{{"low", 1}, {"high", 2}, {"period", 5}}, {}},
                {{{"low", 2}, {"high", 2}, {"period", 5}}, {}}};
  sweep.runs[0].metrics.wins = 3;
  sweep.runs[1].metrics.profit_factor = 2.5;
  const auto data = data_of(page_of(r.report, {&r.data, 1}, &sweep))["sweep"];
  CHECK(data["heat"]["cells"] == json::parse(R"([["\u221e"], [null]])"));
}
