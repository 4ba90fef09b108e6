#pragma once

#include <chrono>
#include <cstdint>

namespace troupe::trading {

/// How back-tests of sweeps are spread over the cluster.
struct sweep_options {
  std::uint32_t threads = 0;                  // Of a node; 0: as many as cores.
  std::uint32_t data_max = 1024;              // MiB of recordings that a node keeps in memory.
  std::uint32_t jobs_max = 256;               // Runs of one sweep that are given out at a time.
  std::chrono::milliseconds ask_again{5000};  // A run that a dead node had begins anew after this.
};

}  // namespace troupe::trading
