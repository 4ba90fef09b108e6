#include "runtime/cluster/links.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <caf/binary_serializer.hpp>
#include <caf/io/basp_broker.hpp>
#include <cerrno>
#include <charconv>
#include <set>
#include <utility>

#include "runtime/base/log.hpp"
#include "runtime/cluster/link_pump.hpp"
#include "runtime/security/token.hpp"

namespace troupe::cluster {

namespace {

using namespace std::chrono_literals;

constexpr auto greeting_limit = 1000ms;
constexpr unsigned char first_byte_of_tls = 0x16;

std::string duplicate_words(const std::string& id) {
  return "a node with the id " + id + " is alive here: give each node an id of its own";
}

caf::io::scribe_ptr adopt(caf::actor_system& system, int fd) {
  return static_cast<caf::io::network::multiplexer&>(system.middleman().backend()).new_scribe(fd);
}

caf::actor basp(caf::actor_system& system) {
  return system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
}

/// How the payload of a message `(word, text)` begins on the wire: no forwarding stages, the types,
/// the word.
std::string content_of(caf::actor_system& system, caf::atom_value word) {
  std::vector<char> bytes;
  caf::binary_serializer sink(system, bytes);
  std::vector<caf::strong_actor_ptr> stages;
  if (sink(stages, caf::make_message(word, std::string{}))) return "\xff";  // Admits nothing.
  bytes.pop_back();                                                         // The text's length.
  return {bytes.begin(), bytes.end()};
}

/// What a link's pump is told. `life`: of the peer, if it is a node.
pump_orders orders_for(const link_self& self, std::string peer, incarnation life) {
  pump_orders orders{std::move(peer)};
  if (!self.links) return orders;
  orders.silence_max = self.links->silence_max();
  if (life == incarnation(0)) return orders;
  orders.handle = self.links->add(life);
  orders.large_frame_moves = [links = self.links, life] { links->large_frame_moves(life); };
  return orders;
}

}  // namespace

link_listener::link_listener(caf::actor_system& system, const std::string& host, std::uint16_t port,
                             link_door door)
    : system_(system),
      door_(std::move(door)),
      operator_content_(content_of(system, door_.operator_word)),
      socket_(listen_on(host, port)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { accept_all(); });
}

link_listener::~link_listener() {
  stopping_ = true;
  ::shutdown(socket_, SHUT_RDWR);
  thread_.join();
  ::close(socket_);
  const std::lock_guard lock(mutex_);
  for (const int fd : greetings_) ::shutdown(fd, SHUT_RDWR);
}

void link_listener::accept_all() {
  while (!stopping_) {
    const int fd = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
      greet(fd);
    else if (!stopping_ && errno != EINTR)
      std::this_thread::sleep_for(50ms);  // Out of descriptors: others may close some.
  }
}

void link_listener::greet(int fd) {
  std::unique_lock lock(mutex_);
  if (greetings_.size() >= greetings_max) {
    ::shutdown(greetings_.front(), SHUT_RDWR);
    greetings_.pop_front();
  }
  // Those that had to go are on their way out; their threads are soon free.
  idle_.wait(lock, [this] { return threads_ < 2 * greetings_max; });
  try {
    greeters_.start([this, fd] { greet_on_this_thread(fd); });
  } catch (const std::system_error& e) {
    ::close(fd);
    return log::error("cluster", "link_refused", {{"reason", e.what()}});
  }
  greetings_.push_back(fd);
  ++threads_;
}

void link_listener::greet_on_this_thread(int fd) {
  { const std::lock_guard listed(mutex_); }
  const no_broken_pipes quiet;
  {
    link_socket link(fd);
    const auto peer = link.peer_address();
    try {
      welcome(link);
    } catch (const std::exception& e) {
      log::warn("cluster", "link_refused", {{"peer", peer}, {"reason", e.what()}});
    }
    // Handed over, its number may be another's by now.
    if (link.fd() >= 0) strike_off(fd);
  }
  const std::lock_guard lock(mutex_);
  --threads_;
  idle_.notify_one();
}

/// Before the socket is closed or handed on: its number may be another's a moment later.
void link_listener::strike_off(int fd) {
  const std::lock_guard lock(mutex_);
  greetings_.remove(fd);
}

void link_listener::welcome(link_socket& link) {
  const auto until = std::chrono::steady_clock::now() + greeting_limit;
  const auto refuse = [&](const std::string& why) {
    send_hello(link, {door_.self.who, door_.self.life, {}, {}, why}, until);
    link.close_gently(until);
    throw link_error(why);
  };
  const auto first = link.peek(until);
  if (!first) throw link_error("no hello in time");
  const bool tls = *first == first_byte_of_tls;
  if (tls && !door_.self.credentials)
    refuse("it speaks TLS, which is off here: see security in the node's config");
  if (!tls && door_.self.credentials)
    refuse("this node speaks TLS only: set security.certificate_file in the config of the other");
  if (tls) try {
      link.secure(door_.self.credentials->context(), true, until);
    } catch (const link_error&) {
      link.close_gently(until);  // TLS has told the peer why.
      throw;
    }
  hello from;
  try {
    from = read_hello(link, until);
  } catch (const unknown_protocol& e) {
    refuse(e.what());
  }
  if (const auto why = objection_to(from, link); !why.empty()) refuse(why);
  send_hello(link, {door_.self.who, door_.self.life, from.from.name, {}, {}}, until);
  hand_over(link, from);
}

