#include "runtime/options/security_check.hpp"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <set>

#include "runtime/options/document.hpp"
#include "runtime/security/credentials.hpp"
#include "runtime/security/token.hpp"

namespace troupe {

namespace {

namespace fs = std::filesystem;

bool is_loopback(const std::string& host) {
  std::array<unsigned char, 4> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 && address[0] == 127;
}

/// One check of a node's file; remembers what it was told.
class security_check {
 public:
  security_check(node_options& node, const std::string& cluster, const std::string& file,
                 std::vector<violation>& found)
      : node_(node), o_(node.security), cluster_(cluster), file_(file), found_(found) {}

  void run() {
    written_ = o_;
    for (auto* path : {&o_.ca_file, &o_.certificate_file, &o_.key_file,
                       &o_.operator_certificate_file, &o_.operator_key_file, &o_.token_file})
      if (!path->empty())
        *path = (fs::path(file_).parent_path() / *path).lexically_normal().string();
    read_token();
    check_certificates();
    check_hosts();
  }

 private:
  void report(const std::string& field, const std::string& value, std::string allowed) {
    found_.push_back({file_, field, value, std::move(allowed)});
  }
  void report_file(const char* name, std::string security_options::*path, std::string allowed) {
    report(std::string("security.") + name, shown(written_.*path), std::move(allowed));
  }

  void read_token() {
    if (!o_.token_file.empty() && !o_.token.empty())
      return report_file("token_file", &security_options::token_file,
                         "must not be set besides token: one of them is enough");
    if (!o_.token_file.empty()) {
      struct stat s {};
      std::ifstream in(o_.token_file);
      if (::stat(o_.token_file.c_str(), &s) != 0 || !in)
        return report_file("token_file", &security_options::token_file,
                           "there is no such file, or it cannot be read");
      if (S_ISDIR(s.st_mode))
        return report_file("token_file", &security_options::token_file, "is a folder, not a file");
      if ((s.st_mode & 0027) != 0)
        return report_file("token_file", &security_options::token_file,
                           "can be read or changed by other users: chmod 600 " + o_.token_file);
      in >> o_.token;
      if (!security::is_token(o_.token))
        return report_file("token_file", &security_options::token_file,
                           "must hold 16 to 128 visible characters without spaces");
    } else if (!o_.token.empty() && !security::is_token(o_.token)) {
      report("security.token", "\"***\"",
             "must be 16 to 128 visible characters without spaces (openssl rand -hex 16 makes "
             "some)");
    }
  }

  void check_certificates() {
    const bool by_operator = !o_.operator_certificate_file.empty() || !o_.operator_key_file.empty();
    // An operator's own config has no node's certificate.
    const bool by_node = !o_.certificate_file.empty() || !o_.key_file.empty() ||
                         (!o_.ca_file.empty() && !by_operator);
    if (by_node)
      check_pair({"certificate_file", &security_options::certificate_file},
                 {"key_file", &security_options::key_file}, security::role::node, node_.id);
    if (by_operator)
      check_pair({"operator_certificate_file", &security_options::operator_certificate_file},
                 {"operator_key_file", &security_options::operator_key_file},
                 security::role::operator_, {});
  }

  struct file_option {
    const char* name;
    std::string security_options::*path;
  };

  void check_pair(file_option certificate, file_option key, security::role as,
                  const std::string& name) {
    const file_option ca{"ca_file", &security_options::ca_file};
    bool complete = true;
    for (const auto& f : {ca, certificate, key})
      if ((o_.*f.path).empty()) {
        complete = false;
        report(std::string("security.") + f.name, "",
               "is missing: certificates need ca_file, " + std::string(certificate.name) + " and " +
                   key.name + " (troupe certs makes them)");
      }
    if (!complete) return;
    using files = security::credential_files;
    for (const auto& p : security::problems_of({o_.*ca.path, o_.*certificate.path, o_.*key.path},
                                               {cluster_, as, name})) {
      const auto& f = p.file == &files::ca ? ca : p.file == &files::key ? key : certificate;
      if (reported_.insert(std::string(f.name) + p.text).second)
        report_file(f.name, f.path, p.text);
    }
  }

  void check_hosts() {
    if (!is_loopback(node_.admin.host)) {
      if (!o_.tls() && !o_.insecure)
        report("admin.host", shown(node_.admin.host),
               "must be a loopback address (127.x.x.x), or security must have certificates "
               "(troupe certs makes them) or say \"insecure\": true");
      if (!o_.tls() && o_.insecure && o_.token.empty())
        report("admin.host", shown(node_.admin.host),
               "needs security.token: without TLS it is all that keeps strangers out");
      if (node_.admin.host == "0.0.0.0")
        report("admin.host", shown(node_.admin.host),
               "must be this machine's own address: it is where the other nodes call");
    }
    if (!is_loopback(node_.http.host) && o_.token.empty())
      report("http.host", shown(node_.http.host),
             "must be a loopback address (127.x.x.x), or security.token must be set");
  }

  node_options& node_;
  security_options& o_;
  security_options written_;  // Paths as they stand in the file.
  const std::string& cluster_;
  const std::string& file_;
  std::vector<violation>& found_;
  std::set<std::string> reported_;  // Both pairs have the same ca_file.
};

}  // namespace

void settle_security(node_options& node, const std::string& cluster, const std::string& node_file,
                     std::vector<violation>& found) {
  security_check(node, cluster, node_file, found).run();
}

}  // namespace troupe
