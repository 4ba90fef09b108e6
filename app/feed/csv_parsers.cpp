#include <algorithm>

#include "actors/market/market_decoder.hpp"
#include "app/feed/fields.hpp"
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

namespace {

/// Without blanks around it, in small letters.
std::string plain_name(std::string_view name) {
  const auto begin = name.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  std::string plain(name.substr(begin, name.find_last_not_of(" \t") - begin + 1));
  for (auto& c : plain)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return plain;
}

}  // namespace

columns::columns(std::string_view header) {
  std::vector<std::string_view> names;
  split(header, names);
  for (const auto name : names) names_.push_back(plain_name(name));
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
  return market::is_symbol(symbol) && symbol.find('"') == std::string_view::npos;
}

namespace {

constexpr std::int64_t ms_end = 253'402'300'800'000;  // The year 10000.

/// Splits lines and writes the fields that records share.
class csv_parser : public line_parser {
 public:
  explicit csv_parser(const columns& header) : count_(header.count()) {}

  std::string_view parse(std::string_view line, record& to) final {
    split(line, fields_);
    to.timestamp_ms.reset();
    if (fields_.size() != count_)
      why_ = wrong_count(fields_.size(), count_);
    else if (make(to))
      return {};
    return why_;
  }

 protected:
  /// False: `refuse` was told why.
  virtual bool make(record& to) = 0;
  std::string_view field(std::size_t column) const { return fields_[column]; }

  bool refuse(std::string why) {
    why_ = std::move(why);
    return false;
  }

  /// The beginning that trades and quotes share.
  bool begin(record& to, std::string_view opening, std::size_t time, std::size_t symbol) {
    const auto ms = times_.read(field(time));
    if (!ms) return refuse(times_.why());
    if (!good_symbol(field(symbol))) return refuse(no_symbol(field(symbol)));
    to.key = field(symbol);
    to.time_us = *ms * us_per_ms;
    to.payload = opening;
    (to.payload += to.key) += R"(","time":)";
    to.payload += std::to_string(to.time_us);
    return true;
  }
  /// `,"name":"12.5"`; false if the field is no number of 0 or more.
  bool number(record& to, std::string_view name, std::size_t column) {
    const auto value = parse_fixed(field(column));
    if (!value || *value < fixed()) return refuse(no_number(name, field(column)));
    put(to, name, to_string(*value));
    return true;
  }
  /// The same of a sum, which may be above all prices and sizes.
  bool volume(record& to, std::string_view name, std::size_t column) {
    const auto value = parse_wide(field(column));
    if (!value || *value < 0) return refuse(no_volume(name, field(column)));
    put(to, name, to_string(*value));
    return true;
  }

 private:
  static void put(record& to, std::string_view name, std::string_view value) {
    ((to.payload += ",\"") += name) += "\":\"";
    (to.payload += value) += '"';
  }

  std::size_t count_;
  std::vector<std::string_view> fields_;
  ms_column times_{ms_end};
  std::string why_;
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
  bool make(record& to) override {
    if (!begin(to, R"({"type":"trade","symbol":")", time_, symbol_)) return false;
    if (!number(to, "price", price_) || !number(to, "size", size_)) return false;
    to.payload += '}';
    return true;
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
            std::size_t size) {
    return empty(price, size) || (number(to, name, price) && number(to, size_name, size));
  }

  bool make(record& to) override {
    if (!begin(to, R"({"type":"quote","symbol":")", time_, symbol_)) return false;
    if (empty(bid_, bid_size_) && empty(ask_, ask_size_))
      return refuse("bid, bid_size, ask, ask_size: all are empty");
    if (!side(to, "bid", bid_, "bid_size", bid_size_) ||
        !side(to, "ask", ask_, "ask_size", ask_size_))
      return false;
    to.payload += '}';
    return true;
  }
  std::size_t time_, symbol_, bid_, bid_size_, ask_, ask_size_;
};

class daily_parser final : public csv_parser {
 public:
  daily_parser(const columns& h, std::string symbol)
      : csv_parser(h), symbol_(std::move(symbol)), date_(h.index("date")) {
    if (h.has({"symbol"})) symbol_column_ = h.index("symbol");
    for (const auto name : names) values_.push_back(h.index(name));
    volume_ = h.index("volume");
  }

 private:
  static constexpr std::string_view names[] = {"open", "high", "low", "close"};

  bool make(record& to) override {
    const auto day = field(date_).size() == 10 ? parse_time(field(date_)) : std::nullopt;
    if (!day) return refuse(no_date(field(date_)));
    to.key = symbol_column_ ? field(*symbol_column_) : symbol_;
    if (!good_symbol(to.key)) return refuse(no_symbol(to.key));
    to.time_us = *day;
    to.payload = R"({"type":"bar","symbol":")" + to.key + R"(","period":"1d","time":)" +
                 std::to_string(*day);
    for (std::size_t i = 0; i < values_.size(); ++i)
      if (!number(to, names[i], values_[i])) return false;
    if (!volume(to, "volume", volume_)) return false;
    to.payload += '}';
    return true;
  }
  std::string symbol_;
  std::optional<std::size_t> symbol_column_;
  std::size_t date_;
  std::vector<std::size_t> values_;
  std::size_t volume_ = 0;
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
