// The only file that includes Beast: it takes half a minute to compile.
#include "runtime/http/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <latch>
#include <map>
#include <optional>
#include <thread>
#include <unordered_set>

#include "runtime/base/clock.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/log.hpp"
#include "runtime/http/server_metrics.hpp"

namespace troupe::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;
using namespace std::chrono_literals;
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

constexpr auto sweep_period = 100ms;
constexpr auto sweep_period_ending = 10ms;
constexpr auto accept_pause = 50ms;

/// Runs when the scope ends, however it does.
template <class Action>
struct [[nodiscard]] at_exit {
  Action action;
  ~at_exit() { action(); }
};
template <class Action>
at_exit(Action) -> at_exit<Action>;

struct connection {
  socket& low;
  steady_time deadline;
  bool idle = true;  // Between requests.
  timer* reply =
      nullptr;  // Set while a handler works: its deadline answers 504 instead of cutting.
  bool cut = false;
};

/// One reader of a stream.
struct reader {
  connection& at;
  timer wake;
  std::deque<std::shared_ptr<const std::string>> waiting;
  bool last = false;  // Ends when nothing waits.
};

/// A handler's answer on its way. Owned by the connection alone, so that a reply that outlives the
/// server holds nothing of it.
struct pending_reply {
  timer wake;
  std::optional<response> answer;
};

struct received {
  enum { complete, refused, gone } is = gone;
  http::request request;
  response refusal;
  unsigned version = 11;
  bool keep_alive = false;
};

using parser = wire::request_parser<wire::string_body>;
using wire_response = wire::response<wire::string_body>;

bool is_protocol_error(const error_code& ec) {
  return ec.category() == wire::make_error_code(wire::error::bad_method).category() &&
         ec != wire::error::end_of_stream;
}

int refusal_status(const error_code& ec) {
  if (ec == wire::error::body_limit) return 413;
  if (ec == wire::error::header_limit || ec == wire::error::buffer_overflow) return 431;
  return 400;
}

http::request to_request(wire::request<wire::string_body>&& message) {
  http::request r;
  r.method = message.method_string();
  r.target = message.target();
  for (const auto& field : message) r.headers.emplace_back(field.name_string(), field.value());
  r.body = std::move(message.body());
  return r;
}

bool names_its_host(const wire::request<wire::string_body>& message) {
  return message.version() < 11 || message.count(wire::field::host) == 1;
}

bool expects_continue(const parser& p) {
  return !p.is_done() && p.get().version() == 11 &&
         equal_ignoring_case(p.get()[wire::field::expect], "100-continue");
}

bool is_header_safe(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

/// A handler's slip must neither split the answer in two nor end the server.
bool is_sendable(const response& r) {
  return r.status >= 200 && r.status <= 599 && is_header_safe(r.content_type) &&
         std::all_of(r.headers.begin(), r.headers.end(), [](const auto& h) {
           return !h.first.empty() && is_header_safe(h.first) && is_header_safe(h.second);
         });
}

wire_response to_wire(response&& r, const received& in, bool keep) {
  wire_response out{static_cast<wire::status>(r.status), in.version};
  for (const auto& [name, value] : r.headers) out.insert(name, value);
  out.keep_alive(keep);
  if (r.status == 204 || r.status == 304) return out;  // Without body by definition.
  out.set(wire::field::content_type, r.content_type);
  out.body() = std::move(r.body);
  out.prepare_payload();
  if (in.request.method == "HEAD") out.body().clear();  // The length stays.
  return out;
}

/// One `data:` line a line, whatever ends it.
std::string to_event(std::string_view data) {
  std::string out = "data: ";
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] == '\r' && i + 1 < data.size() && data[i + 1] == '\n') continue;
    if (data[i] == '\n' || data[i] == '\r')
      out += "\ndata: ";
    else
      out.push_back(data[i]);
  }
  return out += "\n\n";
}

constexpr std::string_view stream_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    "Connection: close\r\n\r\n";

std::string remedy(const error_code& ec) {
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

acceptor listen(asio::io_context& io, const std::string& host, std::uint16_t port) {
  try {
    tcp::resolver resolver(io);
    const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive);
    return acceptor(io.get_executor(), found.begin()->endpoint(), true);
  } catch (const boost::system::system_error& e) {
    throw listen_error("http: cannot listen on " + host + ':' + std::to_string(port) + ": " +
                       e.code().message() + remedy(e.code()));
  }
}

}  // namespace

