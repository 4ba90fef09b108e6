#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/entity/feed.hpp"
#include "runtime/entity/feed_decoder.hpp"

// Feeds between nodes: the log's own records, as bytes; the other side decodes them as the entity
// itself does. Numbers are little-endian; the first byte is the version.
namespace troupe {

/// The records are found in the pieces' `raw`.
std::string encode(const feed_packet& p);
std::string encode(const feed_request& r);

/// Nothing if the text is not of this form.
std::optional<feed_packet> decode_packet(std::string_view text, feed_decoder& decoder,
                                         const std::vector<ingress_def>& topics);
std::optional<feed_request> decode_request(std::string_view text);

}  // namespace troupe
