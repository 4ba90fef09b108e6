#include "runtime/entity/command_decoder.hpp"

#include "runtime/codec/json.hpp"
#include "runtime/codec/text.hpp"

namespace troupe {

namespace {

class command_decoder final : public decoder {
 public:
  void decode(std::span<const record_view> records, decoder_sink& sink) override {
    for (const auto& record : records) decode_one(record, sink);
  }

 private:
  static void decode_one(const record_view& record, decoder_sink& sink) {
    const auto [json, wrong] = parse_json_object(record.payload);
    if (!wrong.empty()) return sink.refuse(record, "malformed_json", wrong);
    for (const auto* name : {"to", "type"}) {
      if (!json.contains(name)) return sink.refuse(record, "missing_field", name);
      if (!json[name].is_string()) return sink.refuse(record, "bad_field", name);
    }
    auto to = parse_entity_id(json["to"].get_ref<const std::string&>());
    if (!is_name(to.kind) || !is_name(to.key))
      return sink.refuse(
          record, "bad_field",
          "to: must be kind/key, each 1 to 256 bytes of UTF-8 without control characters");
    if (to.key != record.key)
      return sink.refuse(record, "wrong_key", "the record's key must be the entity's key");
    const auto id = json.value("id", nlohmann::json(""));
    if (!id.is_string() ||
        (!id.get_ref<const std::string&>().empty() && !is_name(id.get_ref<const std::string&>())))
      return sink.refuse(record, "bad_field",
                         "id: must be 1 to 256 bytes of UTF-8 without control characters");
    message what{json["type"], json.value("body", nlohmann::json::object())};
    sink.deliver(record, std::move(to), std::move(what), id.get<std::string>());
  }
};

}  // namespace

std::unique_ptr<decoder> make_command_decoder() {
  return std::make_unique<command_decoder>();
}

}  // namespace troupe
