#include "actors/trading/fills_decoder.hpp"

#include "actors/trading/names.hpp"
#include "actors/trading/paper_venue.hpp"
#include "actors/trading/risk_entity.hpp"
#include "runtime/codec/json.hpp"

namespace troupe::trading {

namespace {

using nlohmann::json;

class fills_decoder final : public decoder {
 public:
  void decode(std::span<const record_view> records, decoder_sink& sink) override {
    for (const auto& record : records) decode_one(record, sink);
  }

 private:
  static void decode_one(const record_view& record, decoder_sink& sink) {
    auto [said, no_json] = parse_json_object(record.payload);
    if (!no_json.empty()) return sink.refuse(record, "malformed_json", no_json);
    faults wrong;
    const auto report = parse<order_report>(said, wrong);
    if (!report) return sink.refuse(record, "malformed_report", to_string(wrong));
    if (portfolio_of(report->order) != record.key)
      return sink.refuse(record, "wrong_key", "the record's key must be the order's portfolio");
    if (!is_trading_name(record.key))
      return sink.refuse(record, "bad_name",
                         "the name of a portfolio must be " + std::string(trading_names_text));
    sink.deliver(record, {std::string(portfolio_kind), std::string(record.key)},
                 {"order_reports", {{"reports", json::array({std::move(said)})}}}, "");
  }
};

}  // namespace

std::unique_ptr<decoder> make_fills_decoder() {
  return std::make_unique<fills_decoder>();
}

}  // namespace troupe::trading
