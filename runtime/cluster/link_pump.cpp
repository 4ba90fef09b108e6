#include "runtime/cluster/link_pump.hpp"

#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "runtime/base/log.hpp"
#include "runtime/base/thread_group.hpp"

namespace troupe::cluster {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;

/// Bytes on their way in one direction, seen by the filter before they go on.
class stream {
 public:
  explicit stream(frame_rules rules) : filter_(std::move(rules)), bytes_(buffer_bytes) {}

  bool has_room() const { return end_ < bytes_.size(); }
  bool has_passed() const { return begin_ < passed_; }
  char* room() { return bytes_.data() + end_; }
  std::size_t room_size() const { return bytes_.size() - end_; }
  const char* passed() const { return bytes_.data() + begin_; }
  std::size_t passed_size() const { return passed_ - begin_; }
  frame_filter& filter() { return filter_; }

  void arrived(std::size_t n) {
    end_ += n;
    judge();
  }
  void gone(std::size_t n) {
    begin_ += n;
    if (begin_ == passed_) judge();
  }

 private:
  /// What is dropped lies between what has passed and what waits, so it goes when the former has.
  void judge() {
    if (has_passed()) return make_room();
    const auto v = filter_.judge({bytes_.data() + begin_, end_ - begin_});
    passed_ = begin_ + v.pass;
    if (v.drop > 0) {
      std::copy(bytes_.data() + passed_ + v.drop, bytes_.data() + end_, bytes_.data() + passed_);
      end_ -= v.drop;
      if (v.pass == 0 && end_ > begin_) return judge();
    }
    make_room();
  }
  void make_room() {
    if (begin_ == 0 || (begin_ < end_ && begin_ < bytes_.size() / 2)) return;
    std::copy(bytes_.data() + begin_, bytes_.data() + end_, bytes_.data());
    end_ -= begin_;
    passed_ -= begin_;
    begin_ = 0;
  }

  frame_filter filter_;
  std::vector<char> bytes_;
  std::size_t begin_ = 0;   // What has not gone on begins here;
  std::size_t passed_ = 0;  // up to here it may.
  std::size_t end_ = 0;
};

}  // namespace

class pump {
 public:
  pump(link_socket link, int local, pump_orders orders)
      : link_(std::move(link)),
        local_(local),
        orders_(std::move(orders)),
        in_(std::move(orders_.incoming)),
        out_({frame_bytes_max, true, 0, {}}) {
    if (orders_.silence_max.count() > 0) link_.be_patient(orders_.silence_max);
  }
  ~pump() { ::close(local_); }

  void run() {
    if (orders_.handle) orders_.handle->begin(link_.fd());
    auto why = copy();
    if (!why.empty()) log::warn("cluster", "link_cut", {{"peer", orders_.peer}, {"reason", why}});
    if (orders_.handle) orders_.handle->end();  // Before the number is somebody else's.
    link_.close();
  }

 private:
  using clock = std::chrono::steady_clock;

  /// Until the link ends; says why, unless either side has just closed it.
  std::string copy() {
    while (in_.filter().refusal().empty()) {
      wait_link_read_ = wait_link_write_ = wait_local_ = 0;
      bool moved = false;
      if (!read_link(moved) || !write_local(moved) || !read_local(moved) || !write_link(moved))
        return in_.filter().refusal();
      if (!moved && !wait())
        return "nothing has come for " + std::to_string(orders_.silence_max.count()) + " ms";
    }
    return in_.filter().refusal();
  }

  bool read_link(bool& moved) {
    if (!in_.has_room()) return true;
    const auto done = link_.read_some(in_.room(), in_.room_size());
    if (done.bytes > 0) {
      in_.arrived(done.bytes);
      heard_ = clock::now();
      tell_of_large_frame();
    }
    moved |= done.bytes > 0;
    wait_link_read_ = done.wait;
    return done.bytes > 0 || done.wait != 0;
  }

  bool write_link(bool& moved) {
    if (!out_.has_passed()) return true;
    const auto done = link_.write_some(out_.passed(), out_.passed_size());
    if (done.bytes > 0) out_.gone(done.bytes);
    moved |= done.bytes > 0;
    wait_link_write_ = done.wait;
    return done.bytes > 0 || done.wait != 0;
  }

