#include "runtime/metrics/process.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "exposition.hpp"

using namespace troupe::metrics;

namespace {

double read(const registry& r, const std::string& name) {
  return parse_exposition(r.expose()).value(name);
}

}  // namespace

TEST_CASE("open files are counted") {
  registry r;
  const auto kept = watch_process(r);
  const double before = read(r, "process_open_fds");
  const int fd = open("/dev/null", O_RDONLY);
  CHECK(read(r, "process_open_fds") == before + 1);
  close(fd);
  CHECK(read(r, "process_open_fds") == before);
  CHECK(read(r, "process_max_fds") > before);
}

TEST_CASE("threads are counted") {
  registry r;
  const auto kept = watch_process(r);
  const double before = read(r, "process_threads");
  std::mutex hold;
  hold.lock();
  std::thread waiting([&] { const std::lock_guard until_told(hold); });
  CHECK(read(r, "process_threads") == before + 1);
  hold.unlock();
  waiting.join();
}

TEST_CASE("CPU time grows with work, and no faster than time") {
  registry r;
  const auto kept = watch_process(r);
  const double before = read(r, "process_cpu_seconds_total");
  volatile unsigned work = 0;
  while (read(r, "process_cpu_seconds_total") < before + 0.05) work = work + 1;
  CHECK(read(r, "process_cpu_seconds_total") < before + 60);
}

TEST_CASE("resident memory follows what is touched") {
  registry r;
  const auto kept = watch_process(r);
  const double before = read(r, "process_resident_memory_bytes");
  const std::string block(32 << 20, 'x');
  const double grown = read(r, "process_resident_memory_bytes") - before;
  CHECK(grown > 30 << 20);
  CHECK(grown < 512 << 20);  // Sanitizers shadow what is touched.
}

TEST_CASE("the start lies shortly before now") {
  registry r;
  const auto kept = watch_process(r);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const double start = read(r, "process_start_time_seconds");
  CHECK(start <= now + 1);
  CHECK(start > now - 600);
}
