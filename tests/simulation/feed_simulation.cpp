#include "tests/simulation/feed_simulation.hpp"

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "runtime/entity/feed_follower.hpp"
#include "runtime/entity/feed_source.hpp"

namespace troupe::simulation {

namespace {

using namespace std::chrono_literals;
using bug_of = planted_feed_bug;

constexpr std::uint32_t sources = 2, shards = 2, keys = 3, entities = 3;

struct offsets final : event_batch {
  std::vector<position> all;
  std::size_t size() const override { return all.size(); }
  position at(std::size_t i) const override { return all[i]; }
};

entity_id name_of(std::uint32_t source, std::uint32_t key) {
  return {"symbol", std::to_string(source) + '/' + std::to_string(key)};
}

/// A source's partition: what is at each offset, and where each key's records are.
struct partition {
  std::vector<std::uint32_t> log;
  std::map<std::string, std::vector<position>> of_key;

  void append(std::uint32_t source, std::uint32_t key) {
    of_key[name_of(source, key).key].emplace_back(static_cast<std::int64_t>(log.size()));
    log.push_back(key);
  }
  position end() const { return position(static_cast<std::int64_t>(log.size())); }
  /// The events of a key in [from, to).
  event_batch_ptr events(const std::string& key, position from, position to) {
    auto batch = std::make_shared<offsets>();
    for (const auto at : of_key[key])
      if (at >= from && at < to) batch->all.push_back(at);
    return batch->all.empty() ? nullptr : batch;
  }
};

/// What one entity has of one key.
struct folded {
  position next{0};
  std::size_t count = 0;
};
using entity_state = std::map<std::string, folded>;

struct source_shard {
  std::unique_ptr<feed_source> core;
  position taken{0}, committed{0};
};

struct follower_shard {
  std::unique_ptr<feed_port> port;
  std::unique_ptr<feed_follower> core;
  epoch era{0};
  std::map<slot_id, entity_state> memory, disk;
  std::map<slot_id, bool> waits;
};

class simulation {
 public:
  simulation(std::uint64_t seed, bug_of bug) : random_(seed), bug_(bug) {
    limits_.window_bytes = 600 + below(3000);
    limits_.buffer_events_max = 1 + below(40);
    limits_.buffers_events_max = 1 + below(100);
    limits_.span_events_max = 1 + below(8);
    limits_.silent_records_max = 5 + static_cast<std::int64_t>(below(30));
    for (std::uint32_t s = 0; s < sources; ++s) restart_source(s);
    for (std::uint32_t f = 0; f < shards; ++f) restart_follower(f);
  }

  feed_result run() {
    const auto rounds = 300 + below(500);
    for (std::uint64_t i = 0; i < rounds && result_.failure.empty(); ++i) step();
    faults_ = false;
    for (int i = 0; i < 4'000 && result_.failure.empty() && !complete(); ++i) calm_step();
    if (result_.failure.empty() && !complete())
      fail("events are missing when all has come to rest");
    for (auto& s : sources_) result_.cuts += s.core->cuts();
    return result_;
  }

 private:
  struct port final : feed_port {
    port(simulation& all, std::uint32_t n) : world(all), number(n) {}
    void ask_source(shard_id source, feed_request what) override {
      world.ask(source, std::move(what));
    }
    void read_history(shard_id source, const std::string& kind, position from,
                      std::vector<std::string> wanted) override {
      world.read(number, source, kind, from, wanted);
    }
    simulation& world;
    const std::uint32_t number;
  };
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool rarely(std::uint64_t n) { return faults_ && below(n) == 0; }
  void fail(std::string why) {
    if (result_.failure.empty()) result_.failure = std::move(why);
  }

  // ---- lives ----

  void restart_source(std::uint32_t s) {
    if (sources_.size() <= s) sources_.resize(s + 1);
    auto& source = sources_[s];
    if (source.core) result_.cuts += source.core->cuts();
    source.core = std::make_unique<feed_source>(shard_id(s), limits_);
    source.taken = source.committed;
    for (auto& f : followers_)
      if (f.core && below(2) == 0) f.core->on_source_live(shard_id(s));
  }

  /// Its entities are what was committed.
  void restart_follower(std::uint32_t n) {
    if (followers_.size() <= n) followers_.resize(n + 1);
    auto& f = followers_[n];
    f.era = epoch(f.era.value() + 1);
    f.port = std::make_unique<port>(*this, n);
    f.core =
        std::make_unique<feed_follower>(shard_id(n), limits_, *f.port, [](const entity_id& id) {
          return shard_id(static_cast<std::uint32_t>(std::stoul(id.key)));
        });
    f.core->begin(f.era);
    f.memory = f.disk;
    f.waits.clear();
    for (std::uint32_t e = 0; e < entities; ++e) follow(n, slot_id(e));
    f.core->flush(now_);
  }

  void follow(std::uint32_t n, slot_id slot) {
    auto& f = followers_[n];
    auto& state = f.memory[slot];
    if (state.empty())
      for (std::uint32_t s = 0; s < sources; ++s)
        for (std::uint32_t k = 0; k < keys; ++k)
          if ((slot.value() + s + k) % 2 == 0) state[name_of(s, k).key] = {};
    tell(f, slot);
  }

  static void tell(follower_shard& f, slot_id slot) {
    std::vector<followed> all;
    for (const auto& [key, had] : f.memory[slot]) all.push_back({{"symbol", key}, had.next});
    f.core->set(slot, all);
  }

  // ---- the network ----

  void post(std::function<void()> what) {
    ++result_.packets;
    if (rarely(12)) {
      ++result_.lost;
      return;
    }
    const auto copies = rarely(15) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      auto when = now_ + 1ms;
      if (rarely(6)) when += std::chrono::milliseconds(below(900));
      calls_.emplace(when, what);
    }
  }

