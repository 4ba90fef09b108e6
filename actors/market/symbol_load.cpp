#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "actors/market/symbol.hpp"

namespace troupe::market {

namespace {

using json = nlohmann::json;

constexpr std::int64_t count_max = std::int64_t{1} << 58;  // Sums of all counters fit.
constexpr wide wide_max = ((wide{1} << 126) - 1) * 2 + 1;

[[noreturn]] void damaged(const std::string& what) {
  throw bad_state("symbol: " + what);
}

void require(bool holds, const char* what) {
  if (!holds) damaged(what);
}

const json& object_at(const json& in, const char* name) {
  const auto found = in.find(name);
  if (found == in.end() || !found->is_object()) damaged(std::string(name) + " is not an object");
  return *found;
}

std::int64_t whole(const json& value, const std::string& name) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
  if (!fits) damaged(name + " is not a whole number");
  return value.get<std::int64_t>();
}

std::int64_t whole_at(const json& in, const char* name) {
  const auto found = in.find(name);
  if (found == in.end()) damaged(std::string(name) + " is missing");
  return whole(*found, name);
}

std::int64_t whole_at(const json& in, const char* name, std::int64_t absent) {
  return in.contains(name) ? whole_at(in, name) : absent;
}

/// Times that the decoder lets through are far inside; sums with lengths of periods cannot
/// overflow.
std::int64_t time_at(const json& in, const char* name) {
  constexpr std::int64_t limit = INT64_MAX / 4;
  const auto micros = whole_at(in, name);
  if (micros > limit || micros < -limit) damaged(std::string(name) + " is out of range");
  return micros;
}

std::int64_t time_at(const json& in, const char* name, std::int64_t absent) {
  return in.contains(name) ? time_at(in, name) : absent;
}

std::int64_t count_at(const json& in, const char* name) {
  const auto n = whole_at(in, name);
  if (n < 0 || n > count_max) damaged(std::string(name) + " is out of range");
  return n;
}

const std::string& text_at(const json& in, const char* name) {
  const auto found = in.find(name);
  if (found == in.end() || !found->is_string()) damaged(std::string(name) + " is not text");
  return found->get_ref<const std::string&>();
}

fixed fixed_at(const json& in, const char* name) {
  const auto value = parse_fixed(text_at(in, name));
  if (!value || value->raw() < 0) damaged(std::string(name) + " is not a decimal");
  return *value;
}

wide wide_at(const json& in, const char* name) {
  const auto value = parse_wide(text_at(in, name));
  if (!value || *value < 0) damaged(std::string(name) + " is not a decimal");
  return *value;
}

price_bar bar_from(const json& in) {
  price_bar b;
  b.open_time = time_at(in, "open_time");
  b.open = fixed_at(in, "open");
  b.high = fixed_at(in, "high");
  b.low = fixed_at(in, "low");
  b.close = fixed_at(in, "close");
  b.volume = wide_at(in, "volume");
  b.trades = count_at(in, "trades");
  b.first_time = time_at(in, "first_time");
  b.last_time = time_at(in, "last_time");
  require(b.low <= b.open && b.low <= b.close && b.high >= b.open && b.high >= b.close,
          "a bar does not hold together");
  require(b.first_time <= b.last_time, "a bar ends before it begins");
  return b;
}

template <class Values>
std::int64_t sum_of(const Values& values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

using kind_counts = std::array<std::int64_t, event_kind_count>;

kind_counts kinds_from(const json& in) {
  kind_counts counts{};
  for (std::size_t i = 0; i < counts.size(); ++i)
    counts[i] = count_at(in, std::string(name_of(static_cast<event_kind>(i))).c_str());
  return counts;
}

std::array<std::int64_t, refusal_count> refusals_from(const json& in) {
  std::array<std::int64_t, refusal_count> counts{};
  for (const auto& [name, value] : in.items()) {
    std::size_t i = 0;
    while (i < counts.size() && name_of(static_cast<refusal>(i)) != name) ++i;
    if (i == counts.size()) damaged("unknown refusal " + name);
    counts[i] = count_at(in, name.c_str());
  }
  return counts;
}

bar_source source_from(const std::string& name) {
  if (name == "none") return bar_source::none;
  if (name == "trades") return bar_source::trades;
  if (name == "bars") return bar_source::bars;
  damaged("unknown source " + name);
}

json parse_object(std::string_view state) {
  auto parsed = json::parse(state, nullptr, false);
  require(parsed.is_object(), "not a JSON object");
  return parsed;
}

}  // namespace

/// Fills a fresh symbol from its saved state.
class symbol_loader {
 public:
  symbol_loader(symbol& to, const json& from) : to_(to), from_(from) {}

  void load() {
    load_counters();
    load_last();
    load_quote();
    load_session();
    load_ticker();
    load_periods();
    load_open();
    to_.restore_watermark();
  }

