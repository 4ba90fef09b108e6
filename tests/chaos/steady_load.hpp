#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>

namespace troupe::test {

/// Records sent at a steady pace, on a thread of its own: whatever happens meanwhile happens under
/// load.
class steady_load {
 public:
  /// `send(from, to)` puts the records from the `from`-th up to the one before the `to`-th of every
  /// symbol into Kafka; it is called on the load's thread. `each_max`: there are no more than
  /// these; the nearer their end, the fewer at a time, so that a fault that takes long does not
  /// find a silent cluster.
  using send_fn = std::function<void(int from, int to)>;
  explicit steady_load(send_fn send, int each_max = 1'000'000'000);
  ~steady_load();
  steady_load(const steady_load&) = delete;
  steady_load& operator=(const steady_load&) = delete;

  void go();
  /// Returns when what it has sent is in Kafka; rethrows what `send` has thrown.
  void pause();
  /// Waits until it has sent so many times more.
  void pass(int times) const;

  /// Records of each symbol so far.
  int each() const { return each_; }
  bool over() const { return each_ == each_max_; }

 private:
  void send_all();

  const send_fn send_;
  const int each_max_;
  std::atomic<int> each_ = 0, times_ = 0;
  std::atomic<bool> stop_ = false;
  std::exception_ptr problem_;
  std::thread thread_;
};

}  // namespace troupe::test
