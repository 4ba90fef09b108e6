#include <iostream>

#include "app/certificate_folder.hpp"
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
  for (const auto& name : o.names) {
    folder.issue(as, name, o.hosts);
    std::cout << "made " << folder.certificate(name) << ", " << folder.key(name) << '\n';
  }
  return 0;
}

int show(const options& o) {
  for (const auto& file : o.files) {
    if (o.files.size() > 1) std::cout << file << '\n';
    std::cout << security::describe_certificate(read_text_file(file));
  }
  return 0;
}

void add_folder_options(CLI::App& command, options& o, int days) {
  command.add_option("--dir", o.folder.folder, "Folder of the certificates")->capture_default_str();
  command
      .add_option_function<int>(
          "--days", [&o](const int& n) { o.folder.days = n; },
          "How long they are good for; default " + std::to_string(days))
      ->check(CLI::Range(1, 36'500));
  command.add_flag("--force", o.folder.force, "Replace files that exist");
  command.preparse_callback([&o, days](std::size_t) { o.folder.days = days; });
}

}  // namespace

void add_certs_command(CLI::App& app, int& exit_code) {
  static options o;
  auto* certs = app.add_subcommand(
      "certs", "Makes the certificates of a cluster: its authority, its nodes, its operators");
  certs->require_subcommand(1);
  certs->footer(
      "Example:\n  troupe certs init --cluster troupe\n  troupe certs node node-1 node-2 node-3\n"
      "  troupe certs operator alice\nThen name them in the nodes' files: see docs/operations.md.");

  auto* authority = certs->add_subcommand("init", "The authority that signs all others");
  add_folder_options(*authority, o, 3650);
  authority->add_option("--cluster", o.cluster, "Name of the cluster, as in its file")
      ->capture_default_str();
  authority->callback([&exit_code] { exit_code = guarded("certs init", [] { return init(o); }); });

  auto* node = certs->add_subcommand("node", "Certificates of nodes");
  add_folder_options(*node, o, 365);
  node->add_option("id", o.names, "Their ids")->required();
  node->add_option("--host", o.hosts,
                   "Addresses and names of the machine, for tools that check them; Troupe itself "
                   "checks the id");
  node->callback([&exit_code] {
    exit_code = guarded("certs node", [] { return issue(o, security::role::node); });
  });

  auto* person = certs->add_subcommand("operator", "Certificates for the command line");
  add_folder_options(*person, o, 365);
  person->add_option("name", o.names, "Who is to hold them")->required();
  person->callback([&exit_code] {
    exit_code = guarded("certs operator", [] { return issue(o, security::role::operator_); });
  });

  auto* look = certs->add_subcommand("show", "What certificates say");
  look->add_option("file", o.files, "Files in PEM form")->required();
  look->callback([&exit_code] { exit_code = guarded("certs show", [] { return show(o); }); });
}

}  // namespace troupe::app
