#include <algorithm>
#include <charconv>

#include "app/feed/parsers.hpp"
#include "app/feed/text_time.hpp"
#include "runtime/base/fixed.hpp"

namespace troupe::feed {

void split(std::string_view line, std::vector<std::string_view>& to) {
  to.clear();
  for (;;) {
    const auto comma = line.find(',');
    auto field = line.substr(0, comma);
    if (field.size() >= 2 && field.front() == '"' && field.back() == '"')
      field = field.substr(1, field.size() - 2);
    to.push_back(field);
    if (comma == std::string_view::npos) return;
    line.remove_prefix(comma + 1);
  }
}

columns::columns(std::string_view header) {
  std::vector<std::string_view> names;
  split(header, names);
  names_.assign(names.begin(), names.end());
}

bool columns::has(std::initializer_list<std::string_view> names) const {
  return std::all_of(names.begin(), names.end(),
                     [this](auto name) { return index(name) < names_.size(); });
}

std::string_view columns::twice(std::initializer_list<std::string_view> names) const {
  for (const auto name : names)
    if (std::count(names_.begin(), names_.end(), name) > 1) return name;
  return {};
}

std::size_t columns::index(std::string_view name) const {
  return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
}

bool good_symbol(std::string_view symbol) {
  return !symbol.empty() && symbol.size() <= 32 &&
         std::all_of(symbol.begin(), symbol.end(), [](char c) {
           return static_cast<unsigned char>(c) >= ' ' && c != 127 && c != '"' && c != '\\';
         });
}

namespace {

constexpr std::string_view wrong_count = "another number of fields than the header",
                           wrong_time = "bad time", wrong_symbol = "bad symbol",
                           wrong_number = "bad price or size", no_side = "neither side";
constexpr std::int64_t ms_max = 253'402'300'799'999;  // The end of the year 9999.

std::optional<std::int64_t> parse_ms(std::string_view text) {
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error != std::errc() || end != text.data() + text.size() || ms < 0 || ms > ms_max)
    return std::nullopt;
  return ms;
}

/// Splits lines and writes the fields that records share.
class csv_parser : public line_parser {
 public:
  explicit csv_parser(const columns& header) : count_(header.count()) {}

  std::string_view parse(std::string_view line, record& to) final {
    split(line, fields_);
    if (fields_.size() != count_) return wrong_count;
    to.timestamp_ms.reset();
    return make(to);
  }

 protected:
  virtual std::string_view make(record& to) = 0;
  std::string_view field(std::size_t column) const { return fields_[column]; }

  /// The beginning that trades and quotes share.
  std::string_view begin(record& to, std::string_view opening, std::size_t time,
                         std::size_t symbol) const {
    const auto ms = parse_ms(field(time));
    if (!ms) return wrong_time;
    if (!good_symbol(field(symbol))) return wrong_symbol;
    to.key = field(symbol);
    to.time_us = *ms * us_per_ms;
    to.payload = opening;
    (to.payload += to.key) += R"(","time":)";
    to.payload += std::to_string(to.time_us);
    return {};
  }
  /// `,"name":"12.5"`; false if the field is no number of 0 or more.
  bool number(record& to, std::string_view name, std::size_t column) const {
    const auto value = parse_fixed(field(column));
    if (!value || *value < fixed()) return false;
    ((to.payload += ",\"") += name) += "\":\"";
    (to.payload += to_string(*value)) += '"';
    return true;
  }

 private:
  std::size_t count_;
  std::vector<std::string_view> fields_;
};

class trades_parser final : public csv_parser {
 public:
  explicit trades_parser(const columns& h)
      : csv_parser(h),
        time_(h.index("ts_ms")),
        symbol_(h.index("symbol")),
        price_(h.index("price")),
        size_(h.index("size")) {}

 private:
  std::string_view make(record& to) override {
    const auto wrong = begin(to, R"({"type":"trade","symbol":")", time_, symbol_);
    if (!wrong.empty()) return wrong;
    if (!number(to, "price", price_) || !number(to, "size", size_)) return wrong_number;
    to.payload += '}';
    return {};
  }
  std::size_t time_, symbol_, price_, size_;
};

class quotes_parser final : public csv_parser {
 public:
  explicit quotes_parser(const columns& h)
      : csv_parser(h),
        time_(h.index("ts_ms")),
        symbol_(h.index("symbol")),
        bid_(h.index("bid")),
        bid_size_(h.index("bid_size")),
        ask_(h.index("ask")),
        ask_size_(h.index("ask_size")) {}

 private:
  bool empty(std::size_t price, std::size_t size) const {
    return field(price).empty() && field(size).empty();
  }
  bool side(record& to, std::string_view name, std::size_t price, std::string_view size_name,
            std::size_t size) const {
    return empty(price, size) || (number(to, name, price) && number(to, size_name, size));
  }

  std::string_view make(record& to) override {
    const auto wrong = begin(to, R"({"type":"quote","symbol":")", time_, symbol_);
    if (!wrong.empty()) return wrong;
    if (empty(bid_, bid_size_) && empty(ask_, ask_size_)) return no_side;
    if (!side(to, "bid", bid_, "bid_size", bid_size_) ||
        !side(to, "ask", ask_, "ask_size", ask_size_))
      return wrong_number;
    to.payload += '}';
    return {};
  }
  std::size_t time_, symbol_, bid_, bid_size_, ask_, ask_size_;
};

class daily_parser final : public csv_parser {
 public:
  daily_parser(const columns& h, std::string symbol)
      : csv_parser(h), symbol_(std::move(symbol)), date_(h.index("date")) {
    for (const auto name : names) values_.push_back(h.index(name));
  }

 private:
  static constexpr std::string_view names[] = {"open", "high", "low", "close", "volume"};

  std::string_view make(record& to) override {
    const auto day = field(date_).size() == 10 ? parse_time(field(date_)) : std::nullopt;
    if (!day) return wrong_time;
    to.key = symbol_;
    to.time_us = *day;
    to.payload = R"({"type":"bar","symbol":")" + symbol_ + R"(","period":"1d","time":)" +
                 std::to_string(*day);
    for (std::size_t i = 0; i < values_.size(); ++i)
      if (!number(to, names[i], values_[i])) return wrong_number;
    to.payload += '}';
    return {};
  }
  std::string symbol_;
  std::size_t date_;
  std::vector<std::size_t> values_;
};

}  // namespace

std::unique_ptr<line_parser> make_trades_parser(const columns& header) {
  return std::make_unique<trades_parser>(header);
}
std::unique_ptr<line_parser> make_quotes_parser(const columns& header) {
  return std::make_unique<quotes_parser>(header);
}
std::unique_ptr<line_parser> make_daily_parser(const columns& header, std::string symbol) {
  return std::make_unique<daily_parser>(header, std::move(symbol));
}

}  // namespace troupe::feed
