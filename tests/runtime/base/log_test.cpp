#include "runtime/base/log.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "runtime/base/ids.hpp"

namespace log = troupe::log;

namespace {

/// Sends the log to a file of its own, unlimited, at the default level.
class captured_log {
 public:
  captured_log()
      : path_(std::filesystem::temp_directory_path() /
              ("troupe-log-" + std::to_string(getpid()) + '-' + std::to_string(++made_))) {
    log::set_file(path_);
    log::set_level(log::level::info);
    log::set_rate_max(0);
  }
  ~captured_log() {
    log::set_file("/dev/null");
    std::filesystem::remove(path_);
  }

  const std::filesystem::path& path() const { return path_; }

  std::vector<std::string> lines() const {
    std::ifstream in(path_);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

  /// The only line, without its time.
  std::string text() const {
    const auto all = lines();
    REQUIRE(all.size() == 1);
    return all[0].substr(all[0].find(' ') + 1);
  }

 private:
  static inline int made_ = 0;
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("a line has time, level, component, event and fields") {
  const captured_log out;
  log::write(log::level::info, "store", "commit_failed",
             {{"shard", troupe::shard_id(3)}, {"ok", false}, {"reason", "lost connection"}});
  REQUIRE(out.lines().size() == 1);
  std::string line = out.lines()[0];
  for (std::size_t i = 0; i < 27 && i < line.size(); ++i)
    if (line[i] >= '0' && line[i] <= '9') line[i] = '0';
  CHECK(
      line ==
      R"(0000-00-00T00:00:00.000000Z info  store  commit_failed shard=3 ok=false reason="lost connection")");
}

TEST_CASE("values that would break a line or a field are quoted and escaped") {
  struct row {
    std::string value;
    const char* written;
  };
  for (const auto& r :
       {row{"plain-value_1.5", "plain-value_1.5"}, row{"", R"("")"},
        row{"two words", R"("two words")"}, row{"a=b", R"("a=b")"},
        row{R"(say "hi")", R"("say \"hi\"")"}, row{R"(C:\x)", R"("C:\\x")"},
        row{"one\ntwo\r\n\tthree", R"("one\ntwo\r\n\tthree")"},
        row{std::string("\0\x1b[31m\x7f", 7), R"("\x00\x1b[31m\x7f")"}, row{"größe", "größe"}}) {
    CAPTURE(r.written);
    const captured_log out;
    log::info("store", "event", {{"v", r.value}});
    CHECK(out.text() == std::string("info  store  event v=") + r.written);
  }
}

TEST_CASE("a component's own level wins over the default") {
  const captured_log out;
  log::debug("store", "hidden");
  log::set_level("http", log::level::debug);
  log::set_level("bridge", log::level::error);
  log::debug("http", "shown_1");
  log::debug("store", "hidden");
  log::warn("bridge", "hidden");
  log::error("bridge", "shown_2");
  log::set_level(log::level::off);
  log::error("store", "hidden");
  log::debug("http", "shown_3");
  CHECK(out.lines().size() == 3);
  for (const auto& line : out.lines()) CHECK(line.find("hidden") == std::string::npos);
  log::set_level("http", log::level::info);
  log::set_level("bridge", log::level::info);
}

TEST_CASE("lines held back are counted on the next line of the same event") {
  const captured_log out;
  log::set_rate_max(3);
  std::size_t written = 0;
  const auto told = [&] {
    const auto all = out.lines();
    return !all.empty() && all.back().find("suppressed=") != std::string::npos;
  };
  do {
    log::info("store", "frequent", {{"n", written}});
    REQUIRE(++written < 5'000'000);
  } while (!told());
  const auto all = out.lines();
  const auto at = all.back().find("suppressed=") + std::string("suppressed=").size();
  CHECK(std::stoul(all.back().substr(at)) == written - all.size());
  CHECK(written > all.size());
}

TEST_CASE("threads never tear each other's lines") {
  const captured_log out;
  constexpr int lines_each = 2000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < lines_each; ++i)
        log::info("store", "written", {{"text", "some words to fill a line"}, {"end", "yes"}});
    });
  for (auto& t : threads) t.join();
  const auto all = out.lines();
  CHECK(all.size() == 4 * lines_each);
  const std::string expected = R"( info  store  written text="some words to fill a line" end=yes)";
  for (const auto& line : all) REQUIRE(line.substr(27) == expected);
}

TEST_CASE("a file is appended to") {
  const captured_log out;
  log::info("store", "first");
  log::set_file(out.path());
  log::info("store", "second");
  CHECK(out.lines().size() == 2);
}

TEST_CASE("a file that cannot be opened is named, and the log stays where it was") {
  const captured_log out;
  CHECK_THROWS_WITH_AS(log::set_file("/proc/none/here.log"),
                       doctest::Contains("/proc/none/here.log"), std::runtime_error);
  log::info("store", "still_here");
  CHECK(out.text() == "info  store  still_here");
}

TEST_CASE("levels are parsed by their names only") {
  log::level l{};
  CHECK(log::parse_level("warn", l));
  CHECK(l == log::level::warn);
  CHECK(log::parse_level("off", l));
  CHECK(l == log::level::off);
  for (const char* text : {"", "WARN", "warning", "in"}) CHECK_FALSE(log::parse_level(text, l));
  CHECK(l == log::level::off);
}
