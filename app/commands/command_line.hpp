#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "app/failure.hpp"

namespace troupe::app {

/// Gives a command its work, whose result becomes `exit_code`. What it throws is told in the form
/// that all commands share, see tell_failure. All must outlive `command`.
void on_run(CLI::App& command, int& exit_code, std::function<int()> work);

/// `troupe COMMAND: NAME: what and what to do` on standard error, or, as JSON, `{"error",
/// "detail"}` and what else is known on standard output. Returns the exit code: 2 for wrong
/// arguments, else 1. `command`: `session start`; empty: none.
int tell_failure(const std::string& command, const failure& why, bool as_json);

/// Runs what `words` (all of the command line but the program's name) ask for; `exit_code` is what
/// the commands of `app` set. Returns the exit code. What the words themselves have wrong is told
/// as every failure is; `--json` anywhere among them counts.
int run_command_line(CLI::App& app, std::vector<std::string> words, const int& exit_code);

/// `session start` of `troupe session start`.
std::string full_name(const CLI::App& command);

/// `--id`, of a command that is given to an entity.
void add_id_option(CLI::App& to, std::string& id);

// Checks of options, each told with the option's name and what is allowed.

/// Whole numbers in decimal digits.
CLI::Validator whole_number(std::int64_t least, std::int64_t most);
/// Numbers; no infinity, no NaN.
CLI::Validator number(double least, double most);
/// What feed::parse_speed takes.
CLI::Validator speed_text();

}  // namespace troupe::app
