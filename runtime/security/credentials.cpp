#include "runtime/security/credentials.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/base/log.hpp"
#include "runtime/security/openssl.hpp"

namespace troupe::security {

namespace {

constexpr const char* maker = " (troupe certs makes them)";

/// The file opened for reading, or why not.
bio_ptr open(const std::string& path, std::string& why) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {  // It can be opened, but not read.
    why = "is a folder, not a file";
    return nullptr;
  }
  bio_ptr in(BIO_new_file(path.c_str(), "r"));
  if (!in)
    why = errno == ENOENT ? std::string("does not exist") + maker
                          : std::string("cannot be read: ") + std::strerror(errno);
  ERR_clear_error();
  return in;
}

std::vector<certificate_ptr> read_certificates(const std::string& path, std::string& why) {
  std::vector<certificate_ptr> all;
  const auto in = open(path, why);
  if (!in) return all;
  while (certificate_ptr c{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)})
    all.push_back(std::move(c));
  ERR_clear_error();
  if (all.empty()) why = "holds no certificate in PEM form";
  return all;
}

key_ptr read_key(const std::string& path, std::string& why) {
  const auto in = open(path, why);
  if (!in) return nullptr;
  const auto no_password = [](char*, int, int, void*) { return 0; };
  key_ptr key(PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!key) why = "holds no private key in PEM form without a password";
  return key;
}

/// A key that any user of the machine can read, or others of its group change, proves nothing.
std::string exposure_of(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0 || S_ISDIR(s.st_mode) || (s.st_mode & 0027) == 0) return {};
  return "can be read or changed by other users: chmod 600 " + path;
}

/// How OpenSSL would judge it in a handshake; empty: well.
std::string verdict_on(const std::vector<certificate_ptr>& chain,
                       const std::vector<certificate_ptr>& authorities, role as) {
  std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>> trusted(X509_STORE_new());
  for (const auto& a : authorities) X509_STORE_add_cert(trusted.get(), a.get());
  std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * s) { sk_X509_free(s); })> between(
      sk_X509_new_null());
  for (std::size_t i = 1; i < chain.size(); ++i) sk_X509_push(between.get(), chain[i].get());
  std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  X509_STORE_CTX_init(check.get(), trusted.get(), chain.front().get(), between.get());
  X509_STORE_CTX_set_purpose(check.get(),
                             as == role::node ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
  if (X509_verify_cert(check.get()) == 1) return {};
  const int error = X509_STORE_CTX_get_error(check.get());
  ERR_clear_error();
  if (error == X509_V_ERR_CERT_HAS_EXPIRED) return "has expired: make a new one";
  if (error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
      error == X509_V_ERR_CERT_SIGNATURE_FAILURE || error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
    return "was not issued by an authority in ca_file";
  return std::string("would be refused: ") + X509_verify_cert_error_string(error);
}

std::string holder_problem(const X509* certificate, const identity& expected) {
  const auto who = identity_of(certificate);
  if (!who)
    return "names no holder: it needs one URI " +
           to_uri({expected.cluster, expected.as, expected.name.empty() ? "NAME" : expected.name}) +
           " in its subjectAltName";
  if (who->cluster != expected.cluster)
    return "is of cluster " + who->cluster + ", this is " + expected.cluster;
  if (who->as != expected.as || (!expected.name.empty() && who->name != expected.name))
    return "belongs to " + short_text(*who) + ", not to " +
           (expected.name.empty() ? "an operator" : short_text(expected));
  return {};
}

}  // namespace

std::vector<credential_problem> problems_of(const credential_files& files,
                                            const identity& expected) {
  std::vector<credential_problem> found;
  std::string why;
  const auto authorities = read_certificates(files.ca, why);
  if (authorities.empty()) found.push_back({&credential_files::ca, std::exchange(why, {})});
  for (const auto& a : authorities)
    if (X509_cmp_current_time(X509_get0_notAfter(a.get())) < 0)
      found.push_back({&credential_files::ca, "holds an authority that has expired: remove it"});
  const auto chain = read_certificates(files.certificate, why);
  if (chain.empty())
    found.push_back({&credential_files::certificate, std::exchange(why, {})});
  else if (auto wrong = holder_problem(chain.front().get(), expected); !wrong.empty())
    found.push_back({&credential_files::certificate, std::move(wrong)});
  if (!chain.empty() && !authorities.empty())
    if (auto wrong = verdict_on(chain, authorities, expected.as); !wrong.empty())
      found.push_back({&credential_files::certificate, std::move(wrong)});
  const auto key = read_key(files.key, why);
  if (!key)
    found.push_back({&credential_files::key, std::move(why)});
  else if (!chain.empty() && X509_check_private_key(chain.front().get(), key.get()) != 1)
    found.push_back({&credential_files::key, "does not belong to the certificate"});
  ERR_clear_error();
  if (auto wrong = exposure_of(files.key); !wrong.empty())
    found.push_back({&credential_files::key, std::move(wrong)});
  return found;
}

std::optional<identity> holder_of(const std::string& certificate_file) {
  std::string why;
  const auto chain = read_certificates(certificate_file, why);
  return chain.empty() ? std::nullopt : identity_of(chain.front().get());
}

credentials::credentials(credential_files files, identity expected)
    : files_(std::move(files)), expected_(std::move(expected)) {
  // OpenSSL's own end must not come before that of threads that still close connections.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  loaded_ = stamps_now();
  load();
}

std::shared_ptr<SSL_CTX> credentials::context() {
  const std::lock_guard lock(mutex_);
  if (const auto now = stamps_now(); now != loaded_) try {
      load();
      loaded_ = now;
      log::info("cluster", "certificates_reloaded", {{"file", files_.certificate}});
    } catch (const credentials_error& e) {
      if (std::exchange(refused_, now) != now)
        log::warn("cluster", "certificates_not_reloaded", {{"reason", e.what()}});
    }
  return context_;
}

int credentials::days_left() {
  const auto now = context();
  int days = 0, seconds = 0;
  ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(SSL_CTX_get0_certificate(now.get())));
  return seconds < 0 ? days - 1 : days;
}

credentials::stamps credentials::stamps_now() const {
  stamps all;
  for (const auto* file : {&files_.ca, &files_.certificate, &files_.key}) {
    std::error_code error;
    all.push_back(std::filesystem::last_write_time(*file, error));
  }
  return all;
}

void credentials::load() {
  for (const auto& p : problems_of(files_, expected_))
    throw credentials_error(files_.*p.file + ' ' + p.text);
  context_ptr c(SSL_CTX_new(TLS_method()));
  constexpr long chain_bytes_max = 32 * 1024;
  if (!c || SSL_CTX_set_min_proto_version(c.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_use_certificate_chain_file(c.get(), files_.certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(c.get(), files_.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(c.get(), files_.ca.c_str(), nullptr) != 1)
    throw credentials_error(files_.certificate + " cannot be used: " + last_error());
  SSL_CTX_set_mode(c.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(c.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c.get(), 0);
  SSL_CTX_set_max_cert_list(c.get(), chain_bytes_max);
  SSL_CTX_set_verify(c.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  context_ = std::shared_ptr<SSL_CTX>(std::move(c));
}

}  // namespace troupe::security
