#include "app/feed/pace.hpp"

#include <signal.h>  // sigaction

#include <algorithm>
#include <charconv>
#include <csignal>
#include <thread>

namespace troupe::feed {

namespace {

volatile std::sig_atomic_t caught = 0;

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { caught = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return caught != 0;
}

std::optional<speed> parse_speed(std::string_view text) {
  if (text == "max") return speed{0};
  if (text == "real") return speed{1};
  double factor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), factor);
  if (error != std::errc() || end != text.data() + text.size() || !(factor > 0) || factor > 1e9)
    return std::nullopt;
  return speed{factor};
}

void pace::wait_for(std::int64_t time_us) {
  if (factor_ == 0) return;
  if (!first_us_) {
    first_us_ = time_us;
    began_ = clock::now();
  }
  const std::chrono::duration<double, std::micro> after(static_cast<double>(time_us - *first_us_) /
                                                        factor_);
  constexpr auto nap = std::chrono::milliseconds(50);
  for (;;) {
    const auto ahead = after - (clock::now() - began_);
    if (ahead < std::chrono::milliseconds(1) || interrupted()) return;
    std::this_thread::sleep_for(std::min<std::chrono::duration<double, std::micro>>(ahead, nap));
  }
}

}  // namespace troupe::feed