  void send(shard_id to, feed_packet what) {
    if (bug_ == bug_of::no_gap_check)
      for (auto& p : what.pieces) p.from = position(0);
    post([this, to, what = std::move(what)] {
      auto& f = followers_[to.value()];
      f.core->on_packet(what, now_);
      f.core->flush(now_);
    });
  }

  void ask(shard_id to, feed_request what) {
    post([this, to, what = std::move(what)] {
      auto& s = sources_[to.value()];
      s.core->on_request(what, [&](std::string_view) { return std::optional(s.taken); });
      s.core->flush([this](shard_id f, feed_packet p) { send(f, std::move(p)); });
    });
  }

  void read(std::uint32_t n, shard_id source, const std::string& kind, position from,
            const std::vector<std::string>& wanted) {
    ++result_.reads;
    auto& f = followers_[n];
    auto& log = logs_[source.value()];
    history_chunk read{history_chunk::outcome::read, from, from, {}, {}};
    if (rarely(8)) {
      read.what = history_chunk::outcome::unavailable;
    } else {
      const auto last = from.value() + 1 + static_cast<std::int64_t>(below(25));
      read.next = std::max(from, std::min(position(last), log.end()));
      for (const auto& key : wanted)
        if (auto events = log.events(key, from, read.next))
          read.events.push_back({key, std::move(events)});
    }
    const auto when = now_ + std::chrono::milliseconds(1 + (faults_ ? below(50) : 0));
    calls_.emplace(when, [this, n, era = f.era, source, kind, read = std::move(read)] {
      auto& asker = followers_[n];
      if (asker.era != era) return;
      asker.core->on_history(source, kind, read, now_);
      asker.core->flush(now_);
    });
  }

  // ---- what happens ----

  void produce(std::uint32_t s) {
    for (auto n = below(12); n > 0; --n)
      logs_[s].append(s, below(4) == 0 ? static_cast<std::uint32_t>(below(keys)) : 0);
  }

  void take(std::uint32_t s) {
    auto& source = sources_[s];
    auto& log = logs_[s];
    const auto next = std::min(
        log.end(), position(source.taken.value() + 1 + static_cast<std::int64_t>(below(9))));
    if (next == source.taken) return;
    auto raw = std::make_shared<record_batch>();
    for (auto at = source.taken.value(); at < next.value(); ++at)
      raw->records.push_back({{}, "some hundred bytes of payload ...", at, 0});
    for (std::uint32_t k = 0; k < keys; ++k) {
      const auto id = name_of(s, k);
      if (const auto events = log.events(id.key, source.taken, next))
        source.core->took(id.kind, id.key, events, raw, next);
    }
    source.taken = next;
    source.core->flush([this](shard_id f, feed_packet p) { send(f, std::move(p)); });
  }

  void beat(std::uint32_t s) {
    auto& source = sources_[s];
    source.core->beat([&](std::string_view) { return std::optional(source.taken); },
                      [this](shard_id f, feed_packet p) { send(f, std::move(p)); });
  }

