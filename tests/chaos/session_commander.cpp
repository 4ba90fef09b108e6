#include "tests/chaos/session_commander.hpp"

#include <chrono>

namespace troupe::test {

using nlohmann::json;

namespace {

using words = std::vector<std::string>;

struct step_of_life {
  std::string phase, event;
};

/// The phase that a command leads to, and the event that tells of it; empty: refused.
step_of_life after(const std::string& phase, const std::string& command) {
  static const std::map<std::pair<std::string, std::string>, step_of_life> all{
      {{"", "create"}, {"created", "created"}},
      {{"created", "start"}, {"running", "started"}},
      {{"created", "delete"}, {"deleted", "deleted"}},
      {{"running", "pause"}, {"paused", "paused"}},
      {{"running", "stop"}, {"stopped", "stopped"}},
      {{"paused", "resume"}, {"running", "resumed"}},
      {{"paused", "stop"}, {"stopped", "stopped"}},
      {{"stopped", "delete"}, {"deleted", "deleted"}}};
  const auto found = all.find({phase, command});
  return found == all.end() ? step_of_life{} : found->second;
}

/// Nobody was there to answer, or the one who was could not yet.
bool unanswered(const json& answer) {
  const auto error = answer.value("error", "");
  return error == "none" || error == "timeout" || error == "busy" || error == "shard_failed" ||
         error == "lease_lost" || error.ends_with("_unavailable");
}

}  // namespace

session_commander::session_commander(const trading_run& run, std::vector<plan> plans,
                                     std::uint64_t seed)
    : run_(run), random_(seed), prefix_("c" + std::to_string(seed) + '-') {
  for (auto& p : plans) {
    line one{std::move(p), 0, {}, {}, {}};
    one.name = one.what.name + "-0";
    lines_.push_back(std::move(one));
  }
}

void session_commander::step() {
  auto& of = lines_[random_() % lines_.size()];
  if (!of.done.empty() && random_() % 4 == 0) return give_again(of);
  if (of.phase == "deleted" && random_() % 2 == 0) {
    of.name = of.what.name + '-' + std::to_string(++of.generation);
    of.phase.clear();
    of.done.clear();
  }
  if (const auto command = choose(of); !command.empty()) give(of, command);
}

/// Mostly what lets them trade, and trade on.
std::string session_commander::choose(const line& of) {
  const auto chance = random_() % 100;
  if (chance < 15) {
    static const words any{"create", "start", "pause", "resume", "stop", "delete"};
    const auto& one = any[random_() % any.size()];
    if (one != "stop" && one != "delete") return one;
  }
  if (of.phase.empty()) return "create";
  if (of.phase == "created") return "start";
  if (of.phase == "running") return chance < 65 ? "pause" : chance < 68 ? "stop" : "";
  if (of.phase == "paused") return chance < 95 ? "resume" : "stop";
  return of.phase == "stopped" ? "delete" : "start";
}

std::vector<std::string> session_commander::words_of(const line& of,
                                                     const std::string& command) const {
  if (command != "create") return {"session", command, of.name};
  words all{"session", "create", "--name", of.name, "--portfolio", of.what.portfolio};
  all.insert(all.end(), of.what.words.begin(), of.what.words.end());
  return all;
}

void session_commander::give(line& of, const std::string& command) {
  auto all = words_of(of, command);
  const auto id = prefix_ + std::to_string(++given_);
  all.insert(all.end(), {"--id", id});
  const auto answer = ask(all);
  const auto next = after(of.phase, command);
  const auto refused = of.phase.empty() && command != "create" ? "unknown_session" : "wrong_phase";
  const bool fine = next.phase.empty()
                        ? answer.value("error", "") == refused
                        : answer == json{{"session", of.name}, {"phase", next.phase}};
  if (!fine)
    wrong_.push_back(command + " of " + of.name + ", which is '" + of.phase +
                     "', is answered: " + answer.dump());
  told_[id] = next.phase.empty() ? "command_refused" : next.event;
  if (!next.phase.empty()) phases_[of.name] = of.phase = next.phase;
  of.done.emplace_back(std::move(all), answer);
}

void session_commander::give_again(const line& of) {
  const auto& [all, before] = of.done[random_() % of.done.size()];
  ++repeated_;
  if (const auto answer = ask(all); answer != before)
    wrong_.push_back(all.back() + " again: " + answer.dump() + ", before: " + before.dump());
}

void session_commander::stop_all() {
  for (auto& of : lines_)
    if (of.phase == "running" || of.phase == "paused") give(of, "stop");
}

/// At this node and at that one, until one of them has answered.
json session_commander::ask(const std::vector<std::string>& all) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(180);
  while (true) {
    auto command = all;
    command.emplace_back("--json");
    const int node = 1 + static_cast<int>(random_() % static_cast<unsigned>(run_.nodes()));
    auto answer = json::parse(run_.cli(std::move(command), node).output, nullptr, false);
    if (!answer.is_object()) answer = {{"error", "none"}};
    if (!unanswered(answer) || std::chrono::steady_clock::now() > until) return answer;
  }
}

}  // namespace troupe::test
