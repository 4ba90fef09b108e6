#include <doctest/doctest.h>

#include <random>

#include "runtime/entity/feed_follower.hpp"
#include "runtime/entity/feed_source.hpp"
#include "runtime/entity/feed_wire.hpp"
#include "tests/runtime/entity/tally.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

const std::vector<ingress_def> topics{numbers_topic()};

/// Records `a|1`, `b|2`, `a|3` ... from offset 10 on, and what the decoder makes of tally `a`.
struct batch_of_numbers {
  std::vector<std::string> texts;
  std::shared_ptr<record_batch> raw = std::make_shared<record_batch>();
  event_batch_ptr a;

  explicit batch_of_numbers(int count, std::size_t padding = 0) {
    for (int i = 0; i < count; ++i)
      texts.push_back(std::string(padding, '0') + std::to_string(i + 1));
    for (int i = 0; i < count; ++i)
      raw->records.push_back(
          {i % 2 == 0 ? "a" : "b", texts[static_cast<std::size_t>(i)], 10 + i, 7});
    feed_decoder decoder(topics);
    for (auto& found : decoder.decode(0, raw->records))
      if (found.key == "a") a = found.events;
  }
};

feed_packet packet_of(const batch_of_numbers& b) {
  const entity_id id{"tally", "a"};
  return {shard_id(3),
          {epoch(5), 6},
          7,
          true,
          false,
          {{id, position(4), position(13), b.a, b.raw},
           {id, position(13), position(20), b.a, b.raw},
           {{"tally", "silent"}, position(1), position(2), nullptr, nullptr}}};
}

}  // namespace

TEST_CASE("a packet is what it was on the other side") {
  const batch_of_numbers b(8);
  const auto sent = packet_of(b);
  feed_decoder decoder(topics);
  const auto got = decode_packet(encode(sent), decoder, topics);
  REQUIRE(got);
  CHECK(got->source == sent.source);
  CHECK(got->lane == sent.lane);
  CHECK(got->number == 7);
  CHECK(got->acknowledge);
  CHECK(!got->cut);
  REQUIRE(got->pieces.size() == 3);
  const auto& first = got->pieces[0];
  CHECK(first.of == entity_id{"tally", "a"});
  CHECK(first.from == position(4));
  CHECK(first.next == position(13));
  REQUIRE(first.events->size() == 2);
  CHECK(first.events->at(1) == position(12));
  CHECK(number_at(*first.events, 1) == 3);
  CHECK(got->pieces[1].events->size() == 2);
  CHECK(got->pieces[1].events->at(0) == position(14));
  CHECK(got->pieces[2].events == nullptr);
}

TEST_CASE("a wish is what it was on the other side") {
  const feed_request wish{shard_id(2), {epoch(9), 1}, 0, {{{"tally", "a"}, {"tally", ""}}}};
  const auto got = decode_request(encode(wish));
  REQUIRE(got);
  CHECK(got->from == wish.from);
  CHECK(got->lane == wish.lane);
  CHECK(*got->wanted == *wish.wanted);
  const auto sign = decode_request(encode(feed_request{shard_id(2), {epoch(9), 1}, 44, {}}));
  REQUIRE(sign);
  CHECK(sign->acknowledged == 44);
  CHECK(!sign->wanted);
}

TEST_CASE("damaged bytes are refused or decoded, never a crash; shortened ones are refused") {
  const batch_of_numbers b(8);
  const auto packet = encode(packet_of(b));
  const auto wish =
      encode(feed_request{shard_id(2), {epoch(9), 1}, 0, {{{"tally", "a"}, {"tally", "b"}}}});
  feed_decoder decoder(topics);
  for (std::size_t n = 0; n < packet.size(); ++n)
    CHECK(!decode_packet(std::string_view(packet).substr(0, n), decoder, topics));
  for (std::size_t n = 0; n < wish.size(); ++n)
    CHECK(!decode_request(std::string_view(wish).substr(0, n)));
  CHECK(!decode_packet(packet + 'x', decoder, topics));
  auto other_version = packet;
  other_version[0] = 2;
  CHECK(!decode_packet(other_version, decoder, topics));
  std::mt19937_64 random(1);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto damaged = i % 2 == 0 ? packet : wish;
    for (auto n = 1 + random() % 4; n > 0; --n)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    refused += i % 2 == 0 ? !decode_packet(damaged, decoder, topics) : !decode_request(damaged);
  }
  CHECK(refused > 0);
}

