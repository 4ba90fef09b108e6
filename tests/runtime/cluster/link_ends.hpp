#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "runtime/base/log.hpp"
#include "runtime/cluster/links.hpp"
#include "runtime/entity/actor_messages.hpp"
#include "runtime/entity/engine.hpp"
#include "tests/support/certificate_files.hpp"

namespace troupe::test {

using namespace std::chrono_literals;

inline bool becomes_true(const std::function<bool()>& condition) {
  for (const auto until = std::chrono::steady_clock::now() + 20s;
       std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(2ms))
    if (condition()) return true;
  return false;
}

inline std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

inline cluster::link_self self_of(const std::string& cluster, security::role as,
                                  const std::string& name,
                                  const security::credential_files* files = nullptr) {
  cluster::link_self self;
  self.who = {cluster, as, name};
  if (files != nullptr)
    self.credentials = std::make_shared<security::credentials>(*files, self.who);
  return self;
}

/// A node's door: node-1 of cluster `here`, whose root answers texts. Its log is kept.
struct door {
  explicit door(cluster::link_self self = self_of("here", security::role::node, "node-1")) {
    log_file = std::filesystem::temp_directory_path() /
               ("troupe-links-" + std::to_string(::getpid()) + ".log");
    std::filesystem::remove(log_file);
    log::set_file(log_file);
    log::set_rate_max(0);
    root = system.spawn([](caf::event_based_actor* me) -> caf::behavior {
      me->set_default_handler(
          [](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
            return caf::sec::unexpected_message;
          });
      return {[](const std::string& text) { return "root: " + text; },
              [](admin_atom, const std::string& text) { return "admin: " + text; },
              [](const std::string&, const std::string& text) { return text.size(); }};
    });
    cluster::link_door d{std::move(self), root, admin_atom_v, {}};
    d.objection = [this](const std::string& id, incarnation life) { return objection(id, life); };
    listener = std::make_unique<cluster::link_listener>(system, "127.0.0.1", 0, std::move(d));
  }
  ~door() {
    listener.reset();
    caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
    std::filesystem::remove(log_file);
  }

  cluster::link_target target(const std::string& node = "node-1") const {
    return {"127.0.0.1", listener->port(), node};
  }
  std::string log_text() const {
    std::ifstream in(log_file);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  /// A line of the log says why somebody at an address of this machine was refused.
  bool logged(const std::string& reason) const {
    return becomes_true([&] {
      const auto text = log_text();
      return text.find("127.0.0.1:") != text.npos && text.find(reason) != text.npos;
    });
  }

  /// A raw connection that says `text`; its descriptor.
  int connect(const std::string& text = {}) const {
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(listener->port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    if (!text.empty()) (void)!::send(s, text.data(), text.size(), MSG_NOSIGNAL);
    return s;
  }

  engine_config config{1};
  caf::actor_system system{config};
  caf::actor root;
  std::function<std::string(const std::string&, incarnation)> objection =
      [](const std::string&, incarnation) { return std::string(); };
  std::filesystem::path log_file;
  std::unique_ptr<cluster::link_listener> listener;
};

/// Another process' end, as far as one process can play it. CAF has one connection between two
/// processes: each link takes a caller of its own.
struct caller {
  caf::actor dial(const cluster::link_target& target, const cluster::link_self& self,
                  std::chrono::milliseconds limit = 5s) {
    return cluster::dial(system, target, self, limit);
  }
  template <class... Words>
  std::string ask(const caf::actor& far, const Words&... words) {
    caf::scoped_actor self{system};
    std::string answer;
    self->request(far, caf::duration{5s}, words...)
        .receive([&](const std::string& text) { answer = text; },
                 [&](caf::error& e) { answer = system.render(e); });
    return answer;
  }
  engine_config config{1};
  caf::actor_system system{config};
};

/// What dialling says; empty: it went well.
inline std::string failure(const cluster::link_target& target, const cluster::link_self& self) {
  try {
    caller().dial(target, self);
    return {};
  } catch (const cluster::link_error& e) {
    return e.what();
  }
}

/// Reads until the other end closes; what came.
inline std::string read_to_end(int s) {
  timeval limit{20, 0};
  ::setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::string all;
  char bytes[1024];
  ssize_t n;
  while ((n = ::recv(s, bytes, sizeof bytes, 0)) > 0)
    all.append(bytes, static_cast<std::size_t>(n));
  CHECK((n == 0 || errno == ECONNRESET));
  ::close(s);
  return all;
}

}  // namespace troupe::test
