#include "runtime/security/certificates.hpp"

#include <arpa/inet.h>

#include <array>
#include <stdexcept>

#include "runtime/security/openssl.hpp"

namespace troupe::security {

namespace {

using namespace std::chrono_literals;

/// Clocks differ a little between machines.
constexpr auto clock_skew = 5min;

void must(bool fine, const char* what) {
  if (!fine) throw std::runtime_error(std::string(what) + ": " + last_error());
}

std::string contents(BIO* bio) {
  const char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

bio_ptr reading(const std::string& text) {
  return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

certificate_ptr read_certificate(const std::string& pem) {
  certificate_ptr c(PEM_read_bio_X509(reading(pem).get(), nullptr, nullptr, nullptr));
  must(c != nullptr, "this is no certificate in PEM form");
  return c;
}

key_ptr read_key(const std::string& pem) {
  key_ptr k(PEM_read_bio_PrivateKey(reading(pem).get(), nullptr, nullptr, nullptr));
  must(k != nullptr, "this is no private key in PEM form");
  return k;
}

std::string to_pem(X509* certificate) {
  bio_ptr out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(out.get(), certificate) == 1, "cannot write a certificate");
  return contents(out.get());
}

std::string to_pem(EVP_PKEY* key) {
  bio_ptr out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
       "cannot write a key");
  return contents(out.get());
}

void add_name(X509_NAME* name, const char* part, const std::string& text) {
  must(X509_NAME_add_entry_by_txt(name, part, MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1,
                                  0) == 1,
       "cannot name a certificate");
}

void add_extension(X509* to, X509* issuer, int nid, const std::string& text) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>> e(
      X509V3_EXT_conf_nid(nullptr, &context, nid, text.c_str()));
  must(e && X509_add_ext(to, e.get(), -1) == 1, "cannot extend a certificate");
}

/// A certificate for `key` with everything but its extensions and its signature.
certificate_ptr begin_certificate(EVP_PKEY* key, const std::string& cluster,
                                  const std::string& name, std::chrono::seconds from,
                                  std::chrono::seconds valid) {
  certificate_ptr c(X509_new());
  must(c && X509_set_version(c.get(), X509_VERSION_3) == 1, "cannot make a certificate");
  std::unique_ptr<BIGNUM, freed_by<BN_free>> serial(BN_new());
  must(serial && BN_rand(serial.get(), 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(c.get())) != nullptr,
       "cannot number a certificate");
  X509_gmtime_adj(X509_getm_notBefore(c.get()), (from - clock_skew).count());
  X509_gmtime_adj(X509_getm_notAfter(c.get()), (from + valid).count());
  auto* subject = X509_get_subject_name(c.get());
  add_name(subject, "O", cluster);
  add_name(subject, "CN", name);
  must(X509_set_pubkey(c.get(), key) == 1, "cannot make a certificate");
  return c;
}

constexpr const char* authority_name = "Troupe authority";

std::string subject_part(const X509* c, int nid) {
  std::array<char, 256> text{};
  const int n = X509_NAME_get_text_by_NID(X509_get_subject_name(c), nid, text.data(), text.size());
  return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : std::string();
}

std::string alternative_names(const certificate_request& what) {
  std::string out = "URI:" + to_uri(what.who);
  for (const auto& host : what.hosts) {
    in_addr address{};
    const bool ip = inet_pton(AF_INET, host.c_str(), &address) == 1;
    if (host.find_first_of(",:\n\r") != host.npos || host.empty())
      throw std::runtime_error("'" + host + "' is no IPv4 address and no host name");
    out += (ip ? ",IP:" : ",DNS:") + host;
  }
  return out;
}

std::string time_text(const ASN1_TIME* t) {
  bio_ptr out(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(out.get(), t);
  return contents(out.get());
}

std::string extension_text(const X509* c, int nid) {
  const int at = X509_get_ext_by_NID(c, nid, -1);
  if (at < 0) return "-";
  bio_ptr out(BIO_new(BIO_s_mem()));
  X509V3_EXT_print(out.get(), X509_get_ext(c, at), 0, 0);
  return contents(out.get());
}

}  // namespace

key_pair make_authority(const std::string& cluster, std::chrono::seconds valid) {
  const key_ptr key(EVP_EC_gen("P-256"));
  must(key != nullptr, "cannot make a key");
  const auto c = begin_certificate(key.get(), cluster, authority_name, 0s, valid);
  must(X509_set_issuer_name(c.get(), X509_get_subject_name(c.get())) == 1, "cannot name an issuer");
  add_extension(c.get(), c.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(c.get(), c.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(c.get(), c.get(), NID_subject_key_identifier, "hash");
  must(X509_sign(c.get(), key.get(), EVP_sha256()) > 0, "cannot sign");
  return {to_pem(c.get()), to_pem(key.get())};
}

key_pair issue(const key_pair& authority, const certificate_request& what) {
  const auto issuer = read_certificate(authority.certificate);
  const auto issuer_key = read_key(authority.key);
  if (X509_check_private_key(issuer.get(), issuer_key.get()) != 1)
    throw std::runtime_error("the authority's key does not belong to its certificate");
  const auto cluster = authority_of(authority.certificate);
  if (cluster != what.who.cluster)
    throw std::runtime_error("this is the authority of cluster '" + cluster + "', not of '" +
                             what.who.cluster + "'");
  const key_ptr key(EVP_EC_gen("P-256"));
  must(key != nullptr, "cannot make a key");
  const auto c = begin_certificate(key.get(), cluster, short_text(what.who), what.from, what.valid);
  must(X509_set_issuer_name(c.get(), X509_get_subject_name(issuer.get())) == 1,
       "cannot name an issuer");
  // It is worth nothing once its authority has ended.
  if (const auto* end = X509_get0_notAfter(issuer.get());
      ASN1_TIME_compare(X509_get0_notAfter(c.get()), end) > 0)
    must(X509_set1_notAfter(c.get(), end) == 1, "cannot make a certificate");
  add_extension(c.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(c.get(), issuer.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(c.get(), issuer.get(), NID_ext_key_usage,
                what.who.as == role::node ? "serverAuth,clientAuth" : "clientAuth");
  add_extension(c.get(), issuer.get(), NID_subject_key_identifier, "hash");
  add_extension(c.get(), issuer.get(), NID_authority_key_identifier, "keyid:always");
  add_extension(c.get(), issuer.get(), NID_subject_alt_name, alternative_names(what));
  must(X509_sign(c.get(), issuer_key.get(), EVP_sha256()) > 0, "cannot sign");
  return {to_pem(c.get()), to_pem(key.get())};
}

std::string authority_of(const std::string& certificate) {
  const auto c = read_certificate(certificate);
  return X509_check_ca(c.get()) == 1 ? subject_part(c.get(), NID_organizationName) : std::string();
}

std::string describe_certificate(const std::string& certificate) {
  const auto c = read_certificate(certificate);
  const auto who = identity_of(c.get());
  const bool authority = X509_check_ca(c.get()) == 1;
  const bool over = X509_cmp_current_time(X509_get0_notAfter(c.get())) < 0;
  std::string out = "identity    ";
  out += who         ? to_uri(*who)
         : authority ? "authority of cluster " + subject_part(c.get(), NID_organizationName)
                     : "none (this is no certificate of a cluster)";
  out += "\nvalid from  " + time_text(X509_get0_notBefore(c.get()));
  out += "\nvalid to    " + time_text(X509_get0_notAfter(c.get())) + (over ? "  EXPIRED" : "");
  out += "\nissuer      " + extension_text(c.get(), NID_authority_key_identifier);
  out += "\nkey         " + extension_text(c.get(), NID_subject_key_identifier);
  out += "\nnames       " + extension_text(c.get(), NID_subject_alt_name);
  out += "\nuse         " + extension_text(c.get(), NID_ext_key_usage);
  return out + '\n';
}

}  // namespace troupe::security
