// The only file that includes Beast: it takes half a minute to compile.
#include "runtime/http/server.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>

#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"
#include "runtime/http/connection.hpp"
#include "runtime/http/event_streams.hpp"
#include "runtime/http/server_metrics.hpp"
#include "runtime/http/wire.hpp"

namespace troupe::http {

namespace {

using namespace std::chrono_literals;

constexpr auto sweep_period = 100ms;
constexpr auto sweep_period_ending = 10ms;
constexpr auto accept_pause = 50ms;

/// A handler's answer on its way. Owned by the connection alone, so that a reply that outlives the
/// server holds nothing of it.
struct pending_reply {
  timer wake;
  std::optional<response> answer;
};

}  // namespace

class server::impl {
 public:
  impl(std::string name, routes r, metrics::registry& registry, limits l)
      : name_(std::move(name)),
        routes_(std::move(r)),
        limits_(l),
        metrics_(registry, {{"server", name_}}),
        io_(std::make_shared<asio::io_context>(1)),
        streams_(*io_, name_, limits_, metrics_),
        acceptor_(io_->get_executor()),
        sweep_timer_(io_->get_executor()) {}

  ~impl() { stop(); }

  std::uint16_t start(const std::string& host, std::uint16_t port) {
    ensure(runner_ == std::thread::id(), "a server starts once");
    acceptor_ = listen(*io_, host, port);
    port_ = acceptor_.local_endpoint().port();
    asio::co_spawn(io_->get_executor(), accept_all(), asio::detached);
    asio::co_spawn(io_->get_executor(), sweep(), asio::detached);
    thread_ = std::thread([this] {
      io_->run();
      finished_.count_down();
    });
    runner_ = thread_.get_id();
    log::info("http", "listening", {{"server", name_}, {"host", host}, {"port", port_.load()}});
    return port_;
  }

  std::uint16_t port() const { return port_; }

  bool publish(std::string_view channel, std::string_view data) {
    return streams_.publish(channel, data);
  }

  void drain() {
    end([this] { begin_drain(); });
  }
  void stop() {
    end([this] { begin_stop(); });
  }

 private:
  template <class Begin>
  void end(Begin begin) {
    if (runner_ == std::thread::id()) return;
    ensure(runner_ != std::this_thread::get_id(), "a handler cannot end its server");
    asio::post(*io_, begin);
    finished_.wait();
    const std::lock_guard lock(joining_);  // Two may end it at once.
    if (thread_.joinable()) thread_.join();
  }

  // --- Deadlines and the end.

  task<> sweep() {
    while (!(ending_ && open_.empty())) {
      sweep_timer_.expires_after(ending_ ? sweep_period_ending : sweep_period);
      co_await sweep_timer_.async_wait(as_result);
      const auto now = clock::now();
      for (connection* c : open_)
        if (now > c->deadline || now > cut_at_) on_overdue(*c);
    }
  }

  void on_overdue(connection& c) {
    if (c.reply) {
      c.reply->cancel();
    } else if (!c.cut) {
      metrics_.connections_cut.add();
      cut(c);
    }
  }

  void begin_drain() {
    if (ending_) return;
    ending_ = true;
    cut_at_ = clock::now() + limits_.drain;
    take_waiting_connections();
    for (connection* c : open_)
      if (c->idle) c->deadline = std::min(c->deadline, clock::now() + limits_.linger);
    streams_.end_all();
    sweep_timer_.cancel();
    log::info("http", "draining", {{"server", name_}, {"connections", open_.size()}});
  }

  void begin_stop() {
    error_code ignored;
    ending_ = true;
    cut_at_ = clock::now();
    acceptor_.close(ignored);
    for (connection* c : open_) cut(*c);
    streams_.end_all();
    sweep_timer_.cancel();
  }

  /// Who has connected may have sent a request already: closing the listener would lose it.
  void take_waiting_connections() {
    error_code ec;
    acceptor_.non_blocking(true, ec);
    while (!ec) {
      socket s(io_->get_executor());
      acceptor_.accept(s, ec);
      if (!ec) admit(std::move(s));
    }
    acceptor_.close(ec);
  }

  // --- Connections.

  task<> accept_all() {
    while (acceptor_.is_open()) {
      auto [ec, s] = co_await acceptor_.async_accept(as_result);
      if (!ec)
        admit(std::move(s));
      else if (acceptor_.is_open())
        co_await pause_accepting(ec);
    }
  }

