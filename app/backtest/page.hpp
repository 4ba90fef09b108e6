#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/backtest/report.hpp"
#include "app/backtest/sweep.hpp"

namespace troupe::app {

/// The chart library's folder. Throws failure `missing_charts` with the remedy when it is not
/// there.
std::string chart_folder();

/// One page that needs nothing but itself: metrics, equity, drawdown, prices with the trades on
/// them, and of a sweep its best runs and a heat map. `data` gives the prices.
std::string page_of(const backtest_report& report, std::span<const trading::symbol_data> data,
                    const sweep_result* sweep);

/// A place for the page, before hours of work are lost for the want of one. Throws unwritable_file.
void prepare_page(const std::string& path);
/// Throws unwritable_file.
void write_page(const std::string& path, const std::string& page);

}  // namespace troupe::app
