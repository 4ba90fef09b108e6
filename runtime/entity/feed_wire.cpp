#include "runtime/entity/feed_wire.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace troupe {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t acknowledge_bit = 1, cut_bit = 2;

class writer {
 public:
  explicit writer(std::string& to) : to_(to) { number(version); }
  template <class T>
  void number(T value) {
    auto rest = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i, rest = static_cast<decltype(rest)>(rest >> 4 >> 4))
      to_.push_back(static_cast<char>(rest & 0xff));
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    to_.append(value);
  }
  void lane(shard_id shard, const feed_lane& l) {
    number(shard.value());
    number(l.era.value());
    number(l.number);
  }
  void id(const entity_id& of) {
    text(of.kind);
    text(of.key);
  }

 private:
  std::string& to_;
};

/// Reads what `writer` wrote; at the first thing that is not there it fails, and stays failed.
class reader {
 public:
  explicit reader(std::string_view from) : from_(from) {
    good_ = number<std::uint8_t>() == version;
  }
  bool good() const { return good_; }
  bool at_end() const { return from_.empty(); }
  template <class T>
  T number() {
    std::make_unsigned_t<T> value = 0;
    const auto bytes = take(sizeof(T));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      value = static_cast<decltype(value)>(
          value | static_cast<decltype(value)>(static_cast<unsigned char>(bytes[i])) << 8 * i);
    return static_cast<T>(value);
  }
  std::string_view text() { return take(number<std::uint32_t>()); }
  /// A count of things that need at least `each` bytes.
  std::size_t count(std::size_t each) {
    const auto n = number<std::uint32_t>();
    if (n > from_.size() / each) good_ = false;
    return good_ ? n : 0;
  }
  void lane(shard_id& shard, feed_lane& l) {
    shard = shard_id(number<std::uint32_t>());
    l.era = epoch(number<std::int64_t>());
    l.number = number<std::uint64_t>();
  }
  entity_id id() {
    auto kind = std::string(text());
    return {std::move(kind), std::string(text())};
  }
  position place() { return position(number<std::int64_t>()); }

 private:
  std::string_view take(std::size_t n) {
    if (!good_ || n > from_.size()) {
      good_ = false;
      return {};
    }
    const auto taken = from_.substr(0, n);
    from_.remove_prefix(n);
    return taken;
  }
  std::string_view from_;
  bool good_ = true;
};

/// The records of this piece's events, in order.
std::vector<const record_view*> records_of(const feed_piece& p) {
  std::vector<const record_view*> found;
  if (!p.events || !p.raw) return found;
  auto record = p.raw->records.begin();
  for (auto i = first_event(*p.events, p.from); i < p.events->size(); ++i) {
    const auto at = p.events->at(i);
    if (at >= p.next) break;
    record = std::find_if(record, p.raw->records.end(),
                          [&](const record_view& r) { return r.offset >= at.value(); });
    if (record != p.raw->records.end() && record->offset == at.value()) found.push_back(&*record);
  }
  return found;
}

void write(writer& to, const feed_piece& p) {
  to.id(p.of);
  to.number(p.from.value());
  to.number(p.next.value());
  const auto records = records_of(p);
  to.number(static_cast<std::uint32_t>(records.size()));
  for (const auto* r : records) {
    to.number(r->offset);
    to.number(r->timestamp_ms);
    to.text(r->payload);
  }
}

feed_piece read_piece(reader& from, feed_decoder& decoder, const std::vector<ingress_def>& topics) {
  constexpr std::size_t record_bytes_min = 20;
  feed_piece p;
  p.of = from.id();
  p.from = from.place();
  p.next = from.place();
  std::vector<record_view> records(from.count(record_bytes_min));
  for (auto& r : records) {
    r.key = p.of.key;
    r.offset = from.number<std::int64_t>();
    r.timestamp_ms = from.number<std::int64_t>();
    r.payload = from.text();
  }
  const auto topic = feed_decoder::topic_of(topics, p.of.kind);
  if (!from.good() || !topic) return p;
  for (auto& found : decoder.decode(*topic, records)) p.events = std::move(found.events);
  return p;
}

}  // namespace

std::string encode(const feed_packet& p) {
  std::string text;
  writer to(text);
  to.lane(p.source, p.lane);
  to.number(p.number);
  to.number(
      static_cast<std::uint8_t>((p.acknowledge ? acknowledge_bit : 0) | (p.cut ? cut_bit : 0)));
  to.number(static_cast<std::uint32_t>(p.pieces.size()));
  for (const auto& piece : p.pieces) write(to, piece);
  return text;
}

std::string encode(const feed_request& r) {
  std::string text;
  writer to(text);
  to.lane(r.from, r.lane);
  to.number(r.acknowledged);
  to.number(static_cast<std::uint8_t>(r.wanted.has_value()));
  if (!r.wanted) return text;
  to.number(static_cast<std::uint32_t>(r.wanted->size()));
  for (const auto& id : *r.wanted) to.id(id);
  return text;
}

std::optional<feed_packet> decode_packet(std::string_view text, feed_decoder& decoder,
                                         const std::vector<ingress_def>& topics) {
  constexpr std::size_t piece_bytes_min = 28;
  reader from(text);
  feed_packet p;
  from.lane(p.source, p.lane);
  p.number = from.number<std::uint64_t>();
  const auto flags = from.number<std::uint8_t>();
  p.acknowledge = (flags & acknowledge_bit) != 0;
  p.cut = (flags & cut_bit) != 0;
  for (auto n = from.count(piece_bytes_min); n > 0 && from.good(); --n)
    p.pieces.push_back(read_piece(from, decoder, topics));
  if (!from.good() || !from.at_end()) return std::nullopt;
  return p;
}

std::optional<feed_request> decode_request(std::string_view text) {
  constexpr std::size_t id_bytes_min = 8;
  reader from(text);
  feed_request r;
  from.lane(r.from, r.lane);
  r.acknowledged = from.number<std::uint64_t>();
  if (from.number<std::uint8_t>() != 0) {
    r.wanted.emplace();
    for (auto n = from.count(id_bytes_min); n > 0 && from.good(); --n)
      r.wanted->push_back(from.id());
  }
  if (!from.good() || !from.at_end()) return std::nullopt;
  return r;
}

}  // namespace troupe
