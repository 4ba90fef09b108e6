#include <doctest/doctest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>

#include "app/feed/fed_files.hpp"
#include "app/mapping.hpp"
#include "app/settings.hpp"
#include "runtime/base/partition.hpp"
#include "runtime/bridge/history_reader.hpp"
#include "runtime/bridge/kafka_producer.hpp"
#include "runtime/bridge/topic_admin.hpp"
#include "tests/app/feed/temp_folder.hpp"
#include "tests/runtime/bridge/kafka_fixture.hpp"
#include "tests/support/node_process.hpp"

using namespace troupe;
using feed::test::temp_folder;
using nlohmann::json;
using strings = std::vector<std::string>;

namespace {

constexpr auto patience = std::chrono::seconds(30);

/// A cluster's topic, seen from outside.
class topic_view {
 public:
  explicit topic_view(const test::cluster_folder& cluster)
      : all_(*app::load_settings(cluster.node_config())) {}

  /// Records in the topic; 0 while there is none. Kafka may not know a new topic at every moment:
  /// once it has been seen, its absence is no answer.
  std::int64_t size() const {
    const auto ask = [&] {
      bridge::topic_admin admin(app::bridge_kafka_options(all_));
      return admin.ranges("market", all_.cluster.shards, std::chrono::seconds(5));
    };
    auto found = ask();
    if (seen_)
      test::wait_until("an answer of Kafka's", patience, [&] {
        if (found.empty()) found = ask();
        return !found.empty();
      });
    seen_ = !found.empty();
    std::int64_t sum = 0;
    for (const auto& r : found) sum += r.end.value();
    return sum;
  }

  /// All payloads of each key, in the order of the log.
  std::map<std::string, strings> read() const {
    bridge::history_reader reader(app::bridge_kafka_options(all_));
    std::map<std::string, strings> found;
    for (std::uint32_t p = 0; p < all_.cluster.shards; ++p) {
      const auto range = reader.range("market", p, patience);
      REQUIRE(range);
      for (auto at = range->begin; at < range->end;) {
        const auto batch = reader.read("market", p, at, {});
        REQUIRE(batch.what == bridge::history_batch::outcome::read);
        for (const auto& r : batch.records) found[std::string(r.key)].emplace_back(r.payload);
        at = batch.next;
      }
    }
    return found;
  }

  /// Puts a record of somebody else into every partition.
  void disturb() const {
    bridge::kafka_producer producer(app::bridge_producer_options(all_));
    for (std::uint32_t p = 0; p < all_.cluster.shards; ++p)
      producer.send("market", {"other", "{}", std::nullopt, p, 0});
    REQUIRE(producer.flush(patience));
  }

  /// The same in a transaction each, whose mark is the last thing in the log.
  void disturb_in_transactions() const {
    for (std::uint32_t p = 0; p < all_.cluster.shards; ++p)
      testing::fill_in_transaction(all_.cluster.kafka.topic_prefix + "market", p, 0, 1);
  }

 private:
  app::settings all_;
  mutable bool seen_ = false;
};

constexpr int rows = 60'000, keys = 7;

/// Two trades a millisecond; those of a symbol mostly come in threes that are alike.
struct sample {
  std::string text = "ts_ms,symbol,price,size\n";
  std::map<std::string, strings> expected;

  sample() {
    for (int i = 0; i < rows; ++i) {
      const auto symbol = "S" + std::to_string(i % keys);
      const auto ms = std::to_string(1'000'000 + i / 2 / (3 * keys) * (3 * keys));
      const auto size = std::to_string(1 + i / keys / 3);
      text += ms + ',' + symbol + ",1.50," + size + '\n';
      expected[symbol].push_back(R"({"type":"trade","symbol":")" + symbol + R"(","time":)" + ms +
                                 R"(000,"price":"1.5","size":")" + size + "\"}");
    }
  }
};

/// Kafka stands still as long as this lives.
class standing_kafka {
 public:
  standing_kafka() {
    const auto status = test::run_program(
        {"sh", "-c", std::string(std::getenv("TROUPE_TEST_SERVICES")) + " status kafka"});
    const auto at = status.output.find(" pid ", status.output.find("kafka "));
    REQUIRE_MESSAGE(at != std::string::npos, status.output);
    pid_ = std::stoi(status.output.substr(at + 5));
    ::kill(pid_, SIGSTOP);
  }
  ~standing_kafka() { ::kill(pid_, SIGCONT); }

 private:
  pid_t pid_ = 0;
};

}  // namespace

