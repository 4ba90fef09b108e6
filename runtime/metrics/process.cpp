#include "runtime/metrics/process.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace troupe::metrics {

namespace {

namespace fs = std::filesystem;

/// Places in /proc/self/stat, counted from the field after the process name as in proc(5), which is
/// number 3.
enum class stat_field { threads = 20, start_ticks = 22, resident_pages = 24 };

double stat_value(stat_field wanted) {
  std::ifstream in("/proc/self/stat");
  std::string text(std::istreambuf_iterator<char>(in), {});
  // The process name may hold anything, a parenthesis too: it ends at the last one.
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  std::string value;
  for (int i = 3; i <= static_cast<int>(wanted); ++i) rest >> value;
  return std::stod(value);
}

double boot_seconds() {
  std::ifstream in("/proc/stat");
  for (std::string name; in >> name; in.ignore(1 << 20, '\n')) {
    double seconds = 0;
    if (name == "btime" && in >> seconds) return seconds;
  }
  throw std::runtime_error("no btime in /proc/stat");
}

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double open_fds() {
  const auto count = std::distance(fs::directory_iterator("/proc/self/fd"), {});
  return static_cast<double>(count - 1);  // Without the one that reads the folder.
}

double max_fds() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

double resident_bytes() {
  return stat_value(stat_field::resident_pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double start_seconds() {
  return boot_seconds() +
         stat_value(stat_field::start_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

std::vector<registry::subscription> watch_process(registry& r) {
  std::vector<registry::subscription> all;
  const auto gauge = [&](const char* name, const char* help, registry::reader read) {
    all.push_back(r.watch_gauge(name, help, {}, std::move(read)));
  };
  all.push_back(r.watch_counter("process_cpu_seconds_total",
                                "User and system CPU time spent, in seconds.", {}, cpu_seconds));
  gauge("process_resident_memory_bytes", "Resident memory, in bytes.", resident_bytes);
  gauge("process_open_fds", "Open file descriptors.", open_fds);
  gauge("process_max_fds", "Most file descriptors the process may open.", max_fds);
  gauge("process_threads", "Threads of the process.",
        [] { return stat_value(stat_field::threads); });
  gauge("process_start_time_seconds", "Start of the process, in seconds since 1970.",
        [start = start_seconds()] { return start; });
  return all;
}

}  // namespace troupe::metrics
