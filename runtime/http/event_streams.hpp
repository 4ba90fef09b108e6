#pragma once

// For server.cpp alone: brings Asio.

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>

#include "runtime/base/log.hpp"
#include "runtime/http/connection.hpp"
#include "runtime/http/server_metrics.hpp"

namespace troupe::http {

/// One `data:` line a line, whatever ends it.
inline std::string to_event(std::string_view data) {
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

/// The readers of all channels. Except for `publish`, for the server's thread alone.
class event_streams {
 public:
  /// Requires: all of them outlive it.
  event_streams(asio::io_context& io, const std::string& server_name, const limits& l,
                server_metrics& m)
      : io_(io), name_(server_name), limits_(l), metrics_(m) {}

  /// From any thread. False: dropped, too many wait.
  bool publish(std::string_view channel, std::string_view data) {
    if (readers_count_ == 0) return true;
    if (publishing_.fetch_add(1) >= limits_.publish_events_max) {
      publishing_.fetch_sub(1);
      metrics_.events_dropped.add();
      return false;
    }
    auto event = std::make_shared<const std::string>(to_event(data));
    asio::post(io_, [this, to = std::string(channel), event = std::move(event)] {
      publishing_.fetch_sub(1);
      deliver(to, event);
    });
    return true;
  }

  /// Writes a channel's events to one reader until it goes or `end_all`. Returns false when it is
  /// gone.
  template <class Stream>
  task<bool> serve(Stream& stream, connection& c, std::string channel) {
    reader me{c, timer(io_.get_executor()), {}, ended_};
    join(channel, me);
    const at_exit leave{[&] { part(channel, me); }};
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

  /// Every reader gets what waits for it, and no more.
  void end_all() {
    ended_ = true;
    for (auto& [channel, readers] : readers_)
      for (reader* r : readers) {
        r->last = true;
        r->wake.cancel();
      }
  }

 private:
  struct reader {
    connection& at;
    timer wake;
    std::deque<std::shared_ptr<const std::string>> waiting;
    bool last = false;  // Ends when nothing waits.
  };

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

  asio::io_context& io_;
  const std::string& name_;
  const limits& limits_;
  server_metrics& metrics_;
  std::atomic<std::size_t> readers_count_{0};
  std::atomic<std::size_t> publishing_{0};

  // The server's thread alone.
  std::map<std::string, std::unordered_set<reader*>> readers_;
  bool ended_ = false;
  const std::shared_ptr<const std::string> heartbeat_ =
      std::make_shared<const std::string>(":\n\n");
};

}  // namespace troupe::http
