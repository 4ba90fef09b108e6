#include "runtime/options/load.hpp"

#include <filesystem>

#include "runtime/options/reader.hpp"
#include "runtime/options/reference.hpp"
#include "runtime/options/security_check.hpp"

namespace troupe {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

void describe_cluster_file(section& s, cluster_options& o,
                           const std::vector<domain_section>& domains,
                           const library_checks& judge = {}) {
  describe(s, o, judge);
  for (const auto& domain : domains) s.group(domain.name, domain.text, domain.describe);
}

struct loader {
  const std::vector<domain_section>& domains;
  const environment& env;
  const library_checks& judge;
  config options{};
  std::vector<violation> found{};
  known_options cluster_paths{};
  known_options node_paths{};

  /// Learns where each option belongs, so that one in the wrong file is told its place.
  void learn_paths() {
    const auto cluster = [this](section& s) { describe_cluster_file(s, options.cluster, domains); };
    const auto node = [this](section& s) { describe(s, options.node); };
    collect_paths(node, " in the node's file", cluster_paths);
    collect_paths(cluster, " in the cluster's file", node_paths);
    collect_paths(cluster, "", cluster_paths);
    collect_paths(node, "", node_paths);
  }

  std::optional<json> parse(const std::string& file) {
    const auto text = read_config_text(file, found);
    return text ? parse_config(*text, file, found) : std::nullopt;
  }

  void read_cluster(const json& document, const std::string& file) {
    read_section(document, {file, env, cluster_paths, found},
                 [this](section& s) { describe_cluster_file(s, options.cluster, domains, judge); });
  }

  void read_node(const json& document, const std::string& file) {
    read_section(document, {file, env, node_paths, found},
                 [this](section& s) { describe(s, options.node); });
    check_log_folder(file);
    read_cluster_of(file);
    settle_security(options.node, options.cluster.name, file, found);
  }

  void check_log_folder(const std::string& node_file) {
    const auto& file = options.node.log.file;
    const auto folder = fs::path(file).parent_path();
    std::error_code error;
    if (!folder.empty() && !fs::is_directory(folder, error))
      found.push_back({node_file, "log.file", shown(file), "the folder does not exist"});
  }

  void read_cluster_of(const std::string& node_file) {
    const auto file =
        (fs::path(node_file).parent_path() / options.node.cluster).lexically_normal().string();
    std::error_code error;
    if (!fs::exists(file, error)) {
      found.push_back(
          {node_file, "cluster", shown(options.node.cluster), "there is no file " + file});
    } else if (const auto document = parse(file)) {
      read_cluster(*document, file);
    }
  }
};

}  // namespace

config_result load_config(const std::string& node_file, const std::vector<domain_section>& domains,
                          const environment& env, const library_checks& judge) {
  loader load{domains, env, judge};
  load.learn_paths();
  if (const auto document = load.parse(node_file)) load.read_node(*document, node_file);
  if (!load.found.empty()) return {std::nullopt, std::move(load.found)};
  return {std::move(load.options), {}};
}

std::vector<violation> check_config(const std::string& file,
                                    const std::vector<domain_section>& domains,
                                    const environment& env, const library_checks& judge) {
  loader load{domains, env, judge};
  load.learn_paths();
  const auto document = load.parse(file);
  if (!document) return std::move(load.found);
  if (document->contains("id") || document->contains("cluster"))
    load.read_node(*document, file);
  else
    load.read_cluster(*document, file);
  return std::move(load.found);
}

std::string print_reference(const std::vector<domain_section>& domains) {
  cluster_options cluster;
  node_options node;
  const auto all = [&](section& s) {
    s.group("cluster", "The cluster's file, config/local/cluster.json: the same on every node.",
            [&](section& g) { describe_cluster_file(g, cluster, domains); });
    s.group("node", "A node's file, such as config/local/node-1.json.",
            [&](section& g) { describe(g, node); });
  };
  return print_section(all) + '\n';
}

}  // namespace troupe
