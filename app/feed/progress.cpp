#include "app/feed/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

namespace troupe::feed {

namespace {

using namespace std::chrono_literals;

std::string bar(double share) {
  constexpr int width = 30;
  const auto full = static_cast<std::size_t>(std::lround(share * width));
  std::string text("[");
  text.append(full, '#').append(width - full, '.');
  return text += "] ";
}

std::string clock_text(double seconds) {
  const auto all = static_cast<std::uint64_t>(std::llround(seconds));
  auto text = std::to_string(all / 60);
  text += all % 60 < 10 ? ":0" : ":";
  return text += std::to_string(all % 60);
}

}  // namespace

progress::progress(std::string what, std::uint64_t before, double share_before)
    : what_(std::move(what)),
      before_(before),
      share_before_(share_before),
      terminal_(::isatty(2) == 1),
      began_(clock::now()),
      next_(began_ + (terminal_ ? 200ms : 5s)) {}

double progress::seconds() const {
  return std::chrono::duration<double>(clock::now() - began_).count();
}

void progress::at(std::uint64_t rows, double share) {
  if (const auto now = clock::now(); now >= next_) {
    next_ = now + (terminal_ ? 200ms : 5s);
    show(rows, std::clamp(share, 0.0, 1.0));
  }
}

void progress::show(std::uint64_t rows, double share) {
  const auto passed = seconds();
  std::string text = terminal_ ? std::string("\r\x1b[K").append(bar(share)) : "";
  text += std::to_string(static_cast<int>(share * 100)) + " %, " + grouped(rows) + ' ' + what_ +
          ", " + grouped(static_cast<std::uint64_t>(static_cast<double>(rows - before_) / passed)) +
          "/s";
  if (const auto gained = share - share_before_; gained > 0)
    text += ", eta " + clock_text(passed * (1 - share) / gained);
  std::cerr << text << (terminal_ ? "" : "\n") << std::flush;
  shown_ = true;
}

void progress::done() {
  if (terminal_ && shown_) std::cerr << "\r\x1b[K" << std::flush;
}

std::string grouped(std::uint64_t number) {
  auto text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

}  // namespace troupe::feed
