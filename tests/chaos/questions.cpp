#include "tests/chaos/questions.hpp"

#include <cstdio>
#include <fstream>

namespace troupe::test {

namespace {

app::settings settings_for(const cluster_folder& folder, int node) {
  app::settings s;
  s.cluster.name = "test";
  s.node.id = "node-" + std::to_string(node);
  s.node.admin.port = static_cast<std::uint16_t>(folder.admin_port(node));
  return s;
}

}  // namespace

questions::questions(const cluster_folder& folder, int node)
    : port_(folder.admin_port(node)), client_(settings_for(folder, node)) {}

void questions::put(const nlohmann::json& request) {
  if (expected_ < 0) expected_ = unread();
  expected_ += static_cast<std::int64_t>(request.dump().size());
  put_.push_back(std::async(std::launch::async, [this, request]() -> nlohmann::json {
    try {
      return client_.ask(request);
    } catch (const std::exception&) {
      return nullptr;
    }
  }));
}

void questions::wait_for_arrival() const {
  wait_until("the questions' arrival", std::chrono::seconds(20),
             [&] { return unread() >= expected_; });
}

std::vector<nlohmann::json> questions::answers() {
  std::vector<nlohmann::json> all;
  for (auto& one : put_) all.push_back(one.get());
  put_.clear();
  return all;
}

std::int64_t questions::unread() const {
  std::ifstream connections("/proc/net/tcp");
  std::int64_t sum = 0;
  for (std::string line; std::getline(connections, line);) {
    unsigned local = 0, state = 0, waiting = 0;
    if (std::sscanf(line.c_str(), " %*d: %*x:%x %*x:%*x %x %*x:%x", &local, &state, &waiting) ==
            3 &&
        local == static_cast<unsigned>(port_) && state == 1)
      sum += waiting;
  }
  return sum;
}

}  // namespace troupe::test