class server::impl {
 public:
  impl(std::string name, routes r, metrics::registry& registry, limits l)
      : name_(std::move(name)),
        routes_(std::move(r)),
        limits_(l),
        metrics_(registry, {{"server", name_}}),
        io_(std::make_shared<asio::io_context>(1)),
        acceptor_(io_->get_executor()),
        sweep_timer_(io_->get_executor()) {}

  ~impl() {
    stop();
    if (thread_.joinable()) thread_.join();
  }

  std::uint16_t start(const std::string& host, std::uint16_t port) {
    ensure(!thread_.joinable(), "a server starts once");
    acceptor_ = listen(*io_, host, port);
    port_ = acceptor_.local_endpoint().port();
    asio::co_spawn(io_->get_executor(), accept_all(), asio::detached);
    asio::co_spawn(io_->get_executor(), sweep(), asio::detached);
    thread_ = std::thread([this] {
      io_->run();
      finished_.count_down();
    });
    log::info("http", "listening", {{"server", name_}, {"host", host}, {"port", port_.load()}});
    return port_;
  }

  std::uint16_t port() const { return port_; }

  bool publish(std::string_view channel, std::string_view data) {
    if (readers_count_ == 0) return true;
    if (publishing_.fetch_add(1) >= limits_.publish_events_max) {
      publishing_.fetch_sub(1);
      metrics_.events_dropped.add();
      return false;
    }
    auto event = std::make_shared<const std::string>(to_event(data));
    asio::post(*io_, [this, channel = std::string(channel), event = std::move(event)] {
      publishing_.fetch_sub(1);
      deliver(channel, event);
    });
    return true;
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
    if (!thread_.joinable()) return;
    ensure(thread_.get_id() != std::this_thread::get_id(), "a handler cannot end its server");
    asio::post(*io_, begin);
    finished_.wait();
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

  /// Whatever the connection waits for fails; its coroutine ends by itself.
  static void cut(connection& c) {
    error_code ignored;
    c.cut = true;
    c.low.close(ignored);
    if (c.reply) c.reply->cancel();
  }

  void begin_drain() {
    if (ending_) return;
    ending_ = true;
    cut_at_ = clock::now() + limits_.drain;
    take_waiting_connections();
    for (connection* c : open_)
      if (c->idle) c->deadline = std::min(c->deadline, clock::now() + limits_.linger);
    for (auto& [channel, readers] : readers_)
      for (reader* r : readers) end_stream(*r);
    sweep_timer_.cancel();
    log::info("http", "draining", {{"server", name_}, {"connections", open_.size()}});
  }

  void begin_stop() {
    error_code ignored;
    ending_ = true;
    cut_at_ = clock::now();
    acceptor_.close(ignored);
    for (connection* c : open_) cut(*c);
    for (auto& [channel, readers] : readers_)
      for (reader* r : readers) end_stream(*r);
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
        co_return co_await stream_events(stream, c, std::string(channel->channel));
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

  // --- Requests.

  routes::decision decide(received& in) const {
    if (in.is == received::refused) return in.refusal;
    if (!parse_target(in.request)) return plain(400, "malformed target");
    return routes_.decide(in.request);
  }

  task<response> carry_out(routes::decision todo, received& in, connection& c) {
    if (auto* known = std::get_if<response>(&todo)) co_return std::move(*known);
    const auto begin = clock::now();
    response out = co_await ask(*std::get<routes::to_handler>(todo).call, in.request, c);
    metrics_.handling.observe(clock::now() - begin);
    if (is_sendable(out)) co_return out;
    log::error("http", "answer_malformed", {{"server", name_}, {"path", in.request.path}});
    co_return plain(500);
  }

  /// Waits for the handler's reply: 504 when it is late, 500 when the handler throws.
  task<response> ask(const handler& call, const http::request& r, connection& c) {
    const auto pending = std::make_shared<pending_reply>(
        pending_reply{timer(io_->get_executor(), steady_time::max()), std::nullopt});
    c.deadline = clock::now() + limits_.handle;
    c.reply = &pending->wake;
    const at_exit done{[&] { c.reply = nullptr; }};
    if (!call_handler(call, r, reply_to(pending))) co_return plain(500);
    co_await pending->wake.async_wait(as_result);
    if (pending->answer) co_return std::move(*pending->answer);
    metrics_.replies_late.add();
    log::warn("http", "reply_late", {{"server", name_}, {"path", r.path}});
    co_return plain(504);
  }

  bool call_handler(const handler& call, const http::request& r, reply answer) const {
    try {
      call(r, std::move(answer));
      return true;
    } catch (const std::exception& e) {
      log::error("http", "handler_failed",
                 {{"server", name_}, {"path", r.path}, {"reason", e.what()}});
      return false;
    }
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

  // --- Streams.

  template <class Stream>
  task<bool> stream_events(Stream& stream, connection& c, std::string channel) {
    reader me{c, timer(io_->get_executor()), {}, ending_};
    join(channel, me);
    const at_exit leave{[&] { part(channel, me); }};
    metrics_.answered(200);
    // Else the kernel's megabytes hide a stalled reader for minutes.
    error_code ec;
    c.low.set_option(asio::socket_base::send_buffer_size(limits_.stream_buffer_bytes), ec);
    auto next = std::make_shared<const std::string>(stream_head);
    while (next) {
      c.deadline = clock::now() + limits_.send;
      auto [write_ec, bytes] = co_await asio::async_write(stream, asio::buffer(*next), as_result);
      if (write_ec) co_return false;
      c.deadline = steady_time::max();
      next = co_await next_event(me);
    }
    co_return true;
  }

  /// Nothing when the stream is to end.
  task<std::shared_ptr<const std::string>> next_event(reader& me) {
    if (me.waiting.empty() && !me.last) {
      me.wake.expires_after(limits_.heartbeat);
      co_await me.wake.async_wait(as_result);
    }
    if (me.waiting.empty()) co_return me.last ? nullptr : heartbeat_;
    auto next = std::move(me.waiting.front());
    me.waiting.pop_front();
    co_return next;
  }

  void join(const std::string& channel, reader& me) {
    readers_[channel].insert(&me);
    metrics_.streams.set(static_cast<double>(++readers_count_));
  }

  void part(const std::string& channel, reader& me) {
    readers_[channel].erase(&me);
    metrics_.streams.set(static_cast<double>(--readers_count_));
  }

  void deliver(const std::string& channel, const std::shared_ptr<const std::string>& event) {
    const auto found = readers_.find(channel);
    if (found == readers_.end()) return;
    for (reader* r : found->second) {
      if (r->waiting.size() >= limits_.stream_events_max)
        cut_stream(*r);
      else
        r->waiting.push_back(event);
      r->wake.cancel();
    }
  }

  void cut_stream(reader& r) {
    if (r.at.cut) return;
    metrics_.streams_cut.add();
    log::warn("http", "stream_cut", {{"server", name_}, {"waiting", r.waiting.size()}});
    error_code ignored;
    // A reset: what the kernel still holds for this reader is freed at once.
    r.at.low.set_option(asio::socket_base::linger(true, 0), ignored);
    cut(r.at);
  }

  static void end_stream(reader& r) {
    r.last = true;
    r.wake.cancel();
  }

  static constexpr std::size_t read_bytes = 8 * 1024;

  // Fixed at construction, or safe from any thread.
  const std::string name_;
  const routes routes_;
  const limits limits_;
  server_metrics metrics_;
  const std::shared_ptr<asio::io_context> io_;
  std::atomic<std::uint16_t> port_{0};
  std::atomic<std::size_t> readers_count_{0};
  std::atomic<std::size_t> publishing_{0};
  std::latch finished_{1};
  std::thread thread_;

  // The server's thread alone.
  acceptor acceptor_;
  timer sweep_timer_;
  std::unordered_set<connection*> open_;
  std::map<std::string, std::unordered_set<reader*>> readers_;
  bool ending_ = false;
  steady_time cut_at_ = steady_time::max();
  const std::shared_ptr<const std::string> heartbeat_ =
      std::make_shared<const std::string>(":\n\n");
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
