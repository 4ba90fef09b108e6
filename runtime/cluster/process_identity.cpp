// CAF 0.17.6 makes a node's identity from its network addresses and process id: two containers can
// have the same one, and then each takes the other for itself. This definition comes before the
// library's at link time and makes the number random, new for every life of a process.
#include <cstdint>
#include <random>

namespace caf::detail {

std::uint32_t get_process_id();

std::uint32_t get_process_id() {
  static const std::uint32_t id = [] {
    std::random_device random;
    std::uint32_t drawn = 0;
    while (drawn == 0) drawn = random();
    return drawn;
  }();
  return id;
}

}  // namespace caf::detail
