#include "app/feed/flush.hpp"

#include <iostream>

namespace troupe::feed {

void stall_notice::look() {
  constexpr std::chrono::seconds patience(5);
  if (told_ || std::chrono::steady_clock::now() - since_ < patience) return;
  told_ = true;
  std::cerr << "\nKafka has taken nothing for 5 s: waiting for it; see that it runs. Ctrl-C stops, "
               "and the same command goes on where this one was\n";
}

bool flush_patiently(bridge::kafka_producer& producer) {
  constexpr auto look = std::chrono::milliseconds(200);
  stall_notice notice;
  for (int last_looks = 50; last_looks > 0; last_looks -= interrupted() ? 1 : 0) {
    if (producer.flush(look)) return true;
    notice.look();
  }
  return false;
}

}  // namespace troupe::feed
