#include "bench/failover/timeline.hpp"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace troupe::bench {

namespace {

struct line {
  double at_ms = 0;  // Since 1970.
  std::string event;
  std::map<std::string, std::string> fields;
};

/// `TIME LEVEL COMPONENT EVENT NAME=VALUE...`, as runtime/base/log writes it.
line parse(const std::string& text) {
  line result;
  std::istringstream words(text);
  std::string time, level, component, word;
  words >> time >> level >> component >> result.event;
  std::tm calendar{};
  const char* rest = ::strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &calendar);
  if (rest == nullptr) return result;
  result.at_ms = static_cast<double>(::timegm(&calendar)) * 1e3 + std::atof(rest) * 1e3;
  while (words >> word)
    if (const auto equals = word.find('='); equals != std::string::npos)
      result.fields[word.substr(0, equals)] = word.substr(equals + 1);
  return result;
}

/// The times of the events of one fail-over, earliest or latest of all nodes.
struct moments {
  std::optional<double> declared, decided, taken, live;
  std::set<unsigned> arrived;

  static void latest(std::optional<double>& of, double at) { of = std::max(of.value_or(at), at); }
  static void earliest(std::optional<double>& of, double at) { of = std::min(of.value_or(at), at); }

  void add(const line& l, const std::string& incarnation, const std::set<unsigned>& shards) {
    if (l.event == "declares_dead" && l.fields.at("incarnation") == incarnation)
      earliest(declared, l.at_ms);
    if (l.event == "decided" && declared && l.fields.at("dead") != "0") earliest(decided, l.at_ms);
    if (l.event != "shard_taken" && l.event != "shard_live") return;
    const auto shard = static_cast<unsigned>(std::stoul(l.fields.at("shard")));
    if (!shards.contains(shard)) return;
    latest(l.event == "shard_taken" ? taken : live, l.at_ms);
    if (l.event == "shard_live") arrived.insert(shard);
  }
};

}  // namespace

timeline::timeline(std::vector<std::string> files) {
  for (auto& file : files) logs_.push_back({std::move(file), 0});
}

void timeline::skip() {
  for (auto& [file, from] : logs_) {
    std::error_code none;
    const auto size = std::filesystem::file_size(file, none);
    from = none ? 0 : static_cast<std::int64_t>(size);
  }
}

std::optional<phases> timeline::read(std::size_t victim, std::int64_t incarnation,
                                     const std::set<unsigned>& shards,
                                     std::chrono::system_clock::time_point fault,
                                     double total_ms) const {
  std::vector<line> lines;
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    if (i == victim) continue;
    std::ifstream in(logs_[i].file);
    in.seekg(logs_[i].from);
    for (std::string text; std::getline(in, text);) lines.push_back(parse(text));
  }
  std::ranges::sort(lines, {}, &line::at_ms);
  moments m;
  for (const auto& l : lines) m.add(l, std::to_string(incarnation), shards);
  if (!m.declared || !m.decided || !m.taken || !m.live || m.arrived != shards) return std::nullopt;
  const auto start = std::chrono::duration<double, std::milli>(fault.time_since_epoch()).count();
  phases p;
  p.detect = *m.declared - start;
  p.declare = *m.decided - *m.declared;
  p.load = *m.taken - *m.decided;
  p.open = *m.live - *m.taken;
  p.apply = total_ms - (*m.live - start);
  return p;
}

}  // namespace troupe::bench
