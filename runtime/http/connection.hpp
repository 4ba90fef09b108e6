#pragma once

// For server.cpp alone: brings Asio.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <string>

#include "runtime/base/clock.hpp"
#include "runtime/http/server.hpp"

namespace troupe::http {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

// Concrete executors and plain sockets whose deadlines one sweep enforces: beast::tcp_stream, which
// arms two timers an operation, costs a fifth more CPU a request.
using executor = asio::io_context::executor_type;
using socket = asio::basic_stream_socket<tcp, executor>;
using acceptor = asio::basic_socket_acceptor<tcp, executor>;
using clock = std::chrono::steady_clock;
using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, executor>;
template <class T = void>
using task = asio::awaitable<T, executor>;
constexpr asio::as_tuple_t<asio::use_awaitable_t<executor>> as_result{};

/// Runs when the scope ends, however it does.
template <class Action>
struct [[nodiscard]] at_exit {
  Action action;
  ~at_exit() { action(); }
};
template <class Action>
at_exit(Action) -> at_exit<Action>;

/// What the server's sweep knows of a connection.
struct connection {
  socket& low;
  steady_time deadline;
  bool idle = true;  // Between requests.
  bool cut = false;
  timer* reply = nullptr;  // Set while a handler works: being late then answers 504, cuts nothing.
};

/// Whatever the connection waits for fails; its coroutine ends by itself.
inline void cut(connection& c) {
  boost::system::error_code ignored;
  c.cut = true;
  c.low.close(ignored);
  if (c.reply) c.reply->cancel();
}

/// What an operator can do about it, to be added to a message.
inline std::string remedy(const error_code& ec) {
  if (ec == asio::error::address_in_use)
    return "; another process listens there: stop it (`ss -ltnp` names it) or choose another port";
  if (ec == asio::error::access_denied)
    return "; ports below 1024 need root or CAP_NET_BIND_SERVICE: choose a higher one";
  if (ec == boost::system::errc::address_not_available)
    return "; this machine has no such address: `ip address` lists those it has";
  if (ec == asio::error::host_not_found || ec == asio::error::host_not_found_try_again)
    return "; give an address, or a name that resolves";
  return {};
}

/// Throws listen_error.
inline acceptor listen(asio::io_context& io, const std::string& host, std::uint16_t port) {
  try {
    tcp::resolver resolver(io);
    const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive);
    return acceptor(io.get_executor(), found.begin()->endpoint(), true);
  } catch (const boost::system::system_error& e) {
    throw listen_error("http: cannot listen on " + host + ':' + std::to_string(port) + ": " +
                       e.code().message() + remedy(e.code()));
  }
}

}  // namespace troupe::http