TEST_CASE("what is too much for one packet goes in several, that join") {
  const feed_limits limits{.window_bytes = 64U << 20};
  feed_source source(shard_id(0), limits);
  source.on_request({shard_id(1), {epoch(1), 1}, 0, {{{"tally", "a"}}}},
                    [](std::string_view) { return std::optional(position(10)); });
  const batch_of_numbers b(400, 10'000);
  source.took("tally", "a", b.a, b.raw, position(410));
  feed_decoder decoder(topics);
  position next(10);
  std::uint64_t packets = 0;
  source.flush([&](shard_id, const feed_packet& p) {
    CHECK(p.number == ++packets);
    const auto bytes = encode(p);
    CHECK(bytes.size() < (1U << 20));
    const auto got = decode_packet(bytes, decoder, topics);
    REQUIRE(got);
    for (const auto& piece : got->pieces) {
      CHECK(piece.from == next);
      next = piece.next;
    }
  });
  CHECK(next == position(410));
  CHECK(packets >= 3);
}

TEST_CASE("a follower that acknowledges nothing is cut off and told so") {
  const feed_limits limits{.window_bytes = 50'000};
  feed_source source(shard_id(0), limits);
  source.on_request({shard_id(1), {epoch(1), 1}, 0, {{{"tally", "a"}}}},
                    [](std::string_view) { return std::optional(position(10)); });
  const batch_of_numbers b(20, 1'000);
  bool cut = false;
  std::size_t sent = 0;
  for (int i = 0; i < 20; ++i) {
    source.took("tally", "a", b.a, b.raw, position(30));
    source.flush([&](shard_id, const feed_packet& p) {
      cut = cut || p.cut;
      sent += encode(p).size();
    });
  }
  CHECK(cut);
  CHECK(sent < 100'000);
  CHECK(!source.followed());
  CHECK(source.cuts() == 1);
}

namespace {

struct notebook final : feed_port {
  void ask_source(shard_id, feed_request what) override { asked.push_back(std::move(what)); }
  void read_history(shard_id, const std::string&, position from,
                    std::vector<std::string>) override {
    read.push_back(from);
  }
  std::vector<feed_request> asked;
  std::vector<position> read;
};

}  // namespace

TEST_CASE("a follower asks again at once when it was cut off or misses a packet, and else not") {
  const feed_limits limits;
  notebook notes;
  feed_follower follower(shard_id(1), limits, notes, [](const entity_id&) { return shard_id(0); });
  const auto now = from_micros(1'000'000);
  const entity_id id{"tally", "a"};
  follower.begin(epoch(4));
  follower.set(slot_id(0), {{id, position(10)}});
  follower.flush(now);
  REQUIRE(notes.asked.size() == 1);
  const auto hear = [&](std::uint64_t number, position from, position next, bool cut = false) {
    const auto& lane = notes.asked.back().lane;
    feed_packet p{shard_id(0), lane, number, false, cut, {}};
    if (!cut) p.pieces.push_back({id, from, next, nullptr, nullptr});
    follower.on_packet(p, now);
    CHECK(!follower.next());
    follower.flush(now);
  };
  hear(1, position(10), position(10));
  hear(2, position(10), position(15));
  CHECK(notes.asked.size() == 1);
  CHECK(notes.read.empty());
  hear(4, position(20), position(25));
  CHECK(notes.asked.size() == 2);
  CHECK(notes.read == std::vector{position(15)});
  hear(1, position(25), position(25));
  CHECK(notes.asked.size() == 2);
  hear(2, {}, {}, true);
  CHECK(notes.asked.size() == 3);
}
