// What a link between two nodes carries, with TLS and without, beside CAF on a bare socket.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <caf/io/basp_broker.hpp>
#include <cstdio>
#include <cstring>
#include <functional>
#include <set>

#include "bench/support/figures.hpp"
#include "runtime/base/log.hpp"
#include "runtime/cluster/links.hpp"
#include "runtime/entity/actor_messages.hpp"
#include "runtime/entity/engine.hpp"
#include "tests/support/certificate_files.hpp"

namespace {

using namespace troupe;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

bool as_json = false;

void report(const std::string& metric, double value, const char* unit) {
  if (as_json)
    std::printf("{\"bench\": \"links\", \"metric\": \"%s\", \"value\": %.1f, \"unit\": \"%s\"}\n",
                metric.c_str(), value, unit);
  else
    std::printf("%-44s %12.1f %s\n", metric.c_str(), value, unit);
}

double micros_since(clock_type::time_point begin) {
  return std::chrono::duration<double, std::micro>(clock_type::now() - begin).count();
}

struct process {
  engine_config config{1};
  caf::actor_system system{config};
};

caf::io::scribe_ptr adopt(caf::actor_system& system, int fd) {
  return static_cast<caf::io::network::multiplexer&>(system.middleman().backend()).new_scribe(fd);
}

/// A connected pair of TCP sockets, handed to CAF without anything between.
caf::actor connect_bare(process& from, process& to, const caf::actor& root) {
  const int ear = cluster::listen_on("127.0.0.1", 0);
  sockaddr_in at{};
  socklen_t size = sizeof at;
  ::getsockname(ear, reinterpret_cast<sockaddr*>(&at), &size);
  const int near = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(near, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) std::abort();
  const int far = ::accept(ear, nullptr, nullptr);
  ::close(ear);
  const auto basp = [](caf::actor_system& s) {
    return s.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  };
  caf::anon_send(basp(to.system), caf::publish_atom_v, adopt(to.system, far), std::uint16_t{1},
                 caf::actor_cast<caf::strong_actor_ptr>(root), std::set<std::string>{});
  caf::actor found;
  caf::scoped_actor self{from.system};
  self->request(basp(from.system), caf::duration{3s}, caf::connect_atom_v, adopt(from.system, near),
                std::uint16_t{1})
      .receive([&](caf::node_id&, caf::strong_actor_ptr& p,
                   std::set<std::string>&) { found = caf::actor_cast<caf::actor>(p); },
               [](caf::error&) { std::abort(); });
  return found;
}

/// Messages of `bytes` for a second, at most `window` of them not answered.
double messages_a_second(process& from, const caf::actor& far, std::size_t bytes, int window) {
  caf::scoped_actor self{from.system};
  const std::string text(bytes, 'x');
  std::int64_t done = 0;
  int open = 0;
  const auto begin = clock_type::now();
  while (clock_type::now() - begin < 2s || open > 0) {
    for (; open < window && clock_type::now() - begin < 2s; ++open) self->send(far, text);
    self->receive([&](std::size_t) { ++done; });
    --open;
  }
  return static_cast<double>(done) / micros_since(begin) * 1e6;
}

void measure(const std::string& how, process& from, const caf::actor& far) {
  caf::scoped_actor self{from.system};
  std::vector<double> asked;
  for (int i = 0; i < 5000; ++i) {
    const auto begin = clock_type::now();
    self->request(far, caf::duration{3s}, std::string("ping"))
        .receive([](std::size_t) {}, [](caf::error&) { std::abort(); });
    asked.push_back(micros_since(begin));
  }
  report(how + ": ask p50", bench::quantile(asked, 0.5), "us");
  report(how + ": ask p99", bench::quantile(asked, 0.99), "us");
  report(how + ": messages of 100 bytes", messages_a_second(from, far, 100, 2000), "1/s");
  report(how + ": in messages of 64 KiB", messages_a_second(from, far, 65536, 64) * 65536 / 1e6,
         "MB/s");
}

void measure_dials(const std::string& how, const cluster::link_target& target,
                   const cluster::link_self& self) {
  std::vector<double> dialed;
  for (int i = 0; i < 100; ++i) {
    process from;  // CAF has one connection between two processes.
    const auto begin = clock_type::now();
    cluster::dial(from.system, target, self, 3s);
    dialed.push_back(micros_since(begin));
  }
  report(how + ": dial, handshake, root actor p50", bench::quantile(dialed, 0.5), "us");
  report(how + ": dial, handshake, root actor p99", bench::quantile(dialed, 0.99), "us");
}

}  // namespace

int main(int argc, char** argv) {
  as_json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  log::set_level(log::level::warn);
  process to;
  const auto root = to.system.spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](const std::string& text) { return text.size(); }};
  });
  {
    process from;
    measure("bare CAF", from, connect_bare(from, to, root));
  }
  const test::certificate_files files("bench");
  for (const bool tls : {false, true}) {
    const std::string how = tls ? "TLS" : "plain";
    cluster::link_self node_1, node_2;
    node_1.who = {"bench", security::role::node, "node-1"};
    node_2.who = {"bench", security::role::node, "node-2"};
    if (tls) {
      node_1.credentials =
          std::make_shared<security::credentials>(files.node("node-1"), node_1.who);
      node_2.credentials =
          std::make_shared<security::credentials>(files.node("node-2"), node_2.who);
    }
    const cluster::link_listener listener(to.system, "127.0.0.1", 0, {node_1, root, {}, {}});
    const cluster::link_target target{"127.0.0.1", listener.port(), "node-1"};
    process from;
    measure(how, from, cluster::dial(from.system, target, node_2, 3s));
    measure_dials(how, target, node_2);
  }
  std::fflush(stdout);
  ::_exit(0);
}
