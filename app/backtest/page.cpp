#include "app/backtest/page.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "actors/trading/run_figures.hpp"
#include "app/backtest/page_template.hpp"
#include "app/failure.hpp"

namespace troupe::app {

namespace {

using namespace troupe::trading;
using nlohmann::json;

constexpr std::size_t points_max = 4000, fills_max = 4000, trades_max = 500, best_max = 25;
constexpr double micros = 1e6;

double seconds_of(std::int64_t time) {
  return static_cast<double>(time) / micros;
}

/// Of each stretch of time its lowest and its highest point, in their order: a line drawn through
/// them looks like one through all.
template <class Point, class Time, class Value>
std::vector<Point> thinned(const std::vector<Point>& all, Time time, Value value) {
  if (all.size() <= points_max) return all;
  constexpr double stretches = points_max / 2 - 1;
  const double begin = time(all.front()), length = time(all.back()) - begin;
  const auto stretch_of = [&](const Point& p) {
    return length > 0 ? std::floor((time(p) - begin) / length * stretches) : 0;
  };
  const auto less = [&](const Point& a, const Point& b) { return value(a) < value(b); };
  std::vector<Point> kept;
  for (auto from = all.begin(); from != all.end();) {
    const auto to = std::find_if(from, all.end(), [&, now = stretch_of(*from)](const Point& p) {
      return stretch_of(p) != now;
    });
    auto [low, high] = std::minmax_element(from, to, less);
    if (high < low) std::swap(low, high);
    kept.push_back(*low);
    if (low != high) kept.push_back(*high);
    from = to;
  }
  return kept;
}

using price_point = std::pair<double, double>;  // Seconds since 1970, price.

/// Of trades and bars; of quotes, in their middle, where there is nothing else. Times may step back
/// in data, and must not in a chart.
std::vector<price_point> prices_of(const symbol_data& data) {
  std::vector<price_point> traded, quoted;
  for (const auto& e : data.events) {
    const auto at = seconds_of(known_at(e));
    if (e.kind == market::event_kind::trade)
      traded.emplace_back(at, e.price.to_double());
    else if (e.kind == market::event_kind::bar)
      traded.emplace_back(at, data.details[e.detail].close.to_double());
    else if (e.price > fixed() && e.ask > fixed())
      quoted.emplace_back(at, (e.price.to_double() + e.ask.to_double()) / 2);
  }
  auto& all = traded.empty() ? quoted : traded;
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return std::move(all);
}

json fills_json(const backtest_result& result, const std::string& symbol, std::size_t& count) {
  json list = json::array();
  count = static_cast<std::size_t>(std::count_if(
      result.fills.begin(), result.fills.end(), [&](const fill& f) { return f.symbol == symbol; }));
  std::size_t before = count > fills_max ? count - fills_max : 0;
  for (const auto& f : result.fills) {
    if (f.symbol != symbol) continue;
    if (before > 0) {
      --before;
      continue;
    }
    list.push_back({seconds_of(to_micros(f.time)), f.price.to_double(), f.side == side::buy});
  }
  return list;
}

json prices_json(const backtest_result& result, std::span<const symbol_data> data) {
  json list = json::array();
  for (const auto& one : data) {
    json times = json::array(), prices = json::array();
    const auto points = thinned(
        prices_of(one), [](const auto& p) { return p.first; },
        [](const auto& p) { return p.second; });
    for (const auto& [at, price] : points) {
      times.push_back(at);
      prices.push_back(price);
    }
    std::size_t fills = 0;
    auto shown = fills_json(result, one.rules.symbol, fills);
    list.push_back({{"symbol", one.rules.symbol},
                    {"time", std::move(times)},
                    {"price", std::move(prices)},
                    {"fills", std::move(shown)},
                    {"fills_all", fills}});
  }
  return list;
}

json curve_json(const backtest_result& result) {
  json times = json::array(), equity = json::array(), drawdown = json::array();
  const auto shown = thinned(
      result.curve, [](const auto& p) { return seconds_of(p.time); },
      [](const auto& p) { return p.equity; });
  for (const auto& p : shown) {
    times.push_back(seconds_of(p.time));
    equity.push_back(p.equity.to_double());
    drawdown.push_back(p.drawdown);
  }
  return {
      {"time", std::move(times)}, {"equity", std::move(equity)}, {"drawdown", std::move(drawdown)}};
}

/// What a quantity cost, units of 1e-16, over the quantity: to the last place of prices.
std::string mean_price(wide value, fixed quantity) {
  return to_string(value / quantity.raw());
}

json trades_json(const backtest_report& report) {
  const auto& all = report.result.trips;
  json list = json::array();
  const auto first = all.size() > trades_max ? all.size() - trades_max : 0;
  for (auto i = first; i < all.size(); ++i) {
    const auto& t = all[i];
    list.push_back({{"symbol", report.settings.session.instruments[t.symbol].symbol},
                    {"side", t.opened_by == side::buy ? "long" : "short"},
                    {"opened", seconds_of(t.opened)},
                    {"closed", seconds_of(t.closed)},
                    {"quantity", to_string(t.quantity)},
                    {"entry", mean_price(t.entered, t.quantity)},
                    {"exit", mean_price(t.left, t.quantity)},
                    {"fees", to_string(t.fees)},
                    {"profit", to_string(t.profit)}});
  }
  return list;
}

std::size_t place_of(const sweep_axis& axis, const sweep_run& run) {
  const auto value = run.parameters.at(axis.name);
  return static_cast<std::size_t>(std::find(axis.values.begin(), axis.values.end(), value) -
                                  axis.values.begin());
}

/// The first two axes against each other; of further ones the best. The runs come best first. A
/// figure that is not defined because nothing was lost has a sign of its own.
json heat_json(const sweep_result& sweep) {
  const auto &down = sweep.axes[0], &across = sweep.axes[1];
  json cells = json::array();
  for (std::size_t i = 0; i < down.values.size(); ++i)
    cells.push_back(json(std::vector<json>(across.values.size(), nullptr)));
  for (const auto& run : sweep.runs) {
    auto& cell = cells[place_of(down, run)][place_of(across, run)];
    const double rank = rank_of(run.metrics, sweep.by);
    if (!cell.is_null()) continue;
    if (std::isfinite(rank))
      cell = rank;
    else if (rank > 0)
      cell = "\u221e";
  }
  return {{"rows", {{"name", down.name}, {"values", down.values}}},
          {"columns", {{"name", across.name}, {"values", across.values}}},
          {"cells", std::move(cells)}};
}

json sweep_json(const sweep_result& sweep) {
  json best = json::array(), names = json::array();
  for (const auto& axis : sweep.axes) names.push_back(axis.name);
  for (std::size_t i = 0; i < std::min(best_max, sweep.runs.size()); ++i) {
    const auto& run = sweep.runs[i];
    auto one = json_of(run.metrics);
    json parameters = json::array();
    for (const auto& axis : sweep.axes)
      parameters.push_back(number_text(run.parameters.at(axis.name)));
    one["parameters"] = std::move(parameters);
    best.push_back(std::move(one));
  }
  json j{{"by", sweep.by},
         {"count", sweep.runs.size()},
         {"names", std::move(names)},
         {"best", std::move(best)}};
  if (sweep.axes.size() > 1) j["heat"] = heat_json(sweep);
  return j;
}

/// JSON inside a script element: no tag can end it.
std::string script_text(const json& data) {
  std::string text;
  for (const char c : data.dump(-1, ' ', true)) {
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  }
  return text;
}

void put(std::string& page, std::string_view place, const std::string& text) {
  page.replace(page.find(place), place.size(), text);
}

}  // namespace

std::string chart_folder() {
  const auto text = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  auto cache = text("XDG_CACHE_HOME");
  if (cache.empty()) cache = text("HOME") + "/.cache";
  const auto folder = cache + "/troupe/uplot-1.6.32";
  std::error_code unreadable;
  if (!std::filesystem::exists(folder + "/uPlot.iife.min.js", unreadable))
    throw failure("missing_charts", "the chart library is not in " + folder +
                                        "; deploy/charts/fetch brings it there, once");
  return folder;
}

std::string page_of(const backtest_report& report, std::span<const symbol_data> data,
                    const sweep_result* sweep) {
  const auto folder = chart_folder();
  auto all = settings_json(report);
  json content{{"settings", std::move(all)},
               {"metrics", json_of(report.result.metrics)},
               {"events", report.result.events},
               {"begin", seconds_of(report.begin)},
               {"end", seconds_of(report.end)},
               {"prices", prices_json(report.result, data)},
               {"curve", curve_json(report.result)},
               {"trades", trades_json(report)},
               {"sweep", sweep != nullptr ? sweep_json(*sweep) : json(nullptr)}};
  std::string page(page_template());
  put(page, "@DATA@", script_text(content));
  put(page, "@LIBRARY@", read_text_file(folder + "/uPlot.iife.min.js"));
  put(page, "@STYLE@", read_text_file(folder + "/uPlot.min.css"));
  return page;
}

void prepare_page(const std::string& path) {
  if (std::filesystem::is_directory(path))
    throw unwritable_file("--html " + path + ": is a folder, not a file");
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error)
    throw unwritable_file("--html " + path + ": " + folder.string() +
                          " cannot be made a folder: " + error.message());
}

void write_page(const std::string& path, const std::string& page) {
  std::ofstream file(path, std::ios::binary);
  file << page;
  file.close();
  if (!file) throw unwritable_file("--html " + path + ": cannot be written");
}

}  // namespace troupe::app
