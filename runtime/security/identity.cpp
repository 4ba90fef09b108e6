#include "runtime/security/identity.hpp"

#include <algorithm>

#include "runtime/security/openssl.hpp"

namespace troupe::security {

namespace {

constexpr std::string_view scheme = "troupe://";
constexpr std::string_view node_word = "node", operator_word = "operator";

std::string_view as_text(const ASN1_STRING* s) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(s)),
          static_cast<std::size_t>(ASN1_STRING_length(s))};
}

}  // namespace

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, fits);
}

std::string short_text(const identity& who) {
  return std::string(who.as == role::node ? node_word : operator_word) + '/' + who.name;
}

std::string to_uri(const identity& who) {
  return std::string(scheme) + who.cluster + '/' + short_text(who);
}

std::optional<identity> parse_identity(std::string_view uri) {
  if (!uri.starts_with(scheme)) return std::nullopt;
  uri.remove_prefix(scheme.size());
  const auto first = uri.find('/');
  const auto second = first == uri.npos ? uri.npos : uri.find('/', first + 1);
  if (second == uri.npos) return std::nullopt;
  const auto word = uri.substr(first + 1, second - first - 1);
  if (word != node_word && word != operator_word) return std::nullopt;
  const identity who{std::string(uri.substr(0, first)),
                     word == node_word ? role::node : role::operator_,
                     std::string(uri.substr(second + 1))};
  return is_name(who.cluster) && is_name(who.name) ? std::optional(who) : std::nullopt;
}

std::optional<identity> identity_of(const x509_st* certificate) {
  std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>> names{static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  std::optional<identity> found;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const auto who = parse_identity(as_text(name->d.uniformResourceIdentifier));
    if (!who) continue;
    if (found) return std::nullopt;
    found = who;
  }
  return found;
}

}  // namespace troupe::security
