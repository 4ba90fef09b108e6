#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/base/ids.hpp"
#include "runtime/store/shard_store.hpp"

namespace troupe {

inline std::string topic_target(std::string_view topic) {
  return "topic:" + std::string(topic);
}
inline std::string shard_target(shard_id shard) {
  return "shard:" + std::to_string(shard.value());
}

/// Messages that have left a shard's entities and not yet been acknowledged: one lane a target,
/// each with its own sequence. Pure: it only remembers; whoever owns it sends.
class outbox {
 public:
  /// A target's log is ahead of the database: the two do not belong together.
  struct ahead {
    std::string target;
    sequence in_log;
    sequence in_store;
  };
  using send = std::function<void(const store::outbox_row&)>;

  /// `window`: messages that one shard may be sent before it acknowledges the first of them.
  explicit outbox(std::size_t window) : window_(window) {}

  void restore(const std::map<std::string, sequence>& sequences,
               std::vector<store::outbox_row> rows);

  /// The next sequence of `target`; each is given once.
  sequence number(const std::string& target);
  /// Rows that a commit has made durable; each lane's in order.
  void committed(std::vector<store::outbox_row> rows);

  /// Topic lanes send nothing until `opened` tells what is out already.
  void close_topics() { topics_open_ = false; }
  bool topics_open() const { return topics_open_; }
  /// `out`: last sequence in each topic's log. Returns the lanes whose log knows more than the
  /// store: then nothing is opened.
  std::vector<ahead> opened(const std::map<std::string, sequence>& out);

  /// Sends what has not been sent since the lane was (re)opened, to shards as far as their windows
  /// allow.
  void hand_out(const send& to_topic, const send& to_shard);
  /// Everything unacknowledged for shards goes out again with the next `hand_out`.
  void resend_to_shards();

  /// Acknowledged up to `seq`.
  void delivered(const std::string& target, sequence seq);
  /// Ranges acknowledged since the last call, for deletion with the next commit.
  std::vector<store::delivered_range> take_delivered();
  bool has_delivered() const { return !acknowledged_.empty(); }

  std::size_t undelivered() const { return undelivered_; }
  /// Those of them that wait for Kafka.
  std::size_t undelivered_to_topics() const { return to_topics_; }
  bool waits_for_shards() const;

 private:
  struct lane {
    sequence used;                       // Last sequence given out.
    std::deque<store::outbox_row> rows;  // Durable, unacknowledged.
    std::size_t sent = 0;                // Of `rows`, handed out since the lane was opened.
  };
  static bool is_topic(const std::string& target) { return target.starts_with("topic:"); }

  std::size_t window_;
  std::map<std::string, lane> lanes_;
  std::map<std::string, sequence> acknowledged_;
  std::size_t undelivered_ = 0;
  std::size_t to_topics_ = 0;
  bool topics_open_ = false;
};

}  // namespace troupe
