#include "app/commands/config_command.hpp"

#include <algorithm>
#include <memory>
#include <ostream>

#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"
#include "runtime/options/load.hpp"

namespace troupe {
namespace {

using nlohmann::json;

/// Files and everything that is wrong with them; the cluster's file of several nodes is reported
/// once.
struct check_result {
  std::vector<std::string> files;
  std::vector<violation> violations;
};

check_result check_files(const std::vector<std::string>& files) {
  const auto text = [](const violation& v) { return to_string(v); };
  check_result result{files, {}};
  for (const auto& file : files) {
    app::settings all;
    for (auto& v : check_config(file, app::domain_sections(all), process_environment(),
                                app::checks_of_libraries()))
      if (std::ranges::find(result.violations, to_string(v), text) == result.violations.end())
        result.violations.push_back(std::move(v));
  }
  return result;
}

std::string count_of(const check_result& result) {
  const auto count = result.violations.size();
  return std::to_string(count) + (count == 1 ? " violation" : " violations");
}

std::string as_json(const check_result& result) {
  json all{{"files", result.files}, {"violations", app::violations_json(result.violations)}};
  if (!result.violations.empty()) {
    all["error"] = "bad_config";
    all["detail"] = count_of(result) + "; the first is " + to_string(result.violations.front());
  }
  return all.dump(2, ' ', false, json::error_handler_t::replace);
}

std::string as_text(const check_result& result) {
  if (result.violations.empty()) return "Nothing is wrong.";
  std::string out;
  for (const auto& v : result.violations) out += to_string(v) + '\n';
  return app::printable(out) + count_of(result);
}

struct check_arguments {
  std::vector<std::string> files;
  bool json = false;
};

void add_check(CLI::App& config, int& exit_code, std::ostream& out) {
  auto* command = config.add_subcommand(
      "check", "Report everything that is wrong with config files; start nothing");
  const auto arguments = std::make_shared<check_arguments>();
  command
      ->add_option("FILE", arguments->files,
                   "A node's file (its cluster's file is checked too), or a cluster's file")
      ->required();
  command->add_flag("--json", arguments->json, "One JSON object instead of lines");
  app::on_run(*command, exit_code, [arguments, &out] {
    const auto result = check_files(arguments->files);
    out << (arguments->json ? as_json(result) : as_text(result)) << '\n';
    return result.violations.empty() ? 0 : app::exit_failed;
  });
}

void add_reference(CLI::App& config, int& exit_code, std::ostream& out) {
  auto* command = config.add_subcommand(
      "reference", "Print every option with its default, unit, range and trade-off");
  app::on_run(*command, exit_code, [&out] {
    app::settings all;
    out << print_reference(app::domain_sections(all));
    return 0;
  });
}

}  // namespace

void add_config_command(CLI::App& app, int& exit_code, std::ostream& out) {
  auto* config =
      app.add_subcommand("config", "Check config files, look options up")->require_subcommand(1);
  add_check(*config, exit_code, out);
  add_reference(*config, exit_code, out);
}

}  // namespace troupe
