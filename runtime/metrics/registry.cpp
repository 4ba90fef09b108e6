#include "runtime/metrics/registry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "runtime/base/ensure.hpp"

namespace troupe::metrics {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || c == '_';
}
bool is_word(std::string_view text) {
  return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
  });
}

bool is_good_name(std::string_view name, registry::kind is) {
  const bool reserved =
      name.ends_with("_bucket") || name.ends_with("_count") || name.ends_with("_sum");
  const bool total = name.ends_with("_total");
  return is_word(name) && (name.starts_with("troupe_") || name.starts_with("process_")) &&
         !reserved && total == (is == registry::kind::counter);
}

bool is_good_label(std::string_view name) {
  return is_word(name) && !name.starts_with("__") && name != "le";
}

std::string_view to_text(registry::kind is) {
  constexpr std::array<std::string_view, 3> names{"counter", "gauge", "histogram"};
  return names[static_cast<std::size_t>(is)];
}

void append_number(std::string& out, std::uint64_t v) {
  out += std::to_string(v);
}

void append_number(std::string& out, double v) {
  if (std::isnan(v)) {
    out += "NaN";
  } else if (std::isinf(v)) {
    out += v > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 32> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), v).ptr;
    out.append(text.data(), end);
  }
}

/// Quotes are escaped in label values and not in help texts.
void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (char c : text) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\\')
      out += "\\\\";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out.push_back(c);
  }
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += "=\"";
  append_escaped(out, value, true);
  out += "\",";
}

/// `{a="1",le="0.5"}`; nothing at all when there is no label.
std::string label_text(const labels& l, std::string_view bound = {}) {
  std::string out = "{";
  for (const auto& [name, value] : l) append_label(out, name, value);
  if (!bound.empty()) append_label(out, "le", bound);
  if (out.size() == 1) return {};
  out.back() = '}';
  return out;
}

template <class Number>
void append_sample(std::string& out, std::string_view name, std::string_view suffix,
                   std::string_view label_part, Number value) {
  out.append(name).append(suffix).append(label_part).push_back(' ');
  append_number(out, value);
  out.push_back('\n');
}

std::string bound_text(const histogram& h, std::size_t bucket) {
  std::string text;
  append_number(text, bucket < h.bounds().size() ? h.bounds()[bucket]
                                                 : std::numeric_limits<double>::infinity());
  return text;
}

void append_histogram(std::string& out, std::string_view name, const labels& l,
                      const histogram& h) {
  const auto now = h.read();
  std::uint64_t cumulated = 0;
  for (std::size_t i = 0; i < now.counts.size(); ++i) {
    cumulated += now.counts[i];
    append_sample(out, name, "_bucket", label_text(l, bound_text(h, i)), cumulated);
  }
  append_sample(out, name, "_sum", label_text(l), now.sum);
  append_sample(out, name, "_count", label_text(l), cumulated);
}

double read_or_nan(const registry::reader& read) {
  try {
    return read();
  } catch (...) {
    // One broken reader must not hide every other metric.
    return std::numeric_limits<double>::quiet_NaN();
  }
}

/// Appends the samples of one series, whatever it is.
struct sample_writer {
  std::string& out;
  std::string_view name;
  const labels& own;

  void operator()(const counter& c) const {
    append_sample(out, name, "", label_text(own), c.value());
  }
  void operator()(const gauge& g) const {
    append_sample(out, name, "", label_text(own), g.value());
  }
  void operator()(const histogram& h) const { append_histogram(out, name, own, h); }
  void operator()(const registry::reader& r) const {
    append_sample(out, name, "", label_text(own), read_or_nan(r));
  }
};

void append_heading(std::string& out, std::string_view name, std::string_view help,
                    registry::kind is) {
  out.append("# HELP ").append(name).push_back(' ');
  append_escaped(out, help, false);
  out.append("\n# TYPE ").append(name).append(" ").append(to_text(is)).push_back('\n');
}

/// The instrument of type T under these labels, made when there is none.
template <class T, class Members, class... Args>
T& find_or_make(Members& members, const labels& l, Args&&... args) {
  auto at = members.find(l);
  if (at == members.end()) {
    at = members
             .emplace(std::piecewise_construct, std::forward_as_tuple(l),
                      std::forward_as_tuple(std::in_place_type<T>, std::forward<Args>(args)...))
             .first;
  }
  T* found = std::get_if<T>(&at->second);
  ensure(found != nullptr, "a metric is either counted on or watched");
  return *found;
}

}  // namespace

registry::family& registry::family_of(std::string_view name, std::string_view help, kind is,
                                      const labels& l) {
  ensure(is_good_name(name, is), "metric name keeps to the rules");
  for (const auto& [label, value] : l)
    ensure(is_good_label(label), "label name keeps to the rules");
  auto at = families_.find(name);
  if (at == families_.end())
    at = families_.emplace(name, family{is, std::string(help), {}, {}}).first;
  ensure(at->second.is == is && at->second.help == help, "a metric has one kind and one help");
  return at->second;
}

counter& registry::make_counter(std::string_view name, std::string_view help, const labels& l) {
  const std::lock_guard hold(mutex_);
  return find_or_make<counter>(family_of(name, help, kind::counter, l).members, l);
}

gauge& registry::make_gauge(std::string_view name, std::string_view help, const labels& l) {
  const std::lock_guard hold(mutex_);
  return find_or_make<gauge>(family_of(name, help, kind::gauge, l).members, l);
}

histogram& registry::make_histogram(std::string_view name, std::string_view help,
                                    const std::vector<double>& bounds, const labels& l) {
  const std::lock_guard hold(mutex_);
  family& f = family_of(name, help, kind::histogram, l);
  if (f.members.empty()) f.bounds = bounds;
  ensure(f.bounds == bounds, "a histogram's bounds never change");
  return find_or_make<histogram>(f.members, l, bounds);
}

registry::subscription registry::watch_gauge(std::string_view name, std::string_view help,
                                             const labels& l, reader read) {
  return watch(name, help, kind::gauge, l, std::move(read));
}

registry::subscription registry::watch_counter(std::string_view name, std::string_view help,
                                               const labels& l, reader read) {
  return watch(name, help, kind::counter, l, std::move(read));
}

registry::subscription registry::watch(std::string_view name, std::string_view help, kind is,
                                       const labels& l, reader read) {
  const std::lock_guard hold(mutex_);
  family& f = family_of(name, help, is, l);
  ensure(!f.members.contains(l), "a watched metric has one reader");
  find_or_make<reader>(f.members, l, std::move(read));
  return subscription(*this, name, l);
}

void registry::forget(const std::string& name, const labels& l) {
  const std::lock_guard hold(mutex_);
  families_.find(name)->second.members.erase(l);
}

std::string registry::expose() const {
  const std::lock_guard hold(mutex_);
  std::string out;
  for (const auto& [name, f] : families_) {
    if (f.members.empty()) continue;
    append_heading(out, name, f.help, f.is);
    for (const auto& [l, s] : f.members) std::visit(sample_writer{out, name, l}, s);
  }
  return out;
}

}  // namespace troupe::metrics
