#include "actors/ops/notification_entity.hpp"

#include <vector>

#include "runtime/codec/text.hpp"

namespace troupe::ops {

using nlohmann::json;
using trading::field_reader;
using trading::name_of;

namespace {

constexpr std::size_t text_max = 1'000, facts_max = 16'384;  // Bytes: states stay small.

std::string dumped(const json& what) {
  return what.dump(-1, ' ', false, json::error_handler_t::replace);
}

json body_of(const notification& n, const std::string& channel) {
  return {{"id", n.id},     {"rule", n.rule},   {"channel", channel},
          {"text", n.text}, {"facts", n.facts}, {"time", to_micros(n.at)}};
}

void put_dead_letter(const std::string& channel, std::string_view why, const std::string& detail,
                     const std::string& payload, time_point now, effects& out) {
  const auto source = std::string(trading::notification_kind) + '/' + channel;
  out.publish(dead_letter_topic, channel,
              dead_letter_json({source, 0, -1, why, detail, channel, payload, now}));
}

/// Reads the body of `notify`; gathers all that is wrong with it.
notification read_notice(const json& body, trading::faults& wrong) {
  notification n;
  field_reader fields(body, "", wrong);
  fields.name("id", n.id).name("rule", n.rule).text("text", n.text);
  if (const auto* facts = fields.member("facts")) n.facts = *facts;
  fields.finish();
  if (n.text.size() > text_max) fields.refuse("text", "must be at most 1000 bytes");
  if (!n.facts.is_object() || dumped(n.facts).size() > facts_max)
    fields.refuse("facts", "must be an object of at most 16384 bytes");
  return n;
}

}  // namespace

/// Carries out what the channel wants.
class notification_entity::outlet final : public channel_listener {
 public:
  outlet(const notification_entity& of, const context& where, effects& out)
      : of_(of), where_(where), out_(out) {}

  void send(const notification& what) override {
    const auto* settings = of_.settings();
    const auto body = body_of(what, of_.name_);
    if (settings->type == channel_type::log)
      return out_.call(log_service, what.id,
                       {{"level", "info"}, {"channel", of_.name_}, {"body", body}});
    if (settings->type == channel_type::webhook)
      return out_.call(
          webhook_service, what.id,
          {{"channel", of_.name_}, {"time", to_micros(where_.now)}, {"body", dumped(body)}});
    out_.publish(notifications_topic, of_.name_, dumped(body));
    published.push_back(what.id);
  }
  void died(const notification& what, death why, const std::string& detail) override {
    const auto body = body_of(what, of_.name_);
    put_dead_letter(of_.name_, name_of(why), detail, dumped(body), where_.now, out_);
    out_.call(log_service, "",
              {{"level", "error"},
               {"channel", of_.name_},
               {"body", body},
               {"reason", name_of(why)},
               {"detail", detail}});
  }

  std::vector<std::string> published;  // With the commit they are delivered.

 private:
  const notification_entity& of_;
  const context& where_;
  effects& out_;
};

notification_entity::notification_entity(std::string name,
                                         std::shared_ptr<const notification_options> options)
    : name_(std::move(name)),
      options_(std::move(options)),
      core_(options_->delivery, options_->channels.contains(name_)) {}

const channel_options* notification_entity::settings() const {
  const auto found = options_->channels.find(name_);
  return found == options_->channels.end() ? nullptr : &found->second;
}

void notification_entity::load(std::string_view state, int schema) {
  if (schema != notification_channel::schema)
    throw bad_state("notification: schema " + std::to_string(schema) + " is not known");
  auto stored = json::parse(state, nullptr, false);
  if (!stored.is_object()) throw bad_state("notification: not an object");
  core_.load(stored);
  const auto timer = stored.find("timer");
  if (timer != stored.end() && timer->is_number_integer()) timer_ = from_micros(*timer);
}

std::string notification_entity::save() const {
  auto state = core_.save();
  const auto* set = settings();
  state["type"] = set == nullptr ? "unknown" : name_of(set->type);
  if (timer_) state["timer"] = to_micros(*timer_);
  return dumped(state);
}

void notification_entity::handle(const message& what, const context& where, effects& out) {
  if (what.type == "notify") return notify(what, where, out);
  if (what.type == "call_answered") return hear(what, where, out);
  if (what.type == "carry") {  // Its timer.
    timer_.reset();
    outlet to(*this, where, out);
    core_.tick(where.now, to);
    return settle(to, where, out);
  }
  if (what.type != "fate" && what.type != "show") return entity::handle(what, where, out);
  out.unchanged();
  if (what.type == "show") return out.reply(json::parse(save()));
  const auto id = what.body.is_object() ? what.body.value("id", json()) : json();
  out.reply(core_.fate_of(id.is_string() ? id.get<std::string>() : ""));
}

void notification_entity::notify(const message& what, const context& where, effects& out) {
  trading::faults wrong;
  auto told = read_notice(what.body, wrong);
  if (!wrong.empty()) {
    put_dead_letter(name_, "malformed", trading::to_string(wrong), dumped(what.body), where.now,
                    out);
    out.unchanged();
    return out.reply({{"error", "malformed"}, {"detail", trading::to_string(wrong)}});
  }
  outlet to(*this, where, out);
  const auto id = told.id;
  const bool fresh = core_.accept(std::move(told), where.now, to);
  out.reply({{"id", id}, {"accepted", fresh}});
  settle(to, where, out);
}

/// Whatever a service says that is no outcome counts as a failure.
void notification_entity::hear(const message& what, const context& where, effects& out) {
  std::string id, detail;
  auto how = attempt_outcome::failed;
  trading::faults wrong;
  field_reader fields(what.body, "", wrong);
  fields.text("id", id);
  if (const auto* answer = fields.member("answer", trading::presence::required)) {
    field_reader inside(*answer, "answer", wrong);
    inside.choice("outcome", how).text("detail", detail, trading::presence::optional);
  }
  if (!wrong.empty()) detail = trading::to_string(wrong);
  if (id.empty()) return out.unchanged();  // Of a log line that nobody waits for.
  outlet to(*this, where, out);
  core_.answered(id, how, detail, where.now, to);
  settle(to, where, out);
}

void notification_entity::settle(outlet& to, const context& where, effects& out) {
  // Records are delivered by the commit itself, and each makes room for the next.
  for (std::size_t i = 0; i < to.published.size(); ++i)
    core_.answered(std::string(to.published[i]), attempt_outcome::delivered, "", where.now, to);
  const auto due = core_.due();
  if (due == timer_) return;
  timer_ = due;
  if (due)
    out.set_timer("carry", *due, {"carry", json::object()});
  else
    out.cancel_timer("carry");
}

kind_def make_notification_kind(std::shared_ptr<const notification_options> options) {
  kind_def kind;
  kind.name = trading::notification_kind;
  kind.schema = notification_channel::schema;
  kind.make = [options = std::move(options)](const entity_id& id) {
    return std::make_unique<notification_entity>(id.key, options);
  };
  return kind;
}

}  // namespace troupe::ops
