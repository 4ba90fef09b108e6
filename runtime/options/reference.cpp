#include "runtime/options/reference.hpp"

namespace troupe {
namespace {

constexpr std::size_t columns = 100;

/// Breaks a text into lines of at most `columns`, each behind `prefix`.
std::string wrapped(const std::string& text, const std::string& prefix) {
  std::string out, line = prefix;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(' ', at), text.size());
    const auto word = text.substr(at, end - at);
    if (line.size() + 1 + word.size() > columns && line != prefix) {
      out += line + '\n';
      line = prefix;
    }
    line += (line == prefix ? "" : " ") + word;
    at = end + 1;
  }
  return out + line;
}

class printer final : public section {
 public:
  explicit printer(std::string indent) : indent_(std::move(indent)) {}

  void option(option_def def) override {
    const auto label = def.required ? " Required: " : " Allowed: ";
    begin(def.text + label + def.allowed + '.');
    auto line = indent_ + '"' + def.name + "\": " + def.value.dump();
    if (line.size() < columns || !def.value.is_array()) {
      out += line;
      return;
    }
    auto elements = def.value.dump(0);  // One element a line; wrapped() fills the lines.
    std::ranges::replace(elements, '\n', ' ');
    out += indent_ + '"' + def.name + "\": [\n" +
           wrapped(elements.substr(2, elements.size() - 4), indent_ + "  ") + '\n' + indent_ + ']';
  }

  void group(const std::string& name, const std::string& text,
             const std::function<void(section&)>& inside) override {
    begin(text);
    printer inner(indent_ + "  ");
    inside(inner);
    out += indent_ + '"' + name + "\": {\n" + inner.out + '\n' + indent_ + '}';
  }

  void rule(bool holds, const std::string& name, const std::vector<std::string>&,
            const std::string&) override {
    ensure(holds, name.c_str());  // Defaults must be allowed.
  }

  std::string out;

 private:
  void begin(const std::string& comment) {
    if (!out.empty()) out += ",\n";
    out += wrapped(comment, indent_ + "// ") + '\n';
  }

  const std::string indent_;
};

}  // namespace

std::string print_section(const std::function<void(section&)>& describe, std::size_t indent) {
  printer all(std::string(indent + 2, ' '));
  describe(all);
  return "{\n" + all.out + '\n' + std::string(indent, ' ') + '}';
}

}  // namespace troupe
