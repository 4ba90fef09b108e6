#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

/// MurmurHash2 with the seed of Kafka's Java client: the hash behind its default partitioner.
constexpr std::uint32_t murmur2(std::string_view data) {
  constexpr std::uint32_t seed = 0x9747b28c, mix = 0x5bd1e995;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(data[i]));
  };
  std::uint32_t hash = seed ^ static_cast<std::uint32_t>(data.size());
  std::size_t at = 0;
  for (; at + 4 <= data.size(); at += 4) {
    std::uint32_t word = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
    word *= mix;
    word = (word ^ (word >> 24)) * mix;
    hash = (hash * mix) ^ word;
  }
  const auto rest = data.size() - at;
  if (rest == 3) hash ^= byte(at + 2) << 16;
  if (rest >= 2) hash ^= byte(at + 1) << 8;
  if (rest >= 1) hash = (hash ^ byte(at)) * mix;
  hash = (hash ^ (hash >> 13)) * mix;
  return hash ^ (hash >> 15);
}

/// The partition that Kafka's default partitioner gives a record with this key. Requires:
/// `partitions` > 0.
constexpr std::uint32_t partition_of(std::string_view key, std::uint32_t partitions) {
  return (murmur2(key) & 0x7fffffffU) % partitions;
}

}  // namespace troupe
