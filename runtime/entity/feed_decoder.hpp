#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/entity/ingress.hpp"

namespace troupe {

/// Decodes records of log-fed kinds for those who follow, as the entities themselves get them. One
/// thread at a time.
class feed_decoder {
 public:
  explicit feed_decoder(const std::vector<ingress_def>& topics) : topics_(topics) {}

  /// Events by key; what cannot be decoded is left out, as it is for the entity.
  std::vector<history_chunk::of_key> decode(std::uint32_t topic,
                                            std::span<const record_view> records);
  /// The ingress topic that feeds this kind; nothing if there is none.
  static std::optional<std::uint32_t> topic_of(const std::vector<ingress_def>& topics,
                                               std::string_view kind);

 private:
  const std::vector<ingress_def>& topics_;
  std::vector<std::unique_ptr<decoder>> decoders_;  // By topic, made when first needed.
};

}  // namespace troupe
