#include "golden.hpp"

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace troupe::market::indicators {

namespace {

std::vector<std::string> split_line(std::string line) {
  std::vector<std::string> cells;
  if (line.ends_with('\r')) line.pop_back();
  std::size_t from = 0;
  for (auto comma = line.find(','); comma != std::string::npos; comma = line.find(',', from)) {
    cells.push_back(line.substr(from, comma - from));
    from = comma + 1;
  }
  cells.push_back(line.substr(from));
  return cells;
}

golden_series read_golden() {
  std::ifstream file(TROUPE_GOLDEN "/talib-golden.csv");
  if (!file) throw std::runtime_error("no golden file");
  golden_series series;
  std::string line;
  std::getline(file, line);
  const auto header = split_line(line);
  while (std::getline(file, line)) {
    const auto cells = split_line(line);
    for (std::size_t i = 0; i < header.size(); ++i)
      series.columns[header[i]].push_back(cells.at(i).empty() ? none : std::stod(cells[i]));
    auto last = [&](const char* name) { return series.columns[name].back(); };
    const auto day = std::chrono::days(20'000 + series.bars.size());
    series.bars.push_back(
        {last("open"), last("high"), last("low"), last("close"), last("volume"), time_point(day)});
  }
  return series;
}

}  // namespace

const golden_series& golden() {
  static const golden_series series = read_golden();
  return series;
}

}  // namespace troupe::market::indicators