  /// Out of descriptors, or a client gone before it was taken: going on at once would spin.
  task<> pause_accepting(error_code ec) {
    metrics_.accept_failures.add();
    log::warn("http", "accept_failed", {{"server", name_}, {"reason", ec.message()}});
    timer pause(io_->get_executor(), accept_pause);
    co_await pause.async_wait(as_result);
  }

  void admit(socket s) {
    if (open_.size() >= limits_.connections_max) {
      metrics_.connections_refused.add();
      log::warn("http", "connection_refused",
                {{"server", name_}, {"reason", "too many"}, {"open", open_.size()}});
      return;
    }
    error_code ignored;
    s.set_option(tcp::no_delay(true), ignored);
    asio::co_spawn(io_->get_executor(), run(std::move(s)), asio::detached);
  }

  /// One connection's life. `Stream` is a socket, or something around one.
  template <class Stream>
  task<> run(Stream stream) {
    connection c{beast::get_lowest_layer(stream), clock::now() + limits_.receive};
    open_.insert(&c);
    metrics_.connections.set(static_cast<double>(open_.size()));
    const at_exit leave{[&] {
      open_.erase(&c);
      metrics_.connections.set(static_cast<double>(open_.size()));
    }};
    try {
      if (co_await serve(stream, c)) co_await close_gently(stream, c);
    } catch (const std::exception& e) {
      log::error("http", "connection_failed", {{"server", name_}, {"reason", e.what()}});
    }
  }

  /// Answers requests until the last. Returns false when the client is gone.
  template <class Stream>
  task<bool> serve(Stream& stream, connection& c) {
    beast::flat_buffer buffer(limits_.header_bytes_max + read_bytes);
    for (bool keep = true; keep;) {
      received in = co_await receive(stream, c, buffer);
      if (in.is == received::gone) co_return false;
      auto todo = decide(in);
      if (const auto* channel = std::get_if<routes::to_channel>(&todo))
        co_return co_await stream_events(stream, c, channel->channel);
      response out = co_await carry_out(std::move(todo), in, c);
      // What a client has already sent is answered even when draining.
      keep = in.keep_alive && !(ending_ && buffer.size() == 0);
      if (!co_await send(stream, c, to_wire(std::move(out), in, keep))) co_return false;
    }
    co_return true;
  }

  template <class Stream>
  task<received> receive(Stream& stream, connection& c, beast::flat_buffer& buffer) {
    received in;
    if (buffer.size() == 0 && !co_await await_first_byte(stream, c, buffer)) co_return in;
    c.deadline = clock::now() + limits_.receive;
    parser p;
    p.header_limit(limits_.header_bytes_max);
    p.body_limit(limits_.body_bytes_max);
    error_code ec = co_await read_message(stream, buffer, p);
    if (ec && !is_protocol_error(ec)) co_return in;
    if (ec || !names_its_host(p.get())) {
      in.is = received::refused;
      in.refusal = plain(refusal_status(ec));
    } else {
      in.is = received::complete;
      in.version = p.get().version();
      in.head = p.get().method() == wire::verb::head;
      in.keep_alive = p.get().keep_alive();
      in.request = to_request(p.release());
    }
    co_return in;
  }

  template <class Stream>
  task<bool> await_first_byte(Stream& stream, connection& c, beast::flat_buffer& buffer) {
    c.idle = true;
    if (ending_) c.deadline = std::min(c.deadline, clock::now() + limits_.linger);
    auto [ec, bytes] = co_await stream.async_read_some(buffer.prepare(read_bytes), as_result);
    buffer.commit(bytes);
    c.idle = false;
    co_return !ec;
  }

  template <class Stream>
  task<error_code> read_message(Stream& stream, beast::flat_buffer& buffer, parser& p) {
    auto [header_ec, header_bytes] = co_await wire::async_read_header(stream, buffer, p, as_result);
    if (header_ec) co_return header_ec;
    if (expects_continue(p) && buffer.size() == 0) {
      constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      auto [ec, bytes] = co_await asio::async_write(stream, asio::buffer(go_on), as_result);
      if (ec) co_return ec;
    }
    auto [ec, bytes] = co_await wire::async_read(stream, buffer, p, as_result);
    co_return ec;
  }

  template <class Stream>
  task<bool> send(Stream& stream, connection& c, wire_response out) {
    metrics_.answered(static_cast<int>(out.result_int()));
    c.deadline = clock::now() + limits_.send;
    auto [ec, bytes] = co_await wire::async_write(stream, out, as_result);
    c.deadline = clock::now() + limits_.idle;
    co_return !ec;
  }

