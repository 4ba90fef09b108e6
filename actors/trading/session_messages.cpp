#include "actors/trading/session_messages.hpp"

#include <algorithm>
#include <charconv>

#include "actors/market/market_decoder.hpp"
#include "actors/trading/names.hpp"
#include "runtime/entity/command_decoder.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

void read_symbols(field_reader& from, std::vector<std::string>& to) {
  constexpr auto allowed = "must be a list of symbols";
  const auto* list = from.member("symbols", presence::required);
  if (list == nullptr) return;
  if (!list->is_array()) return from.refuse("symbols", allowed);
  for (const auto& one : *list) {
    if (!one.is_string()) return from.refuse("symbols", allowed);
    to.push_back(one.get<std::string>());
  }
}

void read_parameters(field_reader& from, given_parameters& to) {
  const auto* all = from.member("parameters");
  if (all == nullptr) return;
  if (!all->is_object()) return from.refuse("parameters", "must be an object of numbers");
  field_reader parameters(*all, from.path_of("parameters"), from.wrong());
  for (const auto& [name, value] : all->items()) {
    if (!value.is_number()) {
      parameters.refuse(name, "must be a number");
    } else {
      to[name] = value.get<double>();
    }
  }
}

void read_size(field_reader& from, orders::size& to) {
  const auto* size = from.member("size");
  if (size == nullptr) return;
  field_reader fields(*size, from.path_of("size"), from.wrong());
  fields.choice("by", to.by).decimal("amount", to.amount, fixed::from_raw(INT64_MIN));
  fields.finish();
}

void read_start(field_reader& from, session_start& to) {
  const auto* at = from.member("from");
  if (at == nullptr) return;
  const auto word = at->is_string() ? at->get<std::string>() : at->dump();
  std::int64_t offset = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), offset);
  const bool number = error == std::errc() && end == word.data() + word.size() && offset >= 0;
  if (word == "now") return;
  if (word != "beginning" && !number)
    return from.refuse("from", "must be now, beginning, or an offset of the symbols' logs");
  to = {false, offset};
}

/// Commands to sessions by the general decoder, if they are that.
class session_sink final : public decoder_sink {
 public:
  explicit session_sink(decoder_sink& to) : to_(to) {}

  void deliver(std::string_view key, event_batch_ptr events) override {
    to_.deliver(key, std::move(events));
  }
  void deliver(const record_view& from, entity_id to, message what, std::string request) override {
    if (to.kind != session_kind)
      return to_.refuse(from, "not_a_session", "to: must be session/NAME");
    if (what.type != "create" && !parse_name<session_command>(what.type))
      return to_.refuse(from, "unknown_command",
                        what.type + ": must be one of create, start, pause, resume, stop, delete");
    if (!what.body.is_object()) return to_.refuse(from, "bad_field", "body: must be an object");
    if (!request.empty()) what.body["id"] = request;
    to_.deliver(from, std::move(to), std::move(what), std::move(request));
  }
  void refuse(const record_view& record, std::string_view reason,
              std::string_view detail) override {
    to_.refuse(record, reason, detail);
  }

 private:
  decoder_sink& to_;
};

class session_command_decoder final : public decoder {
 public:
  void decode(std::span<const record_view> records, decoder_sink& sink) override {
    session_sink checked(sink);
    commands_->decode(records, checked);
  }

 private:
  std::unique_ptr<decoder> commands_ = make_command_decoder();
};

}  // namespace

create_session read_create(const json& body, std::string_view name, faults& wrong) {
  create_session wish;
  auto& to = wish.settings;
  to.name = name;
  field_reader from(body, {}, wrong);
  std::string bars = "1m", id;
  from.text("portfolio", to.portfolio)
      .text("strategy", to.strategy)
      .text("period", bars, presence::optional)
      .text("id", id, presence::optional);
  read_symbols(from, wish.symbols);
  read_parameters(from, to.parameters);
  read_size(from, to.size);
  read_start(from, wish.start);
  if (const auto period = market::parse_period(bars)) {
    to.bars = *period;
  } else {
    from.refuse("period", "must be one of 1s, 1m, 5m, 15m, 1h, 1d");
  }
  from.finish();
  return wish;
}

namespace {

/// What a new session's name or symbols may not be; those of sessions that there are stay.
session_answer check_name(std::string_view name) {
  if (!is_by_hand(name)) return {};
  return {session_refusal::bad_name, "names that begin with " + std::string(by_hand) +
                                         " are for orders by hand, no session has one"};
}

session_answer check_spelling(std::span<const std::string> symbols) {
  if (std::ranges::all_of(symbols, market::is_symbol)) return {};
  return {session_refusal::unknown_symbol,
          "a symbol must have " + std::string(market::symbols_text)};
}

/// The one of higher precedence, of two the first.
session_answer worse(session_answer a, session_answer b) {
  if (a.refusal == session_refusal::none) return b;
  return b.refusal == session_refusal::none || a.refusal <= b.refusal ? a : b;
}

}  // namespace

session_answer complete(create_session& wish, const json& limits) {
  faults wrong;
  const auto mine = parse_risk_limits(limits, wish.settings.portfolio, wrong);
  std::vector<instrument> known;
  for (const auto& symbol : wish.symbols) {
    const auto* found = mine ? mine->find(symbol) : nullptr;
    if (found == nullptr) continue;
    known.push_back(found->rules);
    known.back().symbol = symbol;
  }
  const auto chosen = choose_instruments(wish.symbols, known, wish.settings);
  return worse(check_name(wish.settings.name),
               worse(worse(check_spelling(wish.symbols), chosen), check(wish.settings)));
}

std::unique_ptr<decoder> make_session_command_decoder() {
  return std::make_unique<session_command_decoder>();
}

std::string_view done_name(session_command c) {
  constexpr std::array<std::string_view, 5> names{"started", "paused", "resumed", "stopped",
                                                  "deleted"};
  return names[static_cast<std::size_t>(c)];
}

}  // namespace troupe::trading
