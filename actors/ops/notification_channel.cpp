#include "actors/ops/notification_channel.hpp"

#include <algorithm>

#include "runtime/entity/entity.hpp"

namespace troupe::ops {

using nlohmann::json;
using trading::name_of;

std::chrono::milliseconds backoff_after(std::int64_t attempts, std::string_view id,
                                        const delivery_options& o) {
  auto wait = std::min(o.backoff, o.backoff_max);
  for (std::int64_t i = 1; i < attempts && wait < o.backoff_max; ++i)
    wait = std::min(2 * wait, o.backoff_max);
  auto lot = 14695981039346656037ULL + static_cast<std::uint64_t>(attempts);
  for (const char c : id) lot = (lot ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  constexpr std::uint64_t lots = 1024;
  const auto share = static_cast<std::int64_t>((lot ^ (lot >> 32)) % lots);
  return wait - wait * share / static_cast<std::int64_t>(2 * lots);
}

bool notification_channel::accept(notification what, time_point now, channel_listener& to) {
  if (known_ids_.contains(what.id) || find(what.id) != waiting_.end()) {
    ++repeated_;
    return false;
  }
  remember(what.id);
  what.at = now;
  waiting_.push_back({std::move(what), 0, false, now, {}});
  if (!known_) {
    bury(std::prev(waiting_.end()), death::unknown_channel, "the config has no such channel", now,
         to);
    return true;
  }
  make_room(now, to);
  tick(now, to);
  return true;
}

void notification_channel::remember(const std::string& id) {
  if (!known_ids_.insert(id).second) return;
  ids_.push_back(id);
  while (ids_.size() > options_->ids_remembered) {
    known_ids_.erase(ids_.front());
    ids_.pop_front();
  }
}

/// The oldest goes, one that is not under way if there is any.
void notification_channel::make_room(time_point now, channel_listener& to) {
  while (waiting_.size() > options_->queue_max) {
    const auto idle = std::ranges::find(waiting_, false, &entry::sent);
    bury(idle == waiting_.end() ? waiting_.begin() : idle, death::queue_full,
         idle == waiting_.end() ? "" : idle->error, now, to);
  }
}

notification_channel::place notification_channel::find(std::string_view id) {
  return std::ranges::find_if(waiting_, [id](const entry& e) { return e.what.id == id; });
}

notification_channel::place notification_channel::bury(place at, death why,
                                                       const std::string& detail, time_point now,
                                                       channel_listener& to) {
  ++dead_;
  ++dead_by_[std::string(name_of(why))];
  corpses_.push_back({at->what.id, at->what.rule, why, detail, now});
  if (corpses_.size() > dead_shown) corpses_.pop_front();
  to.died(at->what, why, detail);
  return waiting_.erase(at);
}

/// Returns whether it is over; `at` is then the next one.
bool notification_channel::give_up(place& at, const std::string& error, time_point now,
                                   channel_listener& to) {
  const bool often = at->attempts >= options_->attempts_max;
  if (!often && now - at->what.at < options_->age_max) return false;
  at = bury(at, often ? death::attempts : death::age, error, now, to);
  return true;
}

void notification_channel::answered(std::string_view id, attempt_outcome how,
                                    const std::string& detail, time_point now,
                                    channel_listener& to) {
  auto at = find(id);
  if (at == waiting_.end()) return;
  if (how == attempt_outcome::delivered) {
    ++delivered_;
    delivered_at_ = now;
    waiting_.erase(at);
  } else {
    error_ = at->error = detail;
    if (how == attempt_outcome::refused) {
      bury(at, death::refused, detail, now, to);
    } else if (at->sent && !give_up(at, detail, now, to)) {
      at->sent = false;
      at->due = now + backoff_after(at->attempts, at->what.id, *options_);
    }
  }
  tick(now, to);
}

void notification_channel::tick(time_point now, channel_listener& to) {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (!known_) {
      at = bury(at, death::unknown_channel, "the config has no such channel", now, to);
      continue;
    }
    if (at->sent && at->due <= now) {
      error_ = at->error = "no answer in time";
      at->sent = false;
    }
    if (!at->sent && at->due <= now && give_up(at, at->error, now, to)) continue;
    ++at;
  }
  auto under_way = static_cast<std::size_t>(std::ranges::count(waiting_, true, &entry::sent));
  for (auto& e : waiting_) {
    if (under_way >= in_flight_max) return;
    if (e.sent || e.due > now) continue;
    ++under_way;
    ++e.attempts;
    e.sent = true;
    e.due = now + 2 * options_->timeout;  // The attempt ends by itself well before.
    to.send(e.what);
  }
}

std::optional<time_point> notification_channel::due() const {
  const bool full =
      static_cast<std::size_t>(std::ranges::count(waiting_, true, &entry::sent)) >= in_flight_max;
  std::optional<time_point> first;
  for (const auto& e : waiting_)
    if ((e.sent || !full) && (!first || e.due < *first)) first = e.due;
  return first;
}

// ---- state --------------------------------------------------------------------------------------

nlohmann::json notification_channel::fate_of(std::string_view id) const {
  const auto here = [id](const auto& one) { return one.id == id; };
  for (const auto& e : waiting_)
    if (e.what.id == id)
      return {{"state", "waiting"}, {"attempts", e.attempts}, {"detail", e.error}};
  const auto dead = std::find_if(corpses_.rbegin(), corpses_.rend(), here);
  if (dead != corpses_.rend())
    return {{"state", "dead"}, {"reason", name_of(dead->why)}, {"detail", dead->detail}};
  return {{"state", known_ids_.contains(std::string(id)) ? "delivered" : "unknown"}};
}

json notification_channel::save() const {
  json waiting = json::array(), corpses = json::array();
  for (const auto& e : waiting_)
    waiting.push_back({{"id", e.what.id},
                       {"rule", e.what.rule},
                       {"text", e.what.text},
                       {"facts", e.what.facts},
                       {"at", to_micros(e.what.at)},
                       {"attempts", e.attempts},
                       {"sent", e.sent},
                       {"due", to_micros(e.due)},
                       {"error", e.error}});
  for (const auto& c : corpses_)
    corpses.push_back({{"id", c.id},
                       {"rule", c.rule},
                       {"reason", name_of(c.why)},
                       {"detail", c.detail},
                       {"at", to_micros(c.at)}});
  return {{"delivered", delivered_},
          {"delivered_at", to_micros(delivered_at_)},
          {"repeated", repeated_},
          {"dead", dead_},
          {"dead_by", dead_by_},
          {"last_error", error_},
          {"waiting", waiting},
          {"last_dead", corpses},
          {"ids", ids_}};
}

notification_channel::entry notification_channel::read_entry(const json& from) {
  entry e;
  e.what = {from.at("id"), from.at("rule"), from.at("text"), from.at("facts"),
            from_micros(from.at("at"))};
  e.attempts = from.at("attempts");
  e.sent = from.at("sent");
  e.due = from_micros(from.at("due"));
  e.error = from.at("error");
  return e;
}

notification_channel::corpse notification_channel::read_corpse(const json& from) {
  const auto why = trading::parse_name<death>(from.at("reason").get<std::string>());
  if (!why) throw bad_state("notification: last_dead has an unknown reason");
  return {from.at("id"), from.at("rule"), *why, from.at("detail"), from_micros(from.at("at"))};
}

void notification_channel::load(const json& from) try {
  delivered_ = from.at("delivered");
  delivered_at_ = from_micros(from.at("delivered_at"));
  repeated_ = from.at("repeated");
  dead_ = from.at("dead");
  dead_by_ = from.at("dead_by").get<std::map<std::string, std::int64_t>>();
  error_ = from.at("last_error");
  for (const auto& one : from.at("waiting")) waiting_.push_back(read_entry(one));
  for (const auto& one : from.at("last_dead")) corpses_.push_back(read_corpse(one));
  for (const auto& one : from.at("ids")) remember(one.get<std::string>());
} catch (const json::exception& e) {
  throw bad_state(std::string("notification: ") + e.what());
}

}  // namespace troupe::ops
