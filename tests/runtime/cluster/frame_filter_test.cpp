#include "runtime/cluster/frame_filter.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <vector>

namespace troupe::cluster {

namespace {

std::string frame(std::uint8_t operation, std::uint32_t claims, const std::string& payload = {},
                  std::uint64_t to = 0, std::uint8_t flags = 0) {
  std::string bytes(frame_filter::header_size, '\0');
  bytes[0] = static_cast<char>(operation);
  bytes[3] = static_cast<char>(flags);
  for (int i = 0; i < 4; ++i)
    bytes[static_cast<std::size_t>(4 + i)] = static_cast<char>(claims >> (24 - 8 * i));
  for (int i = 0; i < 8; ++i)
    bytes[static_cast<std::size_t>(24 + i)] = static_cast<char>(to >> (56 - 8 * i));
  return bytes + payload;
}
std::string whole(std::uint8_t operation, const std::string& payload, std::uint64_t to = 0,
                  std::uint8_t flags = 0) {
  return frame(operation, static_cast<std::uint32_t>(payload.size()), payload, to, flags);
}
std::string greeting() {
  return whole(1, "who I am");
}

struct outcome {
  std::string passed;
  std::string refusal;
  std::string left_out;
};

/// The stream in pieces of at most `piece` bytes.
outcome run(frame_rules rules, const std::string& bytes, std::size_t piece) {
  frame_filter filter(std::move(rules));
  outcome out;
  std::string waiting;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    waiting += bytes.substr(at, piece);
    for (;;) {
      const auto v = filter.judge(waiting);
      out.passed += waiting.substr(0, v.pass);
      waiting.erase(0, v.pass + v.drop);
      if (auto why = filter.left_out(); !why.empty()) out.left_out = why;
      if (v.pass + v.drop == 0) break;
    }
    CHECK((waiting.size() < filter.look_ahead() || !filter.refusal().empty()));
  }
  out.refusal = filter.refusal();
  return out;
}

/// The same whatever the pieces are.
outcome run_in_pieces(const frame_rules& rules, const std::string& bytes) {
  const auto first = run(rules, bytes, bytes.size());
  for (const std::size_t piece : {1, 7, 31, 32, 33, 100}) {
    const auto again = run(rules, bytes, piece);
    CHECK(again.passed == first.passed);
    CHECK(again.refusal == first.refusal);
    CHECK(again.left_out == first.left_out);
  }
  return first;
}

const frame_rules of_operator{1000, false, 42, "words"};

}  // namespace

TEST_CASE("what keeps to the rules passes unchanged") {
  const auto bytes = greeting() + whole(2, std::string(500, 'x'), 7) + whole(6, "") +
                     whole(3, "routed") + whole(4, "", 9) + whole(5, "reason");
  const auto o = run_in_pieces({}, bytes);
  CHECK(o.passed == bytes);
  CHECK(o.refusal == "");
}

TEST_CASE("a frame that would be too large ends the link before any of it passes") {
  for (const std::uint32_t claim : {1001U, 0x7fffffffU, 0xffffffffU}) {
    const auto o = run_in_pieces({1000, false, 0, {}}, greeting() + frame(2, claim, "begin"));
    CHECK(o.passed == greeting());
    CHECK(o.refusal == "a frame of " + std::to_string(claim) + " bytes, the most is 1000");
  }
  CHECK(
      run_in_pieces({1000, false, 0, {}}, greeting() + whole(2, std::string(1000, 'x'))).refusal ==
      "");
}

TEST_CASE("before the handshake there is little room and no message") {
  CHECK(run_in_pieces({}, frame(1, handshake_frame_bytes_max + 1)).refusal ==
        "a frame of 65537 bytes, the most is 65536");
  CHECK(run_in_pieces({}, whole(2, "hello", 7)).refusal == "a message before the handshake");
  CHECK(run_in_pieces({}, "GET / HTTP/1.1\r\nHost: x\r\n\r\n      ").refusal == "no frame of CAF");
  CHECK(run_in_pieces({}, greeting() + whole(7, "")).refusal == "no frame of CAF");
}

TEST_CASE("large frames are left out where that is asked for, and the rest goes on") {
  const auto before = greeting() + whole(2, "before", 7), after = whole(2, "after", 7);
  const auto o =
      run_in_pieces({1000, true, 0, {}}, before + whole(2, std::string(1001, 'x'), 7) + after);
  CHECK(o.passed == before + after);
  CHECK(o.refusal == "");
  CHECK(o.left_out == "a frame of 1001 bytes, the most is 1000");
}

TEST_CASE("an operator sends requests to the admin actor, and nothing else") {
  const auto good = greeting() + whole(4, "", 42) + whole(2, "words and more", 42) + whole(6, "") +
                    whole(5, "gone", 9);
  CHECK(run_in_pieces(of_operator, good).passed == good);
  CHECK(run_in_pieces(of_operator, greeting() + whole(3, "words", 42)).refusal ==
        "an operator may speak to this node only");
  const auto else_than_requests = "an operator may send requests only";
  for (const auto* content : {"wordy", "word", ""}) {
    const auto o = run_in_pieces(of_operator, greeting() + whole(2, content, 42) + whole(6, ""));
    CHECK(o.refusal == else_than_requests);
    CHECK(o.passed == greeting());
  }
}

TEST_CASE("what an operator sends to other actors goes nowhere") {
  const auto request = whole(2, "words", 42);
  const auto o =
      run_in_pieces(of_operator, greeting() + whole(2, "spawn something", 42, 1) + request +
                                     whole(4, "", 43) + whole(2, "words", 43) + whole(2, "", 0, 1));
  CHECK(o.passed == greeting() + request);
  CHECK(o.refusal == "");
  CHECK(run_in_pieces(of_operator, whole(2, "words", 42, 1)).refusal ==
        "a message before the handshake");
  CHECK(run_in_pieces(of_operator, greeting() + frame(2, 1001, "", 42, 1)).refusal != "");
  const auto by_node = greeting() + whole(2, "spawn something", 0, 1);
  CHECK(run_in_pieces({}, by_node).passed == by_node);
}

TEST_CASE("random bytes never pass more than the rules say, nor are they kept") {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = i % 2 == 0 ? greeting() : "";
    for (int n = static_cast<int>(random() % 200); n > 0; --n)
      bytes += static_cast<char>(random() % 4 == 0 ? random() : random() % 7);
    if (!bytes.empty()) run_in_pieces(i % 3 == 0 ? of_operator : frame_rules{}, bytes);
  }
}

}  // namespace troupe::cluster
