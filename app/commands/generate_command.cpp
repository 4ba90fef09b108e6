#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "actors/market/market_tables.hpp"
#include "app/catalog.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/feed/flush.hpp"
#include "app/feed/generator_journal.hpp"
#include "app/feed/pace.hpp"
#include "app/feed/progress.hpp"
#include "app/feed/text_time.hpp"
#include "app/mapping.hpp"
#include "runtime/base/partition.hpp"
#include "runtime/bridge/kafka_producer.hpp"

namespace troupe::app {

namespace {

using namespace troupe::feed;
using nlohmann::json;

struct options {
  std::string config = "config/local/node-1.json";
  generator_shape shape;
  std::uint64_t rows = 0;
  std::string start = "2025-01-02T14:30:00Z";
  std::string out;
  std::string speed = "max";
  std::string state = "var/feed";
  bool state_given = false;
  bool force = false;
  bool as_json = false;
};

/// Takes rows somewhere.
class row_sink {
 public:
  virtual ~row_sink() = default;
  /// False: given up because of an interrupt.
  virtual bool take(const tick& t) = 0;
  /// When this returns all rows are where they belong. Throws when they are not.
  virtual void finish() = 0;
};

std::vector<std::string> names_of(const generator_shape& shape) {
  std::vector<std::string> names;
  for (std::uint32_t s = 0; s < shape.symbols; ++s) names.push_back(symbol_name(s));
  return names;
}

class topic_sink final : public row_sink {
 public:
  topic_sink(const settings& all, const generator_shape& shape)
      : names_(names_of(shape)), producer_(bridge_producer_options(all)) {
    for (const auto& name : names_) partitions_.push_back(partition_of(name, all.cluster.shards));
  }

  bool take(const tick& t) override {
    using result = bridge::kafka_producer::result;
    payload_.clear();
    append_json(payload_, t, names_[t.symbol]);
    const bridge::outgoing_record record{names_[t.symbol], payload_, std::nullopt,
                                         partitions_[t.symbol], 0};
    for (stall_notice notice;; notice.look()) {
      const auto what = producer_.send(topic_, record, std::chrono::milliseconds(200));
      if (what == result::sent) return true;
      if (what == result::failed)
        throw failure("bridge_unavailable",
                      "Kafka has not taken a row: " + producer_.figures().last_error);
      if (interrupted()) return false;
    }
  }

  void finish() override {
    if (!flush_patiently(producer_))
      throw failure("bridge_unavailable",
                    "Kafka does not answer; not all rows are in the topic: the next run goes on "
                    "behind them");
    if (const auto f = producer_.figures(); f.failed > 0)
      throw failure("bridge_unavailable",
                    std::to_string(f.failed) + " rows were not taken: " + f.last_error);
  }

 private:
  const std::string topic_{market::market_topic};
  std::vector<std::string> names_;
  std::vector<std::uint32_t> partitions_;
  std::string payload_;
  bridge::kafka_producer producer_;
};

/// One text file; `finish` says whether all of it is there.
class text_file {
 public:
  explicit text_file(const std::string& path)
      : path_(path), out_(path, std::ios::binary | std::ios::trunc) {
    if (!out_)
      throw unwritable_file(path + ": cannot be created: " + std::strerror(errno) +
                            "; --out names a file in a folder that exists");
  }
  std::string& buffer() { return buffer_; }
  void spill(std::size_t above) {
    if (buffer_.size() <= above) return;
    out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
    if (!out_) throw unwritable_file(path_ + ": cannot be written: is the disk full?");
  }
  void finish() {
    spill(0);
    if (!out_.flush()) throw unwritable_file(path_ + ": cannot be written: is the disk full?");
  }

 private:
  std::string path_;
  std::ofstream out_;
  std::string buffer_;
};

constexpr std::size_t buffered = 1 << 20;

class json_sink final : public row_sink {
 public:
  json_sink(const std::string& path, const generator_shape& shape)
      : names_(names_of(shape)), file_(path) {}
  bool take(const tick& t) override {
    append_json(file_.buffer(), t, names_[t.symbol]);
    file_.buffer() += '\n';
    file_.spill(buffered);
    return true;
  }
  void finish() override { file_.finish(); }