  /// Closing with unread input sends a reset, which can destroy the answer before the client has
  /// read it: say that nothing more comes, and take what still arrives for a while.
  template <class Stream>
  task<> close_gently(Stream& stream, connection& c) {
    error_code ec;
    c.deadline = clock::now() + limits_.linger;
    c.low.shutdown(tcp::socket::shutdown_send, ec);
    while (!ec) {
      auto [read_ec, bytes] = co_await stream.async_read_some(asio::buffer(discarded_), as_result);
      ec = read_ec;
    }
  }

  template <class Stream>
  task<bool> stream_events(Stream& stream, connection& c, std::string_view channel) {
    metrics_.answered(200);
    co_return co_await streams_.serve(stream, c, std::string(channel));
  }

  // --- Requests.

  routes::decision decide(received& in) const {
    if (in.is == received::refused) return in.refusal;
    if (!parse_target(in.request)) return plain(400, "malformed target");
    in.path = in.request.path;
    return routes_.decide(in.request);
  }

  task<response> carry_out(routes::decision todo, received& in, connection& c) {
    if (auto* known = std::get_if<response>(&todo)) co_return std::move(*known);
    const auto begin = clock::now();
    response out = co_await ask(*std::get<routes::to_handler>(todo).call, in, c);
    metrics_.handling.observe(clock::now() - begin);
    if (is_sendable(out)) co_return out;
    log::error("http", "answer_malformed", {{"server", name_}, {"path", in.path}});
    co_return plain(500);
  }

  /// Waits for the handler's reply: 504 when it is late, 500 when the handler throws.
  task<response> ask(const handler& call, received& in, connection& c) {
    const auto pending = std::make_shared<pending_reply>(
        pending_reply{timer(io_->get_executor(), steady_time::max()), std::nullopt});
    c.deadline = clock::now() + limits_.handle;
    c.reply = &pending->wake;
    const at_exit done{[&] { c.reply = nullptr; }};
    if (!call_handler(call, in, reply_to(pending))) co_return plain(500);
    co_await pending->wake.async_wait(as_result);
    if (pending->answer) co_return std::move(*pending->answer);
    metrics_.replies_late.add();
    log::warn("http", "reply_late", {{"server", name_}, {"path", in.path}});
    co_return plain(504);
  }

  bool call_handler(const handler& call, received& in, reply answer) const {
    try {
      call(std::move(in.request), std::move(answer));
      return true;
    } catch (const std::exception& e) {
      log::error("http", "handler_failed",
                 {{"server", name_}, {"path", in.path}, {"reason", e.what()}});
    } catch (...) {
      log::error("http", "handler_failed", {{"server", name_}, {"path", in.path}});
    }
    return false;
  }

  /// Only the server's thread ever locks `pending`: its timer must not die on another, nor after
  /// the server.
  reply reply_to(const std::shared_ptr<pending_reply>& pending) const {
    return reply([io = std::weak_ptr(io_), to = std::weak_ptr(pending)](response r) {
      const auto alive = io.lock();
      if (!alive) return;
      asio::post(*alive, [to, r = std::move(r)]() mutable {
        const auto waiting = to.lock();
        if (!waiting) return;
        waiting->answer = std::move(r);
        waiting->wake.cancel();
      });
    });
  }

  static constexpr std::size_t read_bytes = 8 * 1024;

  // Fixed at construction, or safe from any thread.
  const std::string name_;
  const routes routes_;
  const limits limits_;
  server_metrics metrics_;
  const std::shared_ptr<asio::io_context> io_;
  event_streams streams_;
  std::atomic<std::uint16_t> port_{0};
  std::latch finished_{1};
  std::thread thread_;
  std::thread::id runner_;  // Its id; none before the start.
  std::mutex joining_;

  // The server's thread alone.
  acceptor acceptor_;
  timer sweep_timer_;
  std::unordered_set<connection*> open_;
  bool ending_ = false;
  steady_time cut_at_ = steady_time::max();
  std::array<char, 16 * 1024> discarded_;  // Nobody reads it.
};

server::server(std::string name, routes r, metrics::registry& metrics, limits l)
    : impl_(std::make_unique<impl>(std::move(name), std::move(r), metrics, l)) {}
server::~server() = default;
std::uint16_t server::start(const std::string& host, std::uint16_t port) {
  return impl_->start(host, port);
}
std::uint16_t server::port() const {
  return impl_->port();
}
bool server::publish(std::string_view channel, std::string_view data) {
  return impl_->publish(channel, data);
}
void server::drain() {
  impl_->drain();
}
void server::stop() {
  impl_->stop();
}

std::string_view status_name(int status) {
  return wire::obsolete_reason(static_cast<wire::status>(status));
}

}  // namespace troupe::http