  void consume(std::uint32_t n) {
    auto& f = followers_[n];
    if (auto d = f.core->next()) {
      auto done = d->first;
      auto& had = f.memory[d->slot][d->of.key];
      auto i = bug_ == bug_of::doubles_kept ? 0 : d->first;
      bool& waits = f.waits[d->slot];
      for (; i < d->end && !waits; ++i) {
        fold(had, d->of.key, d->events->at(i));
        done = std::max(done, i + 1);
        waits = rarely(40);
      }
      if (done == d->end) had.next = d->next;
      f.core->consumed(*d, done == d->end);
      if (done != d->end) tell(f, d->slot);
      if (done > d->first) f.core->resume(d->slot);
    }
    f.core->flush(now_);
  }

  /// The invariant: it is the next one of its key.
  void fold(folded& had, const std::string& key, position at) {
    const auto& all = logs_[static_cast<std::uint32_t>(std::stoul(key))].of_key[key];
    if (had.count >= all.size() || all[had.count] != at)
      return fail("offset " + std::to_string(at.value()) + " of " + key + " is not its event " +
                  std::to_string(had.count));
    ++had.count;
    had.next = position(at.value() + 1);
    ++result_.folded;
  }

  void answer_one(std::uint32_t n) {
    auto& f = followers_[n];
    const slot_id slot(static_cast<std::uint32_t>(below(entities)));
    if (!std::exchange(f.waits[slot], false)) return;
    tell(f, slot);
    f.core->resume(slot);
  }

  /// An entity that follows nothing for a moment.
  void turn_away(std::uint32_t n) {
    auto& f = followers_[n];
    const slot_id slot(static_cast<std::uint32_t>(below(entities)));
    f.core->drop(slot);
    f.core->flush(now_);
    if (below(2) == 0) pass_time(std::chrono::milliseconds(below(20)));
    tell(f, slot);
    f.core->flush(now_);
  }

  void commit(std::uint32_t n) {
    auto& f = followers_[n];
    const slot_id slot(static_cast<std::uint32_t>(below(entities)));
    auto saved = f.memory[slot];
    if (bug_ == bug_of::cursor_not_committed)
      for (auto& [key, had] : saved) had.next = f.disk[slot][key].next;
    f.disk[slot] = std::move(saved);
  }

  void pass_time(std::chrono::microseconds span) {
    now_ += span;
    while (!calls_.empty() && calls_.begin()->first <= now_) {
      const auto call = std::move(calls_.begin()->second);
      calls_.erase(calls_.begin());
      call();
    }
  }

  void tick(std::uint32_t n) {
    followers_[n].core->on_tick(now_);
    followers_[n].core->flush(now_);
  }

  void step() {
    const auto s = static_cast<std::uint32_t>(below(sources));
    const auto n = static_cast<std::uint32_t>(below(shards));
    switch (below(16)) {
      case 0:
      case 1:
        produce(s);
        break;
      case 2:
      case 3:
      case 4:
        take(s);
        break;
      case 5:
        sources_[s].committed = sources_[s].taken;
        break;
      case 6:
        beat(s);
        break;
      case 7:
        tick(n);
        break;
      case 8:
        commit(n);
        break;
      case 9:
        answer_one(n);
        break;
      case 10:
        if (rarely(12)) restart_source(s), ++result_.crashes;
        break;
      case 11:
        if (rarely(12)) turn_away(n);
        if (rarely(12)) restart_follower(n), ++result_.crashes;
        break;
      case 12:
        pass_time(std::chrono::milliseconds(below(faults_ ? 700 : 50)));
        break;
      default:
        for (auto k = below(6); k > 0; --k) consume(n);
    }
    pass_time(std::chrono::milliseconds(below(4)));
  }

  void calm_step() {
    for (std::uint32_t s = 0; s < sources; ++s) {
      take(s);
      beat(s);
    }
    for (std::uint32_t n = 0; n < shards; ++n) {
      for (int i = 0; i < 3; ++i) answer_one(n);
      for (int i = 0; i < 6; ++i) consume(n);
      tick(n);
    }
    pass_time(50ms);
  }

  bool complete() {
    for (auto& f : followers_)
      for (auto& [slot, state] : f.memory)
        for (auto& [key, had] : state)
          if (had.count != logs_[static_cast<std::uint32_t>(std::stoul(key))].of_key[key].size())
            return false;
    return true;
  }

  std::mt19937_64 random_;
  const bug_of bug_;
  feed_limits limits_;
  time_point now_ = from_micros(1'000'000'000);
  bool faults_ = true;
  partition logs_[sources];
  std::vector<source_shard> sources_;
  std::vector<follower_shard> followers_;
  std::multimap<time_point, std::function<void()>> calls_;
  feed_result result_;
};

}  // namespace

feed_result simulate_feeds(std::uint64_t seed, planted_feed_bug bug) {
  return simulation(seed, bug).run();
}

}  // namespace troupe::simulation