 private:
  std::vector<std::string> names_;
  text_file file_;
};

/// Where the quotes go when the trades go to `path`: `x.csv`, `x-quotes.csv`.
std::string quotes_path(const std::string& path) {
  return path.substr(0, path.size() - 4) + "-quotes.csv";
}

class csv_sink final : public row_sink {
 public:
  csv_sink(const std::string& path, const generator_shape& shape)
      : names_(names_of(shape)), trades_(path), quotes_(quotes_path(path)) {
    (trades_.buffer() += csv_trades_header) += '\n';
    (quotes_.buffer() += csv_quotes_header) += '\n';
  }
  bool take(const tick& t) override {
    auto& file = t.kind == tick::what::trade ? trades_ : quotes_;
    append_csv(file.buffer(), t, names_[t.symbol]);
    file.spill(buffered);
    return true;
  }
  void finish() override {
    trades_.finish();
    quotes_.finish();
  }

 private:
  std::vector<std::string> names_;
  text_file trades_, quotes_;
};

bool to_csv(const options& o) {
  return o.out.ends_with(".csv");
}

void refuse_to_overwrite(const options& o) {
  if (o.force || o.out.empty()) return;
  for (const auto& file : to_csv(o) ? std::vector{o.out, quotes_path(o.out)} : std::vector{o.out})
    if (std::filesystem::is_regular_file(file))
      throw failure("file_exists",
                    file + ": exists already: choose another name, or overwrite it with --force");
}

std::unique_ptr<row_sink> open_sink(const options& o, const settings* all) {
  if (all != nullptr) return std::make_unique<topic_sink>(*all, o.shape);
  if (to_csv(o)) return std::make_unique<csv_sink>(o.out, o.shape);
  return std::make_unique<json_sink>(o.out, o.shape);
}

/// What a run did.
struct outcome {
  std::uint64_t rows = 0, trades = 0;
  std::int64_t first_us = 0, last_us = 0;
  double seconds = 0;
};

outcome run_rows(const options& o, tick_generator& from, row_sink& to) {
  outcome done;
  progress shown;
  pace holding(*parse_speed(o.speed));
  constexpr std::uint64_t between_looks = 1024;
  while (done.rows < o.rows && !interrupted()) {
    const auto& t = from.next();
    holding.wait_for(t.time_us);
    if (!to.take(t)) break;
    if (done.rows++ == 0) done.first_us = t.time_us;
    done.last_us = t.time_us;
    if (t.kind == tick::what::trade) ++done.trades;
    if (done.rows % between_looks == 0 || o.speed != "max")
      shown.at(done.rows, static_cast<double>(done.rows) / static_cast<double>(o.rows));
  }
  to.finish();
  shown.done();
  done.seconds = shown.seconds();
  return done;
}

std::string target(const options& o, const settings* all) {
  if (all != nullptr)
    return "topic " + all->cluster.kafka.topic_prefix + std::string(market::market_topic);
  return to_csv(o) ? o.out + " and " + quotes_path(o.out) : o.out;
}

void print(const options& o, const outcome& done, const std::string& where) {
  const auto rate =
      static_cast<std::uint64_t>(static_cast<double>(done.rows) / std::max(done.seconds, 1e-9));
  const auto quotes = done.rows - done.trades;
  if (o.as_json) {
    std::cout << json{{"rows", done.rows},
                      {"trades", done.trades},
                      {"quotes", quotes},
                      {"symbols", o.shape.symbols},
                      {"first_time", done.first_us},
                      {"last_time", done.last_us},
                      {"seconds", done.seconds},
                      {"rate", rate},
                      {"to", where},
                      {"interrupted", done.rows < o.rows}}
                     .dump()
              << '\n';
    return;
  }
  if (done.rows < o.rows)
    std::cout << "interrupted; what was made is complete"
              << (o.out.empty() || o.state_given ? ", and the next run goes on after it\n" : "\n");
  std::cout << grouped(done.rows) << " rows (" << grouped(done.trades) << " trades, "
            << grouped(quotes) << " quotes) of " << o.shape.symbols << " symbols to " << where
            << " in " << std::round(done.seconds * 10) / 10 << " s, " << grouped(rate) << "/s\n";
  if (done.rows > 0)
    std::cout << "event time " << time_text(done.first_us) << " to " << time_text(done.last_us)
              << '\n';
  if (o.out.empty())
    std::cout << "rows that a symbol does not take are counted by `troupe symbol list`, column "
                 "refused\n";
}

std::int64_t start_of(const options& o) {
  const auto time = o.start == "now" ? now_us() : parse_time(o.start);
  if (!time)
    throw wrong_arguments("--start: " + o.start +
                          " is no time; write 2025-01-02, 2025-01-02T14:30:00Z or now");
  return *time;
}

int run(const options& o) {
  const auto start = start_of(o);
  refuse_to_overwrite(o);
  std::optional<settings> all;
  if (o.out.empty()) {
    all = read_settings(o.config);
    ensure_topics(make_catalog(*all), *all);
  }
  const auto* const cluster = all ? &*all : nullptr;
  std::optional<generator_journal> journal;
  if (all)
    journal.emplace(o.state, all->cluster.kafka.brokers + ' ' + all->cluster.kafka.topic_prefix);
  else if (o.state_given)
    journal.emplace(o.state, o.out);
  auto before = journal ? journal->load() : std::nullopt;
  auto generator =
      before ? tick_generator(o.shape, std::move(*before), start) : tick_generator(o.shape, start);
  const auto to = open_sink(o, cluster);
  catch_interrupts();
  if (journal) journal->reserve(o.shape, generator.state(), o.rows);
  const auto done = run_rows(o, generator, *to);
  if (journal) journal->finish(generator.state());
  print(o, done, target(o, cluster));
  return done.rows < o.rows ? exit_interrupted : 0;
}

}  // namespace

void add_generate_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand(
      "generate", "Makes trades and quotes of made-up symbols, into the topic or a file");
  static options o;
  command->add_option("--rows", o.rows, "How many trades and quotes in all")
      ->required()
      ->check(whole_number(1, std::int64_t{1} << 40));
  command->add_option("--symbols", o.shape.symbols, "How many symbols: SYM0001 and so on")
      ->capture_default_str()
      ->check(whole_number(1, 100'000));
  command->add_option("--seed", o.shape.seed, "The same seed makes the same rows")
      ->capture_default_str()
      ->check(whole_number(0, INT64_MAX));
  command->add_option("--rate", o.shape.rate, "Mean events of a symbol in a minute of event time")
      ->capture_default_str()
      ->check(number(0.001, 1e7));
  command
      ->add_option("--start", o.start,
                   "First event time (UTC), or now; a later run goes on after the last event")
      ->capture_default_str();
  command
      ->add_option("--out", o.out,
                   "A file instead of the topic: a JSON object a line, or CSV when it ends in "
                   ".csv (quotes beside it)")
      ->check([](const std::string& name) {
        return name.empty() ? std::string("must name a file") : std::string();
      });
  command->add_flag("--force", o.force, "Overwrites the files of --out");
  command->add_option("--speed", o.speed, "max, real (by event time), or that many times real")
      ->capture_default_str()
      ->check(speed_text());
  auto* state =
      command
          ->add_option("--state", o.state,
                       "Folder that remembers where the topic stands; files: only when given")
          ->capture_default_str();
  command->add_flag("--json", o.as_json, "The summary as one JSON object");
  add_config_option(*command, o.config);
  on_run(*command, exit_code, [state] {
    o.state_given = state->count() > 0;
    return run(o);
  });
}

}  // namespace troupe::app
