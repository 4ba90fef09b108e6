#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "actors/model/market_event.hpp"
#include "runtime/entity/entity.hpp"

namespace troupe::trading::test {

/// Entities of any kinds in memory, with messages and feeds that take any time: which of them goes
/// on next is drawn by lot. Messages within a shard arrive at once, those between two shards in
/// their order. Between any two inputs an entity is saved and loaded, as if its node had died.
class trading_world {
 public:
  using log = std::shared_ptr<const market::market_batch>;

  trading_world(std::vector<kind_def> kinds, std::uint32_t seed, unsigned shards = 5)
      : shards_(shards), random_(seed) {
    for (auto& kind : kinds) kinds_.emplace(kind.name, std::move(kind));
  }

  /// All events of a symbol's log. Only the first `visible` of them have happened yet.
  void set_log(const std::string& symbol, log events, std::size_t visible) {
    logs_[symbol] = {std::move(events), visible};
  }
  /// From a client. The answer, null if there was none.
  nlohmann::json ask(const entity_id& to, const std::string& type, nlohmann::json body) {
    answer_ = nullptr;
    run_unit({to, {type, std::move(body)}});
    return answer_;
  }

  /// Lets everything happen until nothing can.
  void run() {
    constexpr std::size_t steps_max = 100'000;
    while (step())
      if (steps > steps_max) throw std::runtime_error("the world does not come to rest");
  }

  /// Lets one thing happen, if anything can.
  void go_on() { step(); }

  struct told {
    entity_id from, to;
    message what;
  };
  std::vector<told> history;  // Everything that was told, as it was decided.
  std::vector<effects::published> records;
  std::vector<row_block> blocks;
  std::size_t steps = 0;

  nlohmann::json state(const entity_id& of) { return nlohmann::json::parse(saved_.at(of)); }

 private:
  struct symbol_log {
    log events;
    std::size_t visible = 0;
  };
  using timer_key = std::pair<entity_id, std::string>;

  unsigned shard_of(const entity_id& id) const {
    return static_cast<unsigned>(std::hash<std::string>{}(id.key) % shards_);
  }

  entity& live(const entity_id& id) {
    auto& one = entities_[id];
    one = kinds_.at(id.kind).make(id);
    if (const auto saved = saved_.find(id); saved != saved_.end())
      one->load(saved->second, kinds_.at(id.kind).schema);
    return *one;
  }

  void take(const entity_id& from, effects&& out, std::deque<effects::told>& inside) {
    if (out.answer && answer_.is_null()) answer_ = *out.answer;
    for (auto& t : out.tells) {
      history.push_back({from, t.to, t.what});
      if (shard_of(t.to) == shard_of(from))
        inside.push_back(std::move(t));
      else
        channels_[{shard_of(from), shard_of(t.to)}].push_back(std::move(t));
    }
    for (auto& r : out.records) records.push_back(std::move(r));
    for (auto& b : out.blocks) blocks.push_back(std::move(b));
    for (auto& t : out.timers) {
      timers_.erase({from, t.name});
      if (t.due) timers_[{from, t.name}] = {*t.due, t.what};
    }
  }

  void run_unit(effects::told first) {
    std::deque<effects::told> inside{std::move(first)};
    while (!inside.empty()) {
      const auto next = std::move(inside.front());
      inside.pop_front();
      if (!kinds_.contains(next.to.kind)) continue;
      auto& core = live(next.to);
      effects out;
      core.handle(next.what, {next.to, now_}, out);
      if (!out.read_only) saved_[next.to] = core.save();
      take(next.to, std::move(out), inside);
      forget_held(next.to);
    }
  }

  void forget_held(const entity_id& id) {
    std::erase_if(held_, [&id](const auto& one) { return one.first == id; });
  }

  /// Offers a stretch of drawn length; false: there is none, or it takes nothing.
  bool feed(const entity_id& id) {
    auto& core = live(id);
    const auto all = core.follows();
    if (all.empty()) return false;
    const auto lot = random_() % all.size();
    for (std::size_t i = 0; i < all.size(); ++i)
      if (feed(id, core, all[(lot + i) % all.size()])) return true;
    return false;
  }

  bool feed(const entity_id& id, entity& core, const followed& one) {
    auto& from = logs_[one.of.key];
    if (!from.events || held_.contains({id, one.of})) return false;
    const auto& events = from.events->events();
    const bool now = one.next == feed_from_now;  // Told at once where the log ends.
    std::size_t first = 0;
    while (first < from.visible && (now || from.events->at(first) < one.next)) ++first;
    if (first == from.visible && !now) return false;
    const auto end = now ? first : first + 1 + random_() % (from.visible - first);
    const auto next = position{end == 0 ? 0 : events[end - 1].offset + 1};
    std::size_t done = first;
    effects out;
    core.absorb_feed({one.of, now ? nullptr : from.events.get(), end, next}, done, {id, now_}, out);
    saved_[id] = core.save();
    const bool moved = now || done != first || out.leaves_entity();
    if (moved) forget_held(id);
    if (done != end) held_.insert({id, one.of});
    std::deque<effects::told> inside;
    take(id, std::move(out), inside);
    while (!inside.empty()) {
      auto t = std::move(inside.front());
      inside.pop_front();
      run_unit(std::move(t));
    }
    return moved;
  }

  /// One thing that can happen, drawn by lot.
  bool step() {
    ++steps;
    now_ += std::chrono::milliseconds(1);
    for (auto& [name, of] : logs_)
      if (of.events && of.visible < of.events->size() && random_() % 3 == 0) ++of.visible;
    std::vector<std::deque<effects::told>*> waiting;
    for (auto& [route, queue] : channels_)
      if (!queue.empty()) waiting.push_back(&queue);
    std::vector<entity_id> followers;
    for (const auto& [id, text] : saved_)
      if (kinds_.at(id.kind).follows) followers.push_back(id);
    while (!waiting.empty() || !followers.empty()) {
      const auto lot = random_() % (waiting.size() + followers.size());
      if (lot < waiting.size()) {
        auto next = std::move(waiting[lot]->front());
        waiting[lot]->pop_front();
        run_unit(std::move(next));
        return true;
      }
      const auto at = followers.begin() + static_cast<std::ptrdiff_t>(lot - waiting.size());
      if (feed(*at)) return true;
      followers.erase(at);
    }
    bool more = false;
    for (const auto& [name, of] : logs_)
      more = more || (of.events && of.visible < of.events->size());
    return more;
  }

  const unsigned shards_;
  std::mt19937 random_;
  std::map<std::string, kind_def> kinds_;
  std::map<entity_id, std::string> saved_;
  std::map<entity_id, std::unique_ptr<entity>> entities_;
  std::map<std::string, symbol_log> logs_;
  std::map<std::pair<unsigned, unsigned>, std::deque<effects::told>> channels_;
  std::map<timer_key, std::pair<time_point, message>> timers_;
  /// Who stopped early when last fed from where, and has not heard anything since.
  std::set<std::pair<entity_id, entity_id>> held_;
  nlohmann::json answer_;
  time_point now_ = from_micros(1'700'000'000'000'000);
};

}  // namespace troupe::trading::test
