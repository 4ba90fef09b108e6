#include "runtime/codec/json.hpp"

namespace troupe {

namespace {

class plain_builder final : public json_builder {
 public:
  using json_builder::json_builder;
  bool deep = false;

 private:
  void too_deep() override { deep = true; }
};

}  // namespace

parsed_json parse_json(std::string_view text, json_limits limits) {
  if (text.size() > limits.bytes_max)
    return {{}, "is longer than " + std::to_string(limits.bytes_max) + " bytes"};
  plain_builder build(limits.depth_max);
  constexpr bool strict = true;
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &build,
                                nlohmann::json::input_format_t::json, strict, limits.comments))
    return {std::move(build.result), {}};
  if (build.deep)
    return {{}, "is nested deeper than " + std::to_string(limits.depth_max) + " levels"};
  return {{}, "is not JSON"};
}

parsed_json parse_json_object(std::string_view text, json_limits limits) {
  auto parsed = parse_json(text, limits);
  if (parsed.ok() && !parsed.value.is_object()) return {{}, "is not a JSON object"};
  return parsed;
}

}  // namespace troupe