/// Why this peer gets no link; empty: it does.
std::string link_listener::objection_to(const hello& h, const link_socket& link) const {
  const auto& self = door_.self;
  if (h.from.cluster != self.who.cluster)
    return "this is cluster " + self.who.cluster + ", not " + h.from.cluster;
  if (link.secured()) {
    const auto proved = link.peer_identity();
    if (!proved) return "the certificate names no holder";
    if (*proved != h.from)
      return "the certificate belongs to " + to_uri(*proved) + ", not to " + to_uri(h.from);
  } else if (!self.token.empty() && !security::same_secret(self.token, h.token)) {
    return "the token is missing or wrong: set security.token as on this node";
  }
  if (!h.to.empty() && h.to != self.who.name) return "this is " + self.who.name + ", not " + h.to;
  if (h.from.as == security::role::node) {
    if (h.from.name == self.who.name) return duplicate_words(h.from.name);
    if (door_.objection)
      if (auto why = door_.objection(h.from.name, h.life); !why.empty()) return why;
  }
  return *links_ < links_max ? "" : "too many links";
}

void link_listener::hand_over(link_socket& link, const hello& h) {
  const bool may_all = h.from.as == security::role::node;
  const auto who = short_text(h.from) + " at " + link.peer_address();
  auto orders = orders_for(door_.self, who, may_all ? h.life : incarnation(0));
  if (!may_all)
    orders.incoming = {operator_frame_bytes_max, false, door_.root.id(), operator_content_};
  orders.ended = [links = links_] { --*links; };
  if (link.secured())
    log::info("cluster", "link_accepted",
              {{"peer", who}, {"certificate", link.peer_fingerprint().substr(0, 16)}});
  strike_off(link.fd());
  ++*links_;
  int local = -1;
  try {
    local = start_pump(std::move(link), std::move(orders));
  } catch (const link_error&) {
    --*links_;
    throw;
  }
  caf::anon_send(basp(system_), caf::publish_atom_v, adopt(system_, local), port_,
                 caf::actor_cast<caf::strong_actor_ptr>(door_.root), std::set<std::string>{});
}

namespace {

/// The handshake and the hellos, as seen by who has connected.
void introduce(link_socket& link, const link_target& target, const link_self& self,
               deadline until) {
  if (self.credentials) {
    link.secure(self.credentials->context(), false, until);
    const auto proved = link.peer_identity();
    const security::identity wanted{self.who.cluster, security::role::node, target.node};
    if (proved != wanted)
      throw link_error("its certificate belongs to " + (proved ? to_uri(*proved) : "nobody") +
                       ", not to " + to_uri(wanted));
  }
  send_hello(link, {self.who, self.life, target.node, self.credentials ? "" : self.token, {}},
             until);
  const auto answer = read_hello(link, until);
  if (answer.refusal == duplicate_words(self.who.name)) throw duplicate_node(answer.refusal);
  if (!answer.refusal.empty()) throw link_error("refused: " + answer.refusal);
  if (answer.from.cluster != self.who.cluster || answer.from.name != target.node)
    throw link_error("it is " + to_uri(answer.from));
}

}  // namespace

link_target link_target_of(const std::string& address, const std::string& node) {
  const auto colon = address.rfind(':');
  link_target target{address.substr(0, colon), 0, node, incarnation(0)};
  if (colon != address.npos)
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), target.port);
  return target;
}

caf::actor dial(caf::actor_system& system, const link_target& target, const link_self& self,
                std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto where = target.host + ':' + std::to_string(target.port);
  const no_broken_pipes quiet;
  auto link = link_socket::connect(target.host, target.port, until);
  try {
    introduce(link, target, self, until);
  } catch (const duplicate_node& e) {
    throw duplicate_node(where + ": " + e.what());
  } catch (const link_error& e) {
    throw link_error(where + ": " + e.what());
  }
  auto orders = orders_for(self, where, target.life);
  if (!orders.handle) orders.handle = std::make_shared<link_handle>();
  const auto handle = orders.handle;
  const int local = start_pump(std::move(link), std::move(orders));
  caf::scoped_actor scoped{system};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      std::max(deadline::duration(1), until - std::chrono::steady_clock::now()));
  caf::actor root;
  std::string why = "it has no actor for us";
  scoped
      ->request(basp(system), caf::duration{left}, caf::connect_atom_v, adopt(system, local),
                target.port)
      .receive([&](caf::node_id&, caf::strong_actor_ptr& p,
                   std::set<std::string>&) { root = caf::actor_cast<caf::actor>(p); },
               [&](caf::error& e) { why = system.render(e); });
  if (root) return root;
  handle->cut();
  throw link_error(where + " does not answer as a Troupe node: " + why);
}

}  // namespace troupe::cluster
