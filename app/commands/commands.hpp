#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace troupe::app {

/// Exit codes of every command: 0 done, 1 refused or failed (standard error says why), 2 wrong
/// usage, 130 stopped by Ctrl-C with everything in order.
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_interrupted = 130;

// Each adds one subcommand, whose run leaves its exit code in `exit_code`.
void add_node_command(CLI::App& app, int& exit_code);
void add_status_commands(CLI::App& app, int& exit_code);
void add_cluster_commands(CLI::App& app, int& exit_code);  // After the node command.
void add_up_commands(CLI::App& app, int& exit_code);
void add_symbol_command(CLI::App& app, int& exit_code);
void add_session_command(CLI::App& app, int& exit_code);
void add_trading_commands(CLI::App& app, int& exit_code);
void add_notification_command(CLI::App& app, int& exit_code);
void add_quarantine_command(CLI::App& app, int& exit_code);
void add_topic_command(CLI::App& app, int& exit_code);
void add_migrate_command(CLI::App& app, int& exit_code);
void add_certs_command(CLI::App& app, int& exit_code);
void add_feed_command(CLI::App& app, int& exit_code);
void add_generate_command(CLI::App& app, int& exit_code);
void add_backtest_command(CLI::App& app, int& exit_code);

/// What follows an answer of a node that has no valid lease, on a line of its own; else nothing.
std::string stale_note(const nlohmann::json& answer);
/// Shards as the verb `shards` tells them, a line each.
void print_shards(const nlohmann::json& shards);
/// The option `--config` of a command that talks to a running node or to its services.
CLI::Option* add_config_option(CLI::App& command, std::string& file);

}  // namespace troupe::app
