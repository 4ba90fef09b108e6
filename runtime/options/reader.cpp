#include "runtime/options/reader.hpp"

#include <algorithm>

#include "runtime/options/nearest.hpp"

namespace troupe {
namespace {

using nlohmann::json;

/// Where an option with this name stands, if it is not here.
std::string elsewhere(const std::string& key, const known_options& known) {
  for (const auto& [path, remark] : known)
    if (path == key || path.ends_with('.' + key)) return remark;
  return {};
}

/// Replaces the variables in all texts of a value. Returns what is wrong, element by element.
faults expand_all(json& value, const json::json_pointer& at, const environment& env) {
  if (value.is_string()) {
    auto result = expand(value.get_ref<const std::string&>(), env);
    if (!result.wrong.empty()) return {{at, result.wrong}};
    value = std::move(result.text);
    return {};
  }
  faults found;
  if (!value.is_structured()) return found;
  for (const auto& [key, element] : value.items()) {
    const auto inner = expand_all(element, value.is_array() ? at / std::stoul(key) : at / key, env);
    found.insert(found.end(), inner.begin(), inner.end());
  }
  return found;
}

/// `lease.ttl_ms`, `log.components.store`, `market.periods[2]`.
std::string element_path(const std::string& path, const json& value, const json::json_pointer& at) {
  if (at.empty()) return path;
  const auto outer = at.parent_pointer();
  const auto before = element_path(path, value, outer);
  if (value.at(outer).is_array()) return before + '[' + at.back() + ']';
  return before + '.' + shown_key(at.back());
}

class reader final : public section {
 public:
  reader(const json& object, std::string path, const reading& how)
      : object_(object), path_(std::move(path)), how_(how) {}

  void option(option_def def) override {
    names_.insert(def.name);
    const auto written = object_.find(def.name);
    if (written == object_.end()) {
      values_[def.name] = shown(def.value) + " (the default)";
      if (def.required) refuse(def.name, "", "is missing: " + def.allowed);
      return;
    }
    values_[def.name] = printable(*written, def);
    auto value = *written;
    auto found = expand_all(value, json::json_pointer(), how_.env);
    if (found.empty()) found = def.take(value);
    for (const auto& f : found) {
      failed_.insert(def.name);
      how_.found.push_back({how_.file, element_path(path_ + def.name, value, f.at),
                            written->contains(f.at) ? printable(written->at(f.at), def) : "",
                            f.allowed});
    }
  }

  std::string file() const override { return how_.file; }

  void group(const std::string& name, const std::string&,
             const std::function<void(section&)>& inside) override {
    names_.insert(name);
    static const json nothing = json::object();
    const auto written = object_.find(name);
    const bool usable = written != object_.end() && written->is_object();
    // What stands instead of an object is not printed: a dsn with its password might.
    if (written != object_.end() && !usable)
      refuse(name, "", std::string("must be an object { ... }, not a ") + written->type_name());
    reader inner(usable ? *written : nothing, path_ + name + '.', how_);
    inside(inner);
    inner.refuse_unknown();
  }

  void rule(bool holds, const std::string& name, const std::vector<std::string>& with,
            const std::string& allowed) override {
    const auto unread = [this](const std::string& n) { return failed_.contains(n); };
    if (holds || unread(name) || std::ranges::any_of(with, unread)) return;
    how_.found.push_back({how_.file, path_ + name, values_[name], allowed});
  }

  /// Their values are not printed: who misspells `dsn` should not find his password in a log.
  void refuse_unknown() {
    for (const auto& [key, value] : object_.items()) {
      if (names_.contains(key)) continue;
      const auto near = nearest(key, names_);
      const auto other = near.empty() ? elsewhere(key, how_.known) : near;
      how_.found.push_back(
          {how_.file, path_ + shown_key(key), "",
           "unknown option" + (other.empty() ? "" : "; did you mean " + other + "?")});
    }
  }

 private:
  void refuse(const std::string& name, const std::string& value, const std::string& allowed) {
    failed_.insert(name);
    how_.found.push_back({how_.file, path_ + name, value, allowed});
  }

  static std::string printable(const json& written, const option_def& def) {
    if (!def.masked || written.is_structured()) return shown(written);
    return written.is_string() ? shown(def.masked(written.get_ref<const std::string&>())) : "***";
  }

  const json& object_;
  const std::string path_;  // Ends in a dot unless it is empty.
  const reading& how_;
  std::set<std::string> names_;                // Described so far.
  std::set<std::string> failed_;               // Those that could not be read.
  std::map<std::string, std::string> values_;  // As they are shown.
};

class collector final : public section {
 public:
  collector(std::string path, const std::string& remark, known_options& known)
      : path_(std::move(path)), remark_(remark), known_(known) {}

  void option(option_def def) override { add(def.name); }
  void group(const std::string& name, const std::string&,
             const std::function<void(section&)>& inside) override {
    add(name);
    collector inner(path_ + name + '.', remark_, known_);
    inside(inner);
  }
  void rule(bool, const std::string&, const std::vector<std::string>&,
            const std::string&) override {}

 private:
  void add(const std::string& name) { known_[path_ + name] = path_ + name + remark_; }

  const std::string path_;
  const std::string& remark_;
  known_options& known_;
};

}  // namespace

void collect_paths(const std::function<void(section&)>& describe, const std::string& remark,
                   known_options& known) {
  collector all("", remark, known);
  describe(all);
}

void read_section(const json& object, const reading& how,
                  const std::function<void(section&)>& describe) {
  reader top(object, "", how);
  describe(top);
  top.refuse_unknown();
}

}  // namespace troupe
