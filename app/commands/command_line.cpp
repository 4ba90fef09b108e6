#include "app/commands/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>

#include "actors/trading/parameters.hpp"
#include "app/commands/commands.hpp"
#include "app/feed/pace.hpp"
#include "runtime/base/log.hpp"
#include "runtime/codec/text.hpp"

namespace troupe::app {

using nlohmann::json;

namespace {

bool wants_json(const CLI::App& command) {
  const auto* const option = command.get_option_no_throw("--json");
  return option != nullptr && option->count() > 0;
}

/// What is written must have arrived: a full disk behind a pipe or a file is a failure, too.
int flushed(int code) {
  if (std::cout.flush()) return code;
  throw unwritable_file("standard output: cannot be written: is the disk full, or closed?");
}

/// A command has commands of its own. (Groups of options are commands without a name to CLI11.)
bool has_commands(const CLI::App& app) {
  return !app.get_subcommands([](const CLI::App* s) { return !s->get_name().empty(); }).empty();
}

/// The innermost command that was recognised.
const CLI::App& innermost(const CLI::App& app) {
  for (const auto* sub : app.get_subcommands())
    if (!sub->get_name().empty()) return innermost(*sub);
  return app;
}

std::string help_of(const CLI::App& command) {
  const auto name = full_name(command);
  return "`troupe " + name + (name.empty() ? "" : " ") + "--help`";
}

/// The first word that stands where a command's name belongs and is none.
void refuse_unknown_command(const CLI::App& app, const std::vector<std::string>& words) {
  const auto* at = &app;
  for (const auto& word : words) {
    if (word.starts_with('-') || !has_commands(*at)) return;
    const auto found = at->get_subcommands([&](const CLI::App* s) { return s->check_name(word); });
    if (found.empty())
      throw wrong_arguments("there is no command '" + word + "'; " + help_of(*at) + " lists them");
    at = found.front();
  }
}

/// Everything that is named on the command line may end up in JSON, in SQL or on a terminal.
void refuse_unprintable(const std::vector<std::string>& words) {
  constexpr unsigned char del = 0x7f;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto control = [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return (byte < ' ' && c != '\n' && c != '\t') || byte == del;
    };
    const bool text = is_utf8(words[i]);
    if (text && std::ranges::none_of(words[i], control)) continue;
    throw wrong_arguments(
        "argument " + std::to_string(i + 1) + " of the command line " +
        (text ? "holds control characters: " + printable(words[i]) : "is not UTF-8") +
        "; write it, or rename the file, without them");
  }
}

/// The end of a text behind a mark; nothing: the mark is not there.
std::string behind(const std::string& text, std::string_view mark) {
  const auto at = text.find(mark);
  return at == std::string::npos ? std::string() : text.substr(at + mark.size());
}

/// What is wrong, without the names that CLI11 has for kinds of options.
std::string words_of(const CLI::ParseError& e) {
  const std::string text = e.what();
  switch (static_cast<CLI::ExitCodes>(e.get_exit_code())) {
    case CLI::ExitCodes::ExtrasError:
      return "unknown, or one too many: " + behind(text, ": ");
    case CLI::ExitCodes::ArgumentMismatch:
      return text.substr(0, text.find(':')) + (text.find(": At Most ") == std::string::npos
                                                   ? ": a value is missing"
                                                   : " is there more than once");
    case CLI::ExitCodes::RequiredError:
      if (text == "A subcommand is required") return "a command is missing";
      if (text.starts_with("Requires at most 1"))
        return "only one may be given of " + behind(text, " from ");
      return text;
    default:
      return text;
  }
}

}  // namespace

void on_run(CLI::App& command, int& exit_code, std::function<int()> work) {
  command.callback([&command, &exit_code, work = std::move(work)] {
    // What goes wrong with database and brokers is told once, by the exception.
    for (const auto* component : {"store", "bridge"}) log::set_level(component, log::level::off);
    try {
      exit_code = flushed(work());
    } catch (const std::exception& e) {
      exit_code = tell_failure(full_name(command), as_failure(e), wants_json(command));
    }
  });
}

int tell_failure(const std::string& command, const failure& why, bool as_json) {
  const std::string detail = why.what();
  if (as_json)
    std::cout << why.as_json().dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
  else
    std::cerr << "troupe" << (command.empty() ? "" : " ") << command << ": " << why.name()
              << (detail.empty() ? "" : ": ") << printable(detail) << std::endl;
  return why.name() == wrong_arguments::named ? exit_usage : exit_failed;
}

int run_command_line(CLI::App& app, std::vector<std::string> words, const int& exit_code) {
  const bool as_json = std::ranges::find(words, "--json") != words.end();
  try {
    refuse_unprintable(words);
    refuse_unknown_command(app, words);
    std::ranges::reverse(words);  // As CLI11 takes them.
    app.parse(std::move(words));
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // Help, version.
    const auto& command = innermost(app);
    return tell_failure(full_name(command),
                        wrong_arguments(words_of(e) + "; " + help_of(command) + " explains it"),
                        as_json);
  } catch (const std::exception& e) {
    return tell_failure("", as_failure(e), as_json);
  }
  return exit_code;
}

std::string full_name(const CLI::App& command) {
  const auto* const parent = command.get_parent();
  if (parent == nullptr) return {};
  const auto before = full_name(*parent);
  return before + (before.empty() ? "" : " ") + command.get_name();
}

void add_id_option(CLI::App& to, std::string& id) {
  to.add_option("--id", id,
                "Id of the command: repeated with the same one, it has one effect and one answer "
                "(default: a new one)")
      ->check(CLI::Validator(
          [](std::string& text) {
            return is_name(text) ? std::string()
                                 : "an id must be 1 to 256 bytes of UTF-8 without control "
                                   "characters (without --id the command gets a new one)";
          },
          ""));
}

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const auto range = std::to_string(least) + " to " + std::to_string(most);
  return CLI::Validator(
      [=](std::string& text) {
        std::int64_t value = 0;
        const auto* const end = text.data() + text.size();
        const auto [at, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && at == end && value >= least && value <= most)
          return std::string();
        return "\"" + text + "\" is no whole number from " + range;
      },
      range);
}

CLI::Validator number(double least, double most) {
  const auto range = trading::number_text(least) + " to " + trading::number_text(most);
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        const auto* const end = text.data() + text.size();
        const auto [at, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && at == end && value >= least && value <= most)
          return std::string();
        return "\"" + text + "\" is no number from " + range;
      },
      range);
}

CLI::Validator speed_text() {
  return CLI::Validator(
      [](std::string& text) {
        return feed::parse_speed(text)
                   ? std::string()
                   : "\"" + text + "\" is not max, real or a number above 0, at most 1000000000";
      },
      "max, real or a number");
}

}  // namespace troupe::app