TEST_CASE("a feed that is killed again and again brings each record once and in order") {
  const test::cluster_folder cluster("");
  const sample data;
  const temp_folder folder;
  const auto file = folder.write_gzip("ticks.csv.gz", data.text);
  const strings arguments{
      "feed", file, "--config", cluster.node_config(), "--state", folder.path() + "/state"};
  const topic_view topic(cluster);

  strings slow = arguments;
  slow.insert(slow.begin(), test::troupe_binary());
  slow.insert(slow.end(), {"--speed", "5"});  // Some six seconds in all.
  for (const int enough : {5'000, 20'000, 35'000}) {
    test::node_process feed(slow);
    feed.start();
    test::wait_until("records in the topic", patience,
                     [&] { return topic.size() >= enough || !feed.running(); });
    REQUIRE(feed.running());
    feed.kill();
    topic.disturb();
  }
  CHECK(topic.size() < rows);

  const auto last = test::run_troupe(arguments);
  CAPTURE(last.output);
  CHECK(last.exit_code == 0);
  CHECK(last.output.find("were there already") != std::string::npos);
  auto found = topic.read();
  CHECK(found.extract("other").mapped().size() == 3 * cluster.shards());
  CHECK(found == data.expected);

  const auto once_more = test::run_troupe(arguments);
  CHECK(once_more.exit_code == 0);
  CHECK(once_more.output.find("--again") != std::string::npos);
  CHECK(topic.size() == rows + 3 * cluster.shards());

  strings again = arguments;
  again.push_back("--again");
  CHECK(test::run_troupe(again).exit_code == 0);
  CHECK(topic.size() == 2 * rows + 3 * cluster.shards());
}

namespace {

/// The command of a feed that can be caught at it.
strings slowly(strings arguments) {
  arguments.insert(arguments.begin(), test::troupe_binary());
  arguments.insert(arguments.end(), {"--speed", "5"});
  return arguments;
}

void start_until_some_are_out(test::node_process& feed, const topic_view& topic) {
  feed.start();
  test::wait_until("records in the topic", patience,
                   [&] { return topic.size() >= 5'000 || !feed.running(); });
}

}  // namespace

TEST_CASE("a killed feed goes on in a log that ends with the mark of somebody's transaction") {
  const test::cluster_folder cluster("");
  const sample data;
  const temp_folder folder;
  strings arguments{"feed",     folder.write("ticks.csv", data.text),
                    "--config", cluster.node_config(),
                    "--state",  folder.path() + "/state"};
  const topic_view topic(cluster);
  test::node_process feed(slowly(arguments));
  start_until_some_are_out(feed, topic);
  REQUIRE(feed.running());
  feed.kill();
  topic.disturb_in_transactions();
  const auto last = test::run_troupe(arguments);
  CAPTURE(last.output);
  CHECK(last.exit_code == 0);
  auto found = topic.read();
  CHECK(found.extract("").mapped().size() == cluster.shards());
  CHECK(found == data.expected);
}

TEST_CASE("a feed stopped by a signal says so and goes on later") {
  const test::cluster_folder cluster("");
  const sample data;
  const temp_folder folder;
  const auto file = folder.write("ticks.csv", data.text);
  const topic_view topic(cluster);
  strings arguments{
      "feed",    file,   "--config", cluster.node_config(), "--state", folder.path() + "/state",
      "--limit", "50000"};
  test::node_process feed(slowly(arguments));
  start_until_some_are_out(feed, topic);
  CHECK(feed.stop() == 130);
  const auto before = topic.size();
  CHECK(before < 50'000);
  // Killed before it has noted anything of its own.
  feed.start();
  test::wait_until("more records in the topic", patience,
                   [&] { return topic.size() > before || !feed.running(); });
  REQUIRE(feed.running());
  feed.kill();
  const auto last = test::run_troupe(arguments);
  CHECK(last.exit_code == 0);
  CHECK(topic.size() == 50'000);
  arguments.resize(arguments.size() - 2);
  CHECK(test::run_troupe(arguments).exit_code == 0);
  CHECK(topic.read() == data.expected);
}

namespace {

/// Files of trades, fed with one folder of states.
class small_feeds {
 public:
  explicit small_feeds(const test::cluster_folder& cluster) : cluster_(cluster), topic_(cluster) {}

  std::string path(const std::string& name) const { return folder_.path() + '/' + name; }
  void write(const std::string& name, int trades) const {
    std::string text = "ts_ms,symbol,price,size\n";
    for (int i = 1; i <= trades; ++i) text += std::to_string(i) + ',' + name[0] + ",1,1\n";
    folder_.write(name, text);
  }
  /// `words`: files, and options of which `--limit=1` is one.
  test::run_result feed(const strings& words) const {
    strings all{"feed", "--config", cluster_.node_config(), "--state", path("state")};
    for (const auto& word : words) all.push_back(word[0] == '-' ? word : path(word));
    return test::run_troupe(all);
  }
  std::int64_t size() const { return topic_.size(); }
  /// Where the state of these files is.
  std::string state_of(const strings& files, std::uint64_t limit = 0) const {
    strings paths;
    for (const auto& file : files) paths.push_back(path(file));
    const auto all = *app::load_settings(cluster_.node_config());
    return path("state/") + feed::state_name(feed::subject_of(all, paths), limit);
  }

 private:
  const test::cluster_folder& cluster_;
  temp_folder folder_;
  topic_view topic_;
};

}  // namespace

TEST_CASE("no file is sent twice, whatever files and limit it is named with, unless that is said") {
  const test::cluster_folder cluster("");
  const small_feeds d(cluster);
  for (const auto& [name, trades] : std::map<std::string, int>{{"a", 2}, {"b", 1}, {"c", 4}})
    d.write(name, trades);
  d.write("d", 1);
  std::filesystem::create_symlink(d.path("a"), d.path("link"));
  std::filesystem::create_hard_link(d.path("a"), d.path("other-name"));
  const auto only_others = "name only the others (" + d.path("b") + "), or give --again";
  struct row {
    strings words;
    int exit_code;
    std::string telling;
    std::int64_t size;  // Of the topic, then.
  };
  const row rows[] = {
      {{"a", "a"}, 2, "wrong_arguments: " + d.path("a") + ": is given twice", 0},
      {{"a", "link"}, 2, "is given twice, as " + d.path("a"), 0},
      {{"a"}, 0, "2 records to topic", 2},
      {{"a"}, 0, "these files are in topic", 2},
      {{"a", "--limit=1"}, 0, "already (1 records)", 2},
      {{"a", "b"}, 1, "already_sent: " + d.path("a") + ": fed before", 2},
      {{"a", "b", "--limit=1"}, 1, "by `troupe feed " + d.path("a") + "`", 2},
      {{"b", "a"}, 1, only_others, 2},
      {{"b", "link"}, 1, only_others, 2},
      {{"other-name"}, 1, "nothing was sent now: give --again", 2},
      {{"b"}, 0, "1 records to topic", 3},
      {{"b", "a"}, 1, d.path("b") + ' ' + d.path("a") + ": fed before", 3},
      {{"b", "a", "--again"}, 0, "3 records to topic", 6},
      {{"b", "a"}, 0, "these files are in topic", 6},
      {{"c", "--limit=1"}, 0, "1 records to topic", 7},
      {{"c", "--limit=1"}, 0, "what --limit asks for is in topic", 7},
      {{"c", "d"}, 1, "or repeat that command to go on with it, or", 7},
      {{"c", "--limit=3"}, 0, "; 1 were there already", 9},
      {{"c", "--limit=2"}, 0, "what --limit asks for is in topic", 9},
      {{"c"}, 0, "; 3 were there already", 10},
      {{"c", "--limit=9"}, 0, "these files are in topic", 10},
      {{"d"}, 0, "1 records to topic", 11},
  };
  for (const auto& r : rows) {
    const auto seen = d.feed(r.words);
    CAPTURE(r.telling);
    CAPTURE(seen.output);
    CHECK(seen.exit_code == r.exit_code);
    CHECK(seen.output.find(r.telling) != std::string::npos);
    if (r.size > 0) CHECK(d.size() == r.size);
  }
  d.write("a", 3);  // A file that has changed is another one.
  d.write("e", 1);
  CHECK(d.feed({"a", "e"}).exit_code == 0);
  CHECK(d.size() == 15);
}

TEST_CASE("what older versions noted of a feed still counts") {
  const test::cluster_folder cluster("");
  const small_feeds d(cluster);
  for (const auto* name : {"a", "b", "c"}) d.write(name, 4);
  const auto make_older = [&](const std::string& from, const std::string& to, bool done) {
    std::ifstream in(from);
    const auto notes = json::parse(in);
    std::filesystem::remove(from);
    std::ofstream(to) << json{{"done", done}, {"lanes", notes.at("lanes")}};
  };
  CHECK(d.feed({"a"}).exit_code == 0);
  make_older(d.state_of({"a"}), d.state_of({"a"}), true);
  CHECK(d.feed({"a"}).output.find("these files are in topic") != std::string::npos);
  CHECK(d.feed({"b", "a"}).output.find("already_sent: " + d.path("a")) != std::string::npos);

  CHECK(d.feed({"b", "--limit=1"}).exit_code == 0);  // Then killed, as far as the notes tell.
  make_older(d.state_of({"b"}), d.state_of({"b"}), false);
  CHECK(d.feed({"b"}).output.find("; 1 were there already") != std::string::npos);
  CHECK(d.size() == 8);

  CHECK(d.feed({"c", "--limit=2"}).exit_code == 0);  // A feed of its own then.
  make_older(d.state_of({"c"}), d.state_of({"c"}, 2), true);
  CHECK(d.feed({"c", "--limit=2"}).output.find("what --limit asks for") != std::string::npos);
  CHECK(d.size() == 10);
}

TEST_CASE("a feed that waits for Kafka says so, and goes on") {
  const test::cluster_folder cluster("");
  const sample data;
  const temp_folder folder;
  const auto file = folder.write("ticks.csv", data.text), told = folder.path() + "/told";
  const topic_view topic(cluster);
  const auto command = test::troupe_binary() + " feed " + file + " --config " +
                       cluster.node_config() + " --state " + folder.path() +
                       "/state --limit 20000 --speed 4 2>" + told;
  auto feed = std::async(std::launch::async, [&] {
    return test::run_program({"sh", "-c", command}).exit_code;
  });
  test::wait_until("records in the topic", patience, [&] { return topic.size() >= 1'000; });
  {
    const standing_kafka still;
    test::wait_until("the feed to say that it waits", patience, [&] {
      std::ifstream in(told);
      const std::string text{std::istreambuf_iterator<char>(in), {}};
      return text.find("Kafka has taken nothing for 5 s") != std::string::npos;
    });
  }
  CHECK(feed.get() == 0);
  CHECK(topic.size() == 20'000);
}

TEST_CASE("nothing is sent when one of the files is of no kind; bad lines are told and skipped") {
  const test::cluster_folder cluster("");
  const temp_folder folder;
  const auto good = folder.write("good.csv", "ts_ms,symbol,price,size\n1,A,1,1\nbad\n2,A,1,1\n");
  const auto other = folder.write("notes.txt", "hello\n");
  const strings rest{"--config", cluster.node_config(), "--state", folder.path() + "/state"};
  const auto run = [&](strings files) {
    files.insert(files.begin(), "feed");
    files.insert(files.end(), rest.begin(), rest.end());
    return test::run_troupe(files);
  };
  const auto refused = run({good, other});
  CHECK(refused.exit_code == 1);
  CHECK(refused.output.find(other + ":1:") != std::string::npos);
  CHECK(refused.output.find("nothing was sent") != std::string::npos);
  const auto useless = run({folder.write("bad.csv", "ts_ms,symbol,price,size\nbad\nworse\n")});
  CHECK(useless.exit_code == 1);
  CHECK(useless.output.find("none of 2 lines can be used, the first is ") != std::string::npos);
  const auto taken = run({good});
  CHECK(taken.exit_code == 0);
  CHECK(taken.output.find(good + ":3:") != std::string::npos);
  CHECK(taken.output.find("1 malformed lines skipped") != std::string::npos);
  CHECK(topic_view(cluster).read()["A"].size() == 2);
}

TEST_CASE("a generated file is not overwritten unless that is said") {
  const temp_folder folder;
  const auto out = folder.path() + "/ticks.csv";
  strings arguments{"generate", "--rows", "100", "--out", out};
  CHECK(test::run_troupe(arguments).exit_code == 0);
  const auto again = test::run_troupe(arguments);
  CHECK(again.exit_code == 1);
  CHECK(again.output.find(out +
                          ": exists already: choose another name, or overwrite it with --force") !=
        std::string::npos);
  arguments.push_back("--force");
  CHECK(test::run_troupe(arguments).exit_code == 0);
}

TEST_CASE("generated rows go on after the last run, also after one that was killed") {
  const test::cluster_folder cluster("");
  const temp_folder folder;
  const topic_view topic(cluster);
  const strings arguments{"generate",
                          "--symbols",
                          "5",
                          "--rate",
                          "60000",
                          "--rows",
                          "20000",
                          "--config",
                          cluster.node_config(),
                          "--state",
                          folder.path() + "/state"};
  const auto first = test::run_troupe(arguments);
  CHECK(first.exit_code == 0);
  CHECK(first.output.find("`troupe symbol list`, column refused\n") != std::string::npos);
  test::wait_until("the topic's end", patience, [&] { return topic.size() == 20'000; });
  strings slow = arguments;
  slow.insert(slow.begin(), test::troupe_binary());
  slow.insert(slow.end(), {"--speed", "real"});
  test::node_process killed(slow);
  killed.start();
  test::wait_until("records in the topic", patience,
                   [&] { return topic.size() > 22'000 || !killed.running(); });
  REQUIRE(killed.running());
  killed.kill();
  CHECK(test::run_troupe(arguments).exit_code == 0);
  CHECK(topic.size() > 42'000);
  for (const auto& [key, payloads] : topic.read()) {
    std::int64_t time = 0, id = 0;
    for (const auto& payload : payloads) {
      const auto event = json::parse(payload);
      REQUIRE(event.at("time").get<std::int64_t>() >= time);
      REQUIRE(event.at("id").get<std::int64_t>() > id);
      time = event.at("time");
      id = event.at("id");
    }
  }
}
