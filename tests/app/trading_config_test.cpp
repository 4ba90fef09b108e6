#include "app/trading_config.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "actors/trading/risk_limits.hpp"
#include "tests/runtime/options/round_trip.hpp"

namespace troupe {
namespace {

using lines = std::vector<std::string>;
using nlohmann::json;

std::vector<std::string> read(const json& document, trading::trading_options& to,
                              const std::string& file = "f") {
  std::vector<violation> found;
  read_section(document, {file, testing::variables({}), {}, found},
               [&](section& s) { trading_section(to).describe(s); });
  lines problems;
  for (const auto& v : found) problems.push_back(to_string(v));
  return problems;
}

/// A config file's name in a folder of its own, beside a file of limits.
class limits_folder {
 public:
  explicit limits_folder(const std::string& limits) {
    std::filesystem::create_directories(path_);
    std::ofstream(path_ / "limits.json") << limits;
  }
  ~limits_folder() { std::filesystem::remove_all(path_); }
  std::string config() const { return path_ / "cluster.json"; }
  std::string limits() const { return path_ / "limits.json"; }

 private:
  std::filesystem::path path_ = std::filesystem::temp_directory_path() /
                                ("troupe-trading-config-" + std::to_string(::getpid()));
};

}  // namespace

TEST_CASE("every trading option reaches its own member") {
  const limits_folder folder(R"({"default": {"symbols": {"SPY": {"price_step": "0.01"}}}})");
  trading::trading_options o;
  CHECK(read(json::parse(R"({"venue": "orders", "cash": "5", "portfolio_cash": {"p1": "7.5"},
             "limits_file": "limits.json",
             "paper": {"maker_fee_bps": "-1", "taker_fee_bps": "2", "slippage_bps": "3",
                       "latency_us": 4, "displayed_size": true, "queue_position": true}})"),
             o, folder.config()) == lines{});
  CHECK(o.venue == trading::venue_choice::orders);
  CHECK(to_string(o.cash_of("other")) == "5");
  CHECK(to_string(o.cash_of("p1")) == "7.5");
  CHECK(to_string(o.paper.maker_fee_bps) == "-1");
  CHECK(to_string(o.paper.taker_fee_bps) == "2");
  CHECK(to_string(o.paper.slippage_bps) == "3");
  CHECK(o.paper.latency_micros == 4);
  CHECK(o.paper.displayed_size);
  CHECK(o.paper.queue_position);
  CHECK(o.limits["default"]["symbols"].contains("SPY"));
}

TEST_CASE("without a file of limits every symbol may be traded") {
  trading::trading_options o;
  CHECK(read(json::object(), o) == lines{});
  trading::faults wrong;
  const auto limits = trading::parse_risk_limits(o.limits, "any", wrong);
  REQUIRE(limits);
  CHECK(limits->find("SPY") != nullptr);
}

TEST_CASE("trading options that are not allowed, all at once") {
  trading::trading_options o;
  CHECK(
      read(json::parse(R"({"venue": "moon", "cash": "-1", "portfolio_cash": {"p1": 5, "p2": "1",
             "p 3": "1"}, "limits_file": "nowhere.json", "paper": {"slippage_bps": "-1", "latency_us": -1},
             "leverage": 3})"),
           o) ==
      lines{
          "f: venue = \"moon\": must be one of paper, orders",
          "f: cash = \"-1\": must be a decimal as text, such as \"0.5\", 0 to "
          "92233720368.54775807",
          "f: portfolio_cash.\"p 3\" = \"1\": names must be 1 to 64 characters of letters, digits, "
          "'_', '-' and '.'",
          "f: portfolio_cash.p1 = 5: must be a decimal as text, not below 0",
          "f: limits_file = \"nowhere.json\": nowhere.json: does not exist",
          "f: paper.slippage_bps = \"-1\": must be a decimal as text, such as \"0.5\", 0 to "
          "10000",
          "f: paper.latency_us = -1: must be 0 to 60000000 us", "f: leverage: unknown option"});
}

TEST_CASE("a file of limits that is wrong is told with its path and everything that is") {
  const limits_folder folder(R"({"default": {"cash_required": "yes", "orders_max": -1}})");
  trading::trading_options o;
  const auto problems = read({{"limits_file", "limits.json"}}, o, folder.config());
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find(folder.limits()) != std::string::npos);
  CHECK(problems[0].find("default.cash_required") != std::string::npos);
  CHECK(problems[0].find("default.orders_max") != std::string::npos);
  CHECK(read({{"limits_file", "."}}, o, folder.config())[0].find("is a folder, not a file") !=
        std::string::npos);
  const limits_folder broken("{");
  CHECK(read({{"limits_file", "limits.json"}}, o, broken.config())[0].find("is not JSON") !=
        std::string::npos);
}

}  // namespace troupe
