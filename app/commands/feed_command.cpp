#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "actors/market/market_tables.hpp"
#include "app/catalog.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "app/feed/exact_sender.hpp"
#include "app/feed/fed_files.hpp"
#include "app/feed/merge.hpp"
#include "app/feed/pace.hpp"
#include "app/feed/progress.hpp"
#include "app/mapping.hpp"

namespace troupe::app {

namespace {

using namespace troupe::feed;
using nlohmann::json;

struct options {
  std::string config = "config/local/node-1.json";
  std::vector<std::string> files;
  std::string speed = "max";
  std::uint64_t limit = 0;
  bool again = false;
  std::string state = "var/feed";
  bool as_json = false;
};

/// What a run did.
struct outcome {
  std::uint64_t sent = 0, there = 0, bad = 0;
  double seconds = 0;
  bool interrupted = false;
  bool all = false;  // The files were read to their ends.
};

bool full(const options& o, const outcome& so_far) {
  return o.limit > 0 && so_far.sent + so_far.there >= o.limit;
}

void send_all(const options& o, merger& from, exact_sender& to, outcome& done) {
  progress shown;
  pace holding(*parse_speed(o.speed));
  constexpr std::uint64_t between_looks = 1024;
  while (!full(o, done) && !(done.interrupted = interrupted())) {
    const auto* const r = from.next();
    if ((done.all = r == nullptr)) break;
    if (to.already_there(*r)) {
      ++done.there;
    } else {
      holding.wait_for(r->time_us);
      if ((done.interrupted = interrupted() || !to.send(*r))) break;
      ++done.sent;
    }
    if ((done.sent + done.there) % between_looks != 0 && o.speed == "max") continue;
    to.note_if_due();
    shown.at(done.sent, from.share());
  }
  to.finish(done.all);
  shown.done();
  done.seconds = shown.seconds();
}

/// A file that turns out to be damaged halfway: what came before is sent, and remembered.
void send_all_or_tell(const options& o, merger& from, exact_sender& to, outcome& done) {
  try {
    send_all(o, from, to, done);
  } catch (const damaged_file& e) {
    to.finish(false);
    throw unusable_file(std::string(e.what()) + "; " + grouped(done.sent) +
                        " records before that were sent");
  }
}

void report_bad_lines(const merger& from, outcome& done) {
  for (const auto& file : from.files()) {
    done.bad += file->bad();
    for (const auto& line : file->bad_lines())
      std::cerr << file->source().path() << ':' << line.number << ": " << line.why << ", skipped\n";
    if (file->bad() > file->bad_lines().size())
      std::cerr << file->source().path() << ": " << file->bad() - file->bad_lines().size()
                << " more lines skipped\n";
  }
}

/// Nothing but lines that cannot be used: a mistake, not a feed.
void refuse_if_all_bad(const merger& from, const outcome& done) {
  if (done.sent + done.there > 0 || done.bad == 0) return;
  for (const auto& file : from.files())
    for (const auto& line : file->bad_lines())
      throw unusable_file("none of " + grouped(done.bad) + " lines can be used, the first is " +
                          file->source().path() + ':' + std::to_string(line.number) + ": " +
                          std::string(line.why));
}

void print(const options& o, const outcome& done, const std::string& topic, bool finished_before) {
  const auto rate =
      static_cast<std::uint64_t>(static_cast<double>(done.sent) / std::max(done.seconds, 1e-9));
  if (o.as_json) {
    std::cout << json{{"sent", done.sent},
                      {"already_there", done.there},
                      {"skipped_lines", done.bad},
                      {"seconds", done.seconds},
                      {"rate", rate},
                      {"to", topic},
                      {"interrupted", done.interrupted},
                      {"finished_before", finished_before}}
                     .dump()
              << '\n';
    return;
  }
  if (finished_before) {
    std::cout << (done.all ? "these files are in topic " : "what --limit asks for is in topic ")
              << topic << " already (" << grouped(done.there)
              << " records); --again feeds them once more\n";
    return;
  }
  if (done.interrupted)
    std::cout << "interrupted; the same command" << (o.again ? " without --again" : "")
              << " goes on where this stopped\n";
  std::cout << grouped(done.sent) << " records to topic " << topic << " in "
            << std::round(done.seconds * 10) / 10 << " s, " << grouped(rate) << "/s";
  if (done.there > 0) std::cout << "; " << grouped(done.there) << " were there already";
  if (done.bad > 0) std::cout << "; " << grouped(done.bad) << " malformed lines skipped";
  std::cout << '\n';
}

/// All of the files, or nothing is begun.
merger::readers open(const options& o) {
  try {
    return open_all(o.files);
  } catch (const failure& e) {
    throw failure(e.name(), std::string(e.what()) + "; nothing was sent");
  }
}

/// What an earlier run left of this feed. To older versions a feed with a limit was one of its own.
std::optional<feed_notes> earlier_notes(const options& o, const state_file& file,
                                        const feed_subject& what) {
  auto notes = load_notes(file);
  const auto older = state_name(what, o.limit);
  if (notes || o.limit == 0 || !std::filesystem::exists(o.state + '/' + older)) return notes;
  notes = load_notes(state_file(o.state, older));
  notes->settled = notes->done;
  notes->done = notes->done && notes->records() < o.limit;
  return notes;
}

/// Whether nothing is left to do; `done` tells then what is there.
bool finished_before(const options& o, const feed_notes& notes, outcome& done) {
  done.there = o.limit > 0 ? std::min(notes.records(), o.limit) : notes.records();
  done.all = notes.done && done.there == notes.records();
  return notes.done || (notes.settled && o.limit > 0 && done.there == o.limit);
}

int run(const options& o) {
  refuse_same_file_twice(o.files);
  merger from(open(o));
  const auto all = read_settings(o.config);
  const auto topic = all.cluster.kafka.topic_prefix + std::string(market::market_topic);
  const auto what = subject_of(all, o.files);
  const state_file file(o.state, state_name(what));
  auto notes = o.again ? std::nullopt : earlier_notes(o, file, what);
  if (outcome before; notes && finished_before(o, *notes, before)) {
    print(o, before, topic, true);
    return 0;
  }
  const bool resumed = notes.has_value();
  std::optional<folder_gate> gate;  // Until this feed is noted, too.
  if (!resumed) gate.emplace(o.state);
  if (!resumed && !o.again) refuse_if_fed(o.state, what);
  ensure_topics(make_catalog(all), all);
  catch_interrupts();
  if (!resumed) notes = fresh_notes(all);
  exact_sender to(all, file, what, *notes, resumed);
  gate.reset();
  outcome done;
  send_all_or_tell(o, from, to, done);
  report_bad_lines(from, done);
  refuse_if_all_bad(from, done);
  print(o, done, topic, false);
  return done.interrupted ? exit_interrupted : 0;
}

}  // namespace

void add_feed_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand(
      "feed", "Sends recorded market data to the topic, each record exactly once");
  static options o;
  command
      ->add_option("files", o.files,
                   "CSV of trades, quotes or daily bars, or recorded frames; plain, gzip or zstd")
      ->required();
  command
      ->add_option("--speed", o.speed,
                   "max, real (as time went when recorded), or a number: so many times real")
      ->capture_default_str()
      ->check(speed_text());
  command->add_option("--limit", o.limit, "Only the first so many records (default: all)")
      ->check(whole_number(1, INT64_MAX));
  command->add_flag("--again", o.again, "All of it once more, whatever earlier runs sent");
  command->add_option("--state", o.state, "Folder that remembers what was sent")
      ->capture_default_str();
  command->add_flag("--json", o.as_json, "The summary as one JSON object");
  add_config_option(*command, o.config);
  on_run(*command, exit_code, [] { return run(o); });
}

}  // namespace troupe::app
