#include "exposition.hpp"

#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

namespace {

constexpr std::string_view name_start = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:";
constexpr std::string_view name_rest =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789";

/// Eats one line from left to right.
class cursor {
 public:
  explicit cursor(std::string_view line) : line_(line), rest_(line) {}

  [[noreturn]] void fail(const std::string& rule) const {
    throw std::runtime_error(rule + " in line: " + std::string(line_));
  }
  void require(bool holds, const std::string& rule) const {
    if (!holds) fail(rule);
  }
  bool at(char c) const { return !rest_.empty() && rest_.front() == c; }
  bool done() const { return rest_.empty(); }
  char take() {
    require(!rest_.empty(), "unexpected end");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  void expect(char c) { require(take() == c, std::string("expected ") + c); }
  std::string name() {
    require(!rest_.empty() && name_start.find(rest_.front()) != name_start.npos, "bad name");
    const auto end = std::min(rest_.find_first_not_of(name_rest), rest_.size());
    std::string found(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return found;
  }
  /// Up to the end of the line, or the closing quote when `quoted`.
  std::string escaped(bool quoted) {
    std::string out;
    while (quoted ? !at('"') : !done()) {
      char c = take();
      if (c == '\\') {
        c = take();
        if (c == 'n')
          c = '\n';
        else
          require(c == '\\' || (quoted && c == '"'), "bad escape");
      }
      out.push_back(c);
    }
    return out;
  }
  double number() {
    const std::string text(rest_);
    rest_ = {};
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (text == "+Inf") return std::numeric_limits<double>::infinity();
    if (text == "-Inf") return -std::numeric_limits<double>::infinity();
    require(!text.empty() && text.find_first_not_of("0123456789+-.eE") == text.npos, "bad number");
    std::size_t used = 0;
    const double value = std::stod(text, &used);
    require(used == text.size(), "bad number");
    return value;
  }

 private:
  std::string_view line_, rest_;
};

exposition::sample parse_sample(cursor& c) {
  exposition::sample s{c.name(), {}, 0};
  if (c.at('{')) {
    do {
      c.take();
      const std::string label = c.name();
      c.expect('=');
      c.expect('"');
      c.require(s.labels.emplace(label, c.escaped(true)).second, "label given twice");
      c.expect('"');
    } while (c.at(','));
    c.expect('}');
  }
  c.expect(' ');
  s.value = c.number();
  return s;
}

/// Checks one histogram series: cumulated buckets, a last one without bound that equals the count,
/// one sum.
class histogram_check {
 public:
  void add(const cursor& c, const std::string& suffix, const exposition::sample& s) {
    if (suffix == "_bucket")
      add_bucket(c, s);
    else if (suffix == "_sum")
      c.require(!std::exchange(sum_, true), "two sums");
    else
      finish(c, s);
  }
  bool complete() const { return sum_ && counted_; }

 private:
  void add_bucket(const cursor& c, const exposition::sample& s) {
    const auto le = s.labels.find("le");
    c.require(le != s.labels.end(), "bucket without le");
    const double bound = cursor(le->second).number();
    c.require(!bound_ || bound > *bound_, "buckets not ascending");
    c.require(s.value >= count_, "buckets not cumulated");
    bound_ = bound;
    count_ = s.value;
  }
  void finish(const cursor& c, const exposition::sample& s) {
    c.require(bound_ && std::isinf(*bound_), "no +Inf bucket");
    c.require(s.value == count_, "count is not the +Inf bucket");
    c.require(!std::exchange(counted_, true), "two counts");
  }

  std::optional<double> bound_;
  double count_ = 0;
  bool sum_ = false, counted_ = false;
};

class parser {
 public:
  exposition run(std::string_view text) {
    if (!text.empty() && text.back() != '\n') throw std::runtime_error("last line has no end");
    for (std::size_t end; !text.empty(); text.remove_prefix(end + 1)) {
      end = text.find('\n');
      cursor c(text.substr(0, end));
      c.at('#') ? heading(c) : sample(c);
    }
    close_family();
    return std::move(result_);
  }

 private:
  void heading(cursor& c) {
    for (char expected : {'#', ' '}) c.expect(expected);
    const std::string word = c.name();
    c.expect(' ');
    const std::string name = c.name();
    c.expect(' ');
    if (word == "HELP") {
      close_family();
      c.require(result_.families.emplace(name, exposition::family{c.escaped(false), {}, {}}).second,
                "family in two blocks");
      current_ = name;
    } else {
      c.require(word == "TYPE" && name == current_, "TYPE does not follow its HELP");
      auto& type = result_.families[name].type;
      c.require(type.empty(), "two TYPEs");
      type = c.name();
      c.require(type == "counter" || type == "gauge" || type == "histogram", "unknown type");
      c.require(c.done(), "text after the type");
    }
  }

  void sample(cursor& c) {
    auto s = parse_sample(c);
    c.require(!current_.empty(), "sample before HELP");
    auto& f = result_.families[current_];
    c.require(!f.type.empty(), "sample before TYPE");
    c.require(seen_.emplace(s.name, s.labels).second, "series given twice");
    if (f.type == "histogram")
      histogram_sample(c, s);
    else
      c.require(s.name == current_ && !s.labels.contains("le"), "sample of another family");
    f.samples.push_back(std::move(s));
  }

  void histogram_sample(const cursor& c, const exposition::sample& s) {
    c.require(s.name.starts_with(current_), "sample of another family");
    const std::string suffix = s.name.substr(current_.size());
    c.require(suffix == "_bucket" || suffix == "_sum" || suffix == "_count", "bad suffix");
    auto own = s.labels;
    own.erase("le");
    histograms_[own].add(c, suffix, s);
  }

  void close_family() {
    for (const auto& [labels, check] : histograms_)
      if (!check.complete()) throw std::runtime_error("histogram lacks sum or count: " + current_);
    histograms_.clear();
    if (!current_.empty() && result_.families[current_].samples.empty())
      throw std::runtime_error("family without samples: " + current_);
  }

  exposition result_;
  std::string current_;
  std::set<std::pair<std::string, std::map<std::string, std::string>>> seen_;
  std::map<std::map<std::string, std::string>, histogram_check> histograms_;
};

}  // namespace

double exposition::value(const std::string& name,
                         const std::map<std::string, std::string>& labels) const {
  for (const auto& [family_name, f] : families)
    for (const auto& s : f.samples)
      if (s.name == name && s.labels == labels) return s.value;
  throw std::out_of_range("no series " + name);
}

exposition parse_exposition(std::string_view text) {
  return parser().run(text);
}