 private:
  void load_counters() {
    auto& c = to_.counters_;
    c.received = kinds_from(object_at(from_, "received"));
    c.applied = kinds_from(object_at(from_, "applied"));
    c.refused = refusals_from(object_at(from_, "refusals"));
    require(sum_of(c.received) == sum_of(c.applied) + sum_of(c.refused), "counters do not add up");
    require(whole_at(from_, "trades") == c.applied[0], "trades do not add up");
    require(whole_at(from_, "refused") == sum_of(c.refused), "refusals do not add up");
  }

  void load_last() {
    to_.volume_ = wide_at(from_, "volume");
    to_.trade_id_ = whole_at(from_, "last_id", market_event::no_id);
    to_.late_before_ = time_at(from_, "late_before", symbol::never);
    if (!from_.contains("last_time")) return;
    to_.last_ = last_trade{fixed_at(from_, "last_price"), fixed_at(from_, "last_size"),
                           time_at(from_, "last_time")};
  }

  void load_quote() {
    if (!from_.contains("quote")) return;
    const auto& in = object_at(from_, "quote");
    auto& q = to_.quote_;
    q.top = {fixed_at(in, "bid"), fixed_at(in, "bid_size"), fixed_at(in, "ask"),
             fixed_at(in, "ask_size")};
    q.time = time_at(in, "time");
    q.second = time_at(in, "second");
    q.id = whole_at(in, "id", market_event::no_id);
    require(q.second == floor_to(q.time, second_micros), "quote is not of its second");
  }

  void load_session() {
    if (!from_.contains("session")) return;
    const auto& in = object_at(from_, "session");
    const auto rest = count_at(in, "notional_rest");
    const auto notional = wide_at(in, "notional");
    require(rest < fixed::scale, "notional_rest is out of range");
    require(notional <= (wide_max - rest) / fixed::scale, "notional is out of range");
    to_.session_ = session_state{bar_from(in), notional * fixed::scale + rest};
    require(floor_to(to_.session_->day.open_time, day_micros) == to_.session_->day.open_time,
            "session does not begin with a day");
  }

  void load_ticker() {
    if (!from_.contains("ticker")) return;
    const auto& in = object_at(from_, "ticker");
    ohlcv w;
    w.open_time = time_at(in, "open_time");
    w.open = fixed_at(in, "open");
    w.high = fixed_at(in, "high");
    w.low = fixed_at(in, "low");
    w.close = fixed_at(in, "close");
    w.volume = wide_at(in, "volume");
    w.quote_volume = wide_at(in, "quote_volume");
    w.trades = count_at(in, "trades");
    to_.ticker_ = ticker_state{time_at(in, "time"), w};
  }

  void load_periods() {
    const bool same_plan = whole_at(from_, "plan") == to_.rules_->plan_id;
    for (const auto& [name, in] : object_at(from_, "periods").items()) {
      const auto length = parse_period(name);
      if (!length || !in.is_object()) damaged("unknown period " + name);
      const auto source = source_from(text_at(in, "source"));
      const auto last_closed = time_at(in, "last_closed", symbol::never);
      if (auto* configured = find(*length)) {
        configured->source = source;
        configured->last_closed = last_closed;
        if (same_plan && in.contains("indicators")) configured->indicators.load(in["indicators"]);
      } else {
        to_.dormant_.push_back({*length, source, last_closed});
      }
    }
    std::sort(to_.dormant_.begin(), to_.dormant_.end(),
              [](const auto& a, const auto& b) { return a.length < b.length; });
    to_.unclaimed_ = std::any_of(to_.periods_.begin(), to_.periods_.end(),
                                 [](const auto& p) { return p.source == bar_source::none; });
  }

  void load_open() {
    const auto list = from_.find("open");
    require(list != from_.end() && list->is_array(), "open is not a list");
    for (const auto& in : *list) {
      require(in.is_object(), "an open bar is not an object");
      const auto length = parse_period(text_at(in, "period"));
      require(length.has_value(), "an open bar is of no known period");
      if (auto* of = find(*length)) add_open(*of, bar_from(in));
    }
  }

  static void add_open(period_state& of, const price_bar& b) {
    require(of.source != bar_source::none, "an open bar without a source");
    require(floor_to(b.open_time, length_of(of.length)) == b.open_time,
            "an open bar is not aligned");
    require(b.open_time > of.last_closed, "an open bar has been closed already");
    require(of.open.empty() || b.open_time > of.open.back().open_time,
            "open bars are not in order");
    of.open.push_back(b);
  }

  period_state* find(period length) {
    for (auto& p : to_.periods_)
      if (p.length == length) return &p;
    return nullptr;
  }

  symbol& to_;
  const json& from_;
};

void symbol::load(std::string_view state) {
  const auto from = parse_object(state);
  *this = symbol(*rules_);
  try {
    symbol_loader(*this, from).load();
  } catch (const json::exception& e) {
    damaged(e.what());
  }
}

}  // namespace troupe::market