  bool read_local(bool& moved) {
    if (!out_.has_room()) return true;
    const auto n = ::recv(local_, out_.room(), out_.room_size(), MSG_DONTWAIT);
    if (n > 0) {
      out_.arrived(static_cast<std::size_t>(n));
      moved = true;
      if (const auto why = out_.filter().left_out(); !why.empty())
        log::error("cluster", "message_left_out", {{"peer", orders_.peer}, {"reason", why}});
      return out_.filter().refusal().empty();
    }
    wait_local_ |= POLLIN;
    return n < 0 && (errno == EAGAIN || errno == EINTR);
  }

  bool write_local(bool& moved) {
    if (!in_.has_passed()) return true;
    const auto n = ::send(local_, in_.passed(), in_.passed_size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      in_.gone(static_cast<std::size_t>(n));
      moved = true;
      return true;
    }
    wait_local_ |= POLLOUT;
    return errno == EAGAIN || errno == EINTR;
  }

  void tell_of_large_frame() {
    constexpr std::chrono::milliseconds apart{50};
    if (!orders_.large_frame_moves || !in_.filter().within_large_frame()) return;
    if (heard_ - told_ < apart) return;
    told_ = heard_;
    orders_.large_frame_moves();
  }

  /// For something to do; false when the peer has been silent for too long.
  bool wait() {
    pollfd p[] = {{link_.fd(), static_cast<short>(wait_link_read_ | wait_link_write_), 0},
                  {local_, wait_local_, 0}};
    // A side that can take nothing more is not watched: its end would wake us for nothing.
    for (auto& side : p)
      if (side.events == 0) side.fd = -1;
    if (orders_.silence_max.count() == 0) return ::poll(p, 2, -1), true;
    if (!in_.has_room()) heard_ = clock::now();  // It is us who do not listen.
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(heard_ + orders_.silence_max - clock::now());
    if (left.count() <= 0) return false;
    ::poll(p, 2, static_cast<int>(left.count()));
    return true;
  }

  link_socket link_;
  const int local_;
  pump_orders orders_;
  stream in_;
  stream out_;
  clock::time_point heard_ = clock::now();
  clock::time_point told_{};
  short wait_link_read_ = 0, wait_link_write_ = 0, wait_local_ = 0;
};

namespace {

/// Of this process. OpenSSL, which they use, comes first and so is there until they have ended.
thread_group& pump_threads() {
  struct after_openssl {
    after_openssl() { OPENSSL_init_ssl(0, nullptr); }
    thread_group threads;
  };
  static after_openssl all;
  return all.threads;
}

}  // namespace

no_broken_pipes::no_broken_pipes() {
  sigset_t pipe, before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  blocked_ = pthread_sigmask(SIG_BLOCK, &pipe, &before) == 0 && sigismember(&before, SIGPIPE) == 0;
}

no_broken_pipes::~no_broken_pipes() {
  if (!blocked_) return;
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  const timespec at_once{0, 0};
  while (sigtimedwait(&pipe, nullptr, &at_once) == SIGPIPE) {
  }
  pthread_sigmask(SIG_UNBLOCK, &pipe, nullptr);
}

void link_handle::begin(int fd) {
  const std::lock_guard lock(mutex_);
  fd_ = fd;
  if (cut_) ::shutdown(fd_, SHUT_RDWR);
}

void link_handle::end() {
  const std::lock_guard lock(mutex_);
  fd_ = -1;
}

void link_handle::cut() {
  const std::lock_guard lock(mutex_);
  cut_ = true;
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

int start_pump(link_socket link, pump_orders orders) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    throw link_error(std::string("no socket is left: ") + std::strerror(errno));
  const auto ended = orders.ended;
  auto p = std::make_unique<pump>(std::move(link), ends[1], std::move(orders));
  try {
    pump_threads().start([p = std::move(p), ended]() mutable {
      const no_broken_pipes quiet;
      p->run();
      p.reset();
      if (ended) ended();
    });
  } catch (const std::system_error& e) {
    ::close(ends[0]);
    throw link_error(std::string("no thread is left: ") + e.what());
  }
  return ends[0];
}

}  // namespace troupe::cluster
