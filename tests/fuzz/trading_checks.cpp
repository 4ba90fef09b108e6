#include "tests/fuzz/trading_checks.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "actors/trading/fills_decoder.hpp"
#include "actors/trading/portfolio_entity.hpp"
#include "actors/trading/session_entity.hpp"
#include "actors/trading/session_messages.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/codec/json.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::trading::fuzz {

namespace {

using nlohmann::json;

constexpr std::size_t published_bytes_max = 900'000;  // Brokers take a million.
const time_point now = from_micros(1'700'000'000'000'000);

std::size_t depth_of(const json& value) {
  std::size_t inner = 0;
  if (!value.is_structured()) return 0;
  for (const auto& one : value) inner = std::max(inner, depth_of(one));
  return 1 + inner;
}

struct decoded {
  entity_id to;
  message what;
};

/// What a decoder makes of one record.
class one_record final : public decoder_sink {
 public:
  one_record(decoder& decode, std::string_view key, std::string_view payload) {
    // Borrowed exactly as large as it is, so that a sanitizer sees any read behind it.
    const std::vector<char> bytes(payload.begin(), payload.end());
    const record_view record{key, {bytes.data(), bytes.size()}, 7, 0};
    decode.decode({&record, 1}, *this);
    ensure(outcomes == 1, "a record is delivered or refused, once");
  }

  void deliver(std::string_view, event_batch_ptr) override { ensure(false, "makes no events"); }
  void deliver(const record_view& from, entity_id to, message what, std::string request) override {
    ++outcomes;
    ensure(to.key == from.key, "a record goes to the entity of its key");
    ensure(request.empty() || is_name(request), "a request's id is a name");
    ensure(depth_of(what.body) <= json_depth_max + 2, "what is too deep does not come in");
    ensure(parse_json(what.body.dump(), {json_inside_depth_max}).value == what.body,
           "a body can be written down and read again");
    delivered = {std::move(to), std::move(what)};
  }
  void refuse(const record_view& record, std::string_view reason,
              std::string_view detail) override {
    ++outcomes;
    const auto letter = dead_letter_json(
        {"topic", 1, record.offset, reason, detail, record.key, record.payload, now});
    ensure(letter.size() <= published_bytes_max, "a dead letter fits into a record");
    const auto read = parse_json_object(letter).value;
    ensure(!read.at("reason").get<std::string>().empty(), "every refusal has a name");
    ensure(!read.at("detail").get<std::string>().empty(), "and says more");
  }

  std::optional<decoded> delivered;

 private:
  int outcomes = 0;
};

void take(entity& by, const entity_id& self, const message& what, effects& out) {
  by.handle(what, {self, now}, out);
  for (const auto& r : out.records) {
    ensure(r.payload.size() <= published_bytes_max, "what is published fits into a record");
    ensure(parse_json(r.payload, {json_inside_depth_max}).ok(), "what is published is JSON");
  }
}

const std::shared_ptr<const trading_options>& options() {
  static const auto all = std::make_shared<const trading_options>();
  return all;
}

/// A session that runs, as it was saved.
const std::string& running_session() {
  static const std::string state = [] {
    session_entity s("s1", options());
    effects out;
    take(s, {"session", "s1"},
         {"create",
          {{"portfolio", "p1"},
           {"strategy", "sma_cross"},
           {"symbols", {"SPY"}},
           {"size", {{"by", "quantity"}, {"amount", "10"}}}}},
         out);
    take(s, {"session", "s1"}, {"start", json::object()}, out);
    ensure(!out.answer->contains("error"), "the session runs");
    return s.save();
  }();
  return state;
}

void check_command(std::string_view payload) {
  const auto decoder = make_session_command_decoder();
  const one_record result(*decoder, "s1", payload);
  if (!result.delivered) return;
  for (const bool runs : {false, true}) {
    session_entity s("s1", options());
    if (runs) s.load(running_session(), session_schema);
    effects out;
    take(s, result.delivered->to, result.delivered->what, out);
    if (out.read_only) continue;
    session_entity again("s1", options());
    again.load(s.save(), session_schema);
    ensure(again.save() == s.save(), "a session loads back the same");
  }
}

risk_limits any_limits() {
  faults wrong;
  return *parse_risk_limits(options()->limits, "p1", wrong);
}

json order_by_hand(int number) {
  return {{"session", "by-hand"},
          {"number", number},
          {"symbol", "SPY"},
          {"side", "buy"},
          {"type", "market"},
          {"amount", "10"},
          {"decided", {{"time", to_micros(now)}, {"last", "100"}}}};
}

/// Risk check and portfolio of `p1`, with two orders out.
class books {
 public:
  books() : risk_(any_limits()), portfolio_({"portfolio", "p1"}) {
    tell({{"portfolio", "p1"}, {"open_portfolio", {{"cash", "100000"}, {"venue", "orders"}}}});
    for (int number : {1, 2}) tell({{"risk", "p1"}, {"submit_order", order_by_hand(number)}});
    ensure(published == 2, "both orders are out");
  }

  void tell(effects::told first) {
    std::deque<effects::told> waiting{std::move(first)};
    for (; !waiting.empty(); waiting.pop_front()) {
      auto& next = waiting.front();
      if (next.to.kind != risk_kind && next.to.kind != portfolio_kind) continue;
      effects out;
      if (next.to.kind == risk_kind)
        take(risk_, next.to, next.what, out);
      else
        take(portfolio_, next.to, next.what, out);
      published += out.records.size();
      for (auto& t : out.tells) waiting.push_back(std::move(t));
    }
  }
  void reload() {
    risk_entity risk(any_limits());
    risk.load(risk_.save(), risk::schema);
    ensure(risk.save() == risk_.save(), "a risk check loads back the same");
    portfolio_entity p({"portfolio", "p1"});
    p.load(portfolio_.save(), portfolio::schema);
    ensure(p.save() == portfolio_.save(), "a portfolio loads back the same");
  }
  std::size_t published = 0;

 private:
  risk_entity risk_;
  portfolio_entity portfolio_;
};

void check_report(std::string_view payload) {
  const auto decoder = make_fills_decoder();
  one_record result(*decoder, "p1", payload);
  if (!result.delivered) return;
  books p1;
  for (int twice = 0; twice < 2; ++twice) p1.tell({result.delivered->to, result.delivered->what});
  p1.reload();
}

void check_order(std::string_view text) {
  const auto request = parse_json_object(text);
  if (!request.ok()) return;
  books p1;
  p1.tell({{"risk", "p1"}, {"submit_order", request.value}});
  p1.reload();
}

void check_limits(std::string_view text) {
  json_limits may;
  may.comments = true;
  const auto document = parse_json(text, may);
  if (!document.ok()) return;
  faults wrong;
  const auto limits = parse_risk_limits(document.value, "p1", wrong);
  ensure(limits.has_value() == wrong.empty(), "limits, or what is wrong with them");
  if (!limits) return;
  risk_entity one(*limits);
  const auto state = one.save();
  one.load(state, risk::schema);
  ensure(one.save() == state, "limits load back the same");
}

}  // namespace

void check(std::string_view input) {
  const auto text = input.substr(std::min<std::size_t>(input.size(), 1));
  if (input.starts_with('f')) return check_report(text);
  if (input.starts_with('o')) return check_order(text);
  if (input.starts_with('l')) return check_limits(text);
  check_command(text);
}

}  // namespace troupe::trading::fuzz
