#include "app/feed/exact_sender.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "actors/market/market_tables.hpp"
#include "app/failure.hpp"
#include "app/feed/flush.hpp"
#include "app/mapping.hpp"
#include "runtime/base/partition.hpp"
#include "runtime/bridge/topic_admin.hpp"

namespace troupe::feed {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto note_every = 1s;
/// How long requests of a killed run may still be on their way through the broker.
constexpr auto settling = 2s;
constexpr auto patience = 30s;

const std::string& topic() {
  static const std::string name(market::market_topic);
  return name;
}

std::vector<bridge::log_range> ranges(const app::settings& all) {
  bridge::topic_admin admin(app::bridge_kafka_options(all));
  auto found = admin.ranges(topic(), all.cluster.shards, patience);
  // A topic that has just been made may not be known to all brokers yet.
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (found.empty() && !interrupted() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(100ms);
    found = admin.ranges(topic(), all.cluster.shards, patience);
  }
  if (found.empty())
    throw app::failure("bridge_unavailable", "Kafka at " + all.cluster.kafka.brokers +
                                                 " does not tell how long the topic is: see that "
                                                 "it runs, and repeat it");
  return found;
}

}  // namespace

std::optional<feed_notes> load_notes(const state_file& from) {
  const auto state = from.load();
  if (!state) return std::nullopt;
  try {
    feed_notes notes{state->at("done").get<bool>(), state->value("settled", false), {}};
    for (const auto& lane : state->at("lanes"))
      notes.lanes.push_back({lane.at(0).get<std::int64_t>(), lane.at(1).get<std::uint64_t>()});
    return notes;
  } catch (const json::exception&) {
    throw app::unusable_file(from.path() + ": is damaged; delete it to begin anew");
  }
}

std::uint64_t feed_notes::records() const {
  std::uint64_t sum = 0;
  for (const auto& lane : lanes) sum += lane.records;
  return sum;
}

feed_notes fresh_notes(const app::settings& all) {
  feed_notes notes;
  for (const auto& range : ranges(all)) notes.lanes.push_back({range.end.value(), 0});
  return notes;
}

exact_sender::exact_sender(const app::settings& all, const state_file& file, const feed_subject& of,
                           const feed_notes& notes, bool resumed)
    : file_(file),
      of_(to_json(of)),
      partitions_(all.cluster.shards),
      lanes_(partitions_),
      next_note_(std::chrono::steady_clock::now() + note_every),
      history_(app::bridge_kafka_options(all)),
      producer_(app::bridge_producer_options(all), [this](const bridge::delivery& d) { take(d); }) {
  if (notes.lanes.size() != partitions_)
    throw app::unusable_file(file.path() +
                             ": is of another number of partitions; delete it, or give another "
                             "--state, to begin anew");
  if (resumed && !notes.settled) std::this_thread::sleep_for(settling);
  const auto ends = resumed ? ranges(all) : std::vector<bridge::log_range>();
  for (std::uint32_t p = 0; p < partitions_; ++p) {
    auto& l = lanes_[p];
    l.known = notes.lanes[p];
    l.noted = l.known.records;
    l.look_at = l.look_until = l.known.offset;
    if (!resumed) continue;
    if (l.known.offset < ends[p].begin.value() || l.known.offset > ends[p].end.value())
      throw app::failure("log_truncated",
                         "the topic does not hold what this feed sent last any more; --again feeds "
                         "all of it anew");
    if (!notes.settled) l.look_until = ends[p].end.value();
  }
  note(false, false);  // Whoever comes after a crash must look from here on.
}

bool exact_sender::already_there(const record& r) {
  current_ = partition_of(r.key, partitions_);
  auto& l = lanes_[current_];
  if (l.counted++ < l.noted) return true;
  return l.look_at < l.look_until && find(current_, r);
}

void exact_sender::read_more(std::uint32_t partition) {
  auto& l = lanes_[partition];
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    l.found = history_.read(topic(), partition, position(l.look_at), {});
    l.next_found = 0;
    if (!l.found.records.empty()) return;
    l.look_at = std::max(l.look_at, l.found.next.value());
    if (l.look_at >= l.look_until) return;
    using outcome = bridge::history_batch::outcome;
    const bool retry = l.found.what == outcome::read || l.found.what == outcome::unavailable;
    if (!retry || interrupted() || std::chrono::steady_clock::now() > deadline)
      throw app::failure("bridge_unavailable",
                         "partition " + std::to_string(partition) +
                             " cannot be read back from offset " + std::to_string(l.look_at) +
                             (l.found.reason.empty() ? "" : ": " + l.found.reason) +
                             "; run this again");
  }
}

/// Records of others may lie between those of this feed.
bool exact_sender::find(std::uint32_t partition, const record& r) {
  auto& l = lanes_[partition];
  while (l.look_at < l.look_until) {
    if (l.next_found == l.found.records.size()) {
      read_more(partition);
      continue;
    }
    const auto& there = l.found.records[l.next_found++];
    l.look_at = there.offset + 1;
    if (there.offset >= l.look_until || there.key != r.key || there.payload != r.payload) continue;
    const std::lock_guard lock(mutex_);
    l.known = {there.offset + 1, l.counted};
    return true;
  }
  l.found = {};
  return false;
}

bool exact_sender::send(const record& r) {
  using result = bridge::kafka_producer::result;
  const bridge::outgoing_record out{r.key, r.payload, r.timestamp_ms, current_, 0};
  for (stall_notice notice;; notice.look()) {
    const auto what = producer_.send(topic(), out, 200ms);
    if (what == result::sent) return true;
    if (what == result::failed)
      throw app::failure("bridge_unavailable",
                         "Kafka has not taken a record: " + producer_.figures().last_error);
    if (interrupted()) return false;
    note_if_due();
  }
}

/// On the producer's thread. A lane stops at the first failure: nothing after it counts.
void exact_sender::take(const bridge::delivery& d) {
  const std::lock_guard lock(mutex_);
  if (!d.error.empty()) error_ = d.error;
  if (!error_.empty()) return;
  auto& known = lanes_[d.partition].known;
  known = {d.offset + 1, known.records + 1};
}

void exact_sender::check() const {
  const std::lock_guard lock(mutex_);
  if (!error_.empty())
    throw app::failure("bridge_unavailable",
                       "Kafka has not taken a record (" + error_ + "); run this again to go on");
}

void exact_sender::note(bool done, bool settled) {
  auto lanes = json::array();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& l : lanes_) lanes.push_back({l.known.offset, l.known.records});
  }
  file_.save({{"done", done}, {"settled", settled}, {"lanes", std::move(lanes)}, {"of", of_}});
}

/// Where an earlier run was cut off: whether all that it could have sent has been looked at.
bool exact_sender::looked_at_all() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const lane& l) { return l.look_at >= l.look_until; });
}

void exact_sender::note_if_due() {
  check();
  if (const auto now = std::chrono::steady_clock::now(); now >= next_note_) {
    next_note_ = now + note_every;
    note(false, false);
  }
}

void exact_sender::finish(bool done) {
  const bool all = flush_patiently(producer_);
  check();
  note(done && all, all && looked_at_all());
  if (!all)
    throw app::failure("bridge_unavailable", "Kafka does not answer; run this again to go on");
}

}  // namespace troupe::feed
