#include "runtime/base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>

#include "runtime/base/rate_limiter.hpp"

namespace troupe::log {

namespace {

constexpr std::array<std::string_view, 6> level_names{"trace", "debug", "info",
                                                      "warn",  "error", "off"};
// Columns: the longest level and most component names.
constexpr std::size_t level_width = 5;
constexpr std::size_t component_width = 6;
constexpr std::uint32_t rate_max_default = 20;

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("troupe", std::move(sink));
  logger->set_level(spdlog::level::trace);
  // The last lines before a crash are the ones somebody will look for.
  logger->flush_on(spdlog::level::trace);
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%fZ %v", spdlog::pattern_time_type::utc));
  return logger;
}

/// Which lines are wanted. The answer for a level that nobody wants costs one relaxed load.
class level_table {
 public:
  bool wants(level l, std::string_view component) const {
    if (l < lowest_.load(std::memory_order_relaxed)) return false;
    const std::shared_lock hold(mutex_);
    const auto own = components_.find(component);
    return l >= (own == components_.end() ? default_ : own->second);
  }

  void set_default(level l) {
    const std::unique_lock hold(mutex_);
    default_ = l;
    refresh_lowest();
  }

  void set(std::string_view component, level l) {
    const std::unique_lock hold(mutex_);
    components_.insert_or_assign(std::string(component), l);
    refresh_lowest();
  }

 private:
  void refresh_lowest() {
    level lowest = default_;
    for (const auto& [component, l] : components_) lowest = std::min(lowest, l);
    lowest_.store(lowest, std::memory_order_relaxed);
  }

  mutable std::shared_mutex mutex_;
  std::map<std::string, level, std::less<>> components_;
  level default_ = level::info;
  std::atomic<level> lowest_{level::info};
};

struct state {
  level_table levels;
  std::mutex mutex;  // Guards what follows.
  rate_limiter rate{rate_max_default};
  std::shared_ptr<spdlog::logger> logger =
      make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
};

/// Never destroyed: other statics may still log while the process ends.
state& the_state() {
  static state& s = *new state;
  return s;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool needs_quotes(std::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
           return is_control(c) || c == ' ' || c == '"' || c == '=' || c == '\\';
         });
}

void append_escaped(std::string& line, char c) {
  constexpr std::string_view hex = "0123456789abcdef";
  if (c == '"' || c == '\\')
    line.append({'\\', c});
  else if (c == '\n')
    line += "\\n";
  else if (c == '\r')
    line += "\\r";
  else if (c == '\t')
    line += "\\t";
  else if (is_control(c))
    line.append({'\\', 'x', hex[static_cast<unsigned char>(c) >> 4], hex[c & 15]});
  else
    line.push_back(c);
}

void append_value(std::string& line, std::string_view value) {
  if (!needs_quotes(value)) {
    line += value;
    return;
  }
  line.push_back('"');
  for (char c : value) append_escaped(line, c);
  line.push_back('"');
}

void append_field(std::string& line, std::string_view name, std::string_view value) {
  line.push_back(' ');
  line += name;
  line.push_back('=');
  append_value(line, value);
}

void append_column(std::string& line, std::string_view text, std::size_t width) {
  line += text;
  line.append(std::max(width, text.size()) - text.size() + 1, ' ');
}

std::string make_line(level l, std::string_view component, std::string_view event, fields f) {
  std::string line;
  line.reserve(128);
  append_column(line, level_names[static_cast<std::size_t>(l)], level_width);
  append_column(line, component, component_width);
  line += event;
  for (const auto& [name, value] : f) append_field(line, name, value);
  return line;
}

std::string rate_key(std::string_view component, std::string_view event) {
  return std::string(component).append(1, ' ').append(event);
}

}  // namespace

void write(level l, component who, std::string_view event, fields f) {
  state& s = the_state();
  if (l >= level::off || !s.levels.wants(l, who)) return;
  const std::string key = rate_key(who, event);
  std::unique_lock hold(s.mutex);
  const auto suppressed = s.rate.admit(key, std::chrono::steady_clock::now());
  if (!suppressed) return;
  const auto logger = s.logger;
  hold.unlock();
  std::string line = make_line(l, who, event, f);
  if (*suppressed > 0) append_field(line, "suppressed", std::to_string(*suppressed));
  logger->log(spdlog::level::info, spdlog::string_view_t(line));
}

void write_always(level l, component who, std::string_view event, fields f) {
  state& s = the_state();
  if (l >= level::off || !s.levels.wants(l, who)) return;
  std::unique_lock hold(s.mutex);
  const auto logger = s.logger;
  hold.unlock();
  logger->log(spdlog::level::info, spdlog::string_view_t(make_line(l, who, event, f)));
}

void set_level(level l) {
  the_state().levels.set_default(l);
}

void set_level(std::string_view name, level l) {
  the_state().levels.set(name, l);
}

void set_rate_max(std::uint32_t lines) {
  const std::lock_guard hold(the_state().mutex);
  the_state().rate.set_max(lines);
}

void set_file(const std::string& path) {
  try {
    auto logger = make_logger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
    const std::lock_guard hold(the_state().mutex);
    the_state().logger = std::move(logger);
  } catch (const spdlog::spdlog_ex& failure) {
    throw std::runtime_error("log file " + path + " cannot be opened: " + failure.what());
  }
}

bool parse_level(std::string_view text, level& out) {
  const auto found = std::find(level_names.begin(), level_names.end(), text);
  if (found == level_names.end()) return false;
  out = static_cast<level>(found - level_names.begin());
  return true;
}

}  // namespace troupe::log
