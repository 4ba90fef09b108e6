#include <iostream>

#include "app/certificate_folder.hpp"
#include "app/commands/command_line.hpp"
#include "app/commands/commands.hpp"

namespace troupe::app {

namespace {

struct options {
  certificate_folder::options folder;
  std::string cluster = "troupe";
  std::vector<std::string> names;
  std::vector<std::string> hosts;
  std::vector<std::string> files;
};

int init(const options& o) {
  const certificate_folder folder(o.folder);
  folder.make_authority(o.cluster);
  std::cout << "made the authority of cluster " << o.cluster << ": " << folder.authority() << ", "
            << folder.key("ca") << " (keep this one to yourself)\n";
  return 0;
}

int issue(const options& o, security::role as) {
  const certificate_folder folder(o.folder);
  folder.check(o.names);  // Before the first is made.
  for (const auto& name : o.names) {
    folder.issue(as, name, o.hosts);
    std::cout << "made " << folder.certificate(name) << ", " << folder.key(name) << '\n';
  }
  return 0;
}

std::string description_of(const std::string& file) {
  const auto text = read_text_file(file);
  try {
    return security::describe_certificate(text);
  } catch (const std::runtime_error&) {  // In OpenSSL's words.
    throw unusable_file(file +
                        ": is no certificate in PEM form, which begins with -----BEGIN "
                        "CERTIFICATE-----");
  }
}

int show(const options& o) {
  for (const auto& file : o.files) {
    const auto text = description_of(file);
    if (o.files.size() > 1) std::cout << file << '\n';
    std::cout << text;
  }
  return 0;
}

void add_folder_options(CLI::App& command, options& o, int days) {
  command.add_option("--dir", o.folder.folder, "Folder of the certificates")->capture_default_str();
  command
      .add_option_function<int>(
          "--days", [&o](const int& n) { o.folder.days = n; },
          "Days that they are good for (default: " + std::to_string(days) + ")")
      ->check(whole_number(1, 36'500));
  command.add_flag("--force", o.folder.force, "Replace files that exist");
  command.preparse_callback([&o, days](std::size_t) { o.folder.days = days; });
}

}  // namespace

void add_certs_command(CLI::App& app, int& exit_code) {
  static options o;
  auto* certs = app.add_subcommand(
      "certs", "Makes the certificates of a cluster: its authority, its nodes, its operators");
  certs->require_subcommand(1);

  auto* authority = certs->add_subcommand("init", "The authority that signs all others");
  add_folder_options(*authority, o, 3650);
  authority->add_option("--cluster", o.cluster, "Name of the cluster, as in its file")
      ->capture_default_str();
  on_run(*authority, exit_code, [] { return init(o); });

  auto* node = certs->add_subcommand("node", "Certificates of nodes");
  add_folder_options(*node, o, 365);
  node->add_option("id", o.names, "Their ids, as in the nodes' files")->required();
  node->add_option(
      "--host", o.hosts,
      "Address or name of the machine, for tools that check it; repeatable. Troupe itself "
      "checks the id");
  on_run(*node, exit_code, [] { return issue(o, security::role::node); });

  auto* person = certs->add_subcommand("operator", "Certificates for the command line");
  add_folder_options(*person, o, 365);
  person->add_option("name", o.names, "Who is to hold them")->required();
  on_run(*person, exit_code, [] { return issue(o, security::role::operator_); });

  auto* look = certs->add_subcommand("show", "What certificates say");
  look->add_option("file", o.files, "Files in PEM form")->required();
  on_run(*look, exit_code, [] { return show(o); });
}

}  // namespace troupe::app
