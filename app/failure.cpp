#include "app/failure.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>

#include "app/mapping.hpp"
#include "runtime/store/store_error.hpp"

namespace troupe::app {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// More is no file of settings, limits or keys.
constexpr std::streamsize text_bytes_max = 64 << 20;

/// What an answer says of its refusal, in one text.
std::string detail_of(const json& answer) {
  if (const auto told = answer.find("detail"); told != answer.end())
    return told->is_string() ? told->get<std::string>() : told->dump();
  std::string all;
  for (const auto& fault : answer.value("faults", json::array()))
    (all += all.empty() ? "" : "; ") += fault.is_string() ? fault.get<std::string>() : fault.dump();
  return all;
}

/// What the database's library says, without what it was about and without its questions.
std::string store_words(std::string text) {
  for (const std::string_view what : {"connect: ", "transaction: "})
    if (text.starts_with(what)) text.erase(0, what.size());
  text.erase(std::min(text.find("Is the server running"), text.size()));
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.pop_back();
  return text;
}

failure file_failure(const fs::filesystem_error& e) {
  return unwritable_file(e.path1().string() + ": " + e.code().message());
}

}  // namespace

failure::failure(std::string name, const std::string& detail, json more)
    : std::runtime_error(detail), name_(std::move(name)), more_(std::move(more)) {}

json failure::as_json() const {
  auto all = more_;
  all["error"] = name_;
  all["detail"] = what();
  return all;
}

void throw_refusal(const json& answer) {
  if (!answer.is_object() || !answer.contains("error")) return;
  const auto& name = answer.at("error");
  throw failure(name.is_string() ? name.get<std::string>() : name.dump(), detail_of(answer),
                answer);
}

failure as_failure(const std::exception& e) {
  if (const auto* known = dynamic_cast<const failure*>(&e)) return *known;
  if (dynamic_cast<const store::unavailable_error*>(&e) != nullptr)
    return {"store_unavailable", "PostgreSQL cannot be used now (" + store_words(e.what()) +
                                     "): see that it runs and that postgres.dsn in the cluster's "
                                     "file is right"};
  if (dynamic_cast<const store::refused*>(&e) != nullptr)
    return {"store_refused", store_words(e.what())};
  if (dynamic_cast<const kafka_unavailable*>(&e) != nullptr)
    return {"bridge_unavailable", std::string(e.what()) +
                                      ": see that Kafka runs and that kafka.brokers in the "
                                      "cluster's file is right"};
  if (const auto* file = dynamic_cast<const fs::filesystem_error*>(&e)) return file_failure(*file);
  if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr)
    return {"out_of_memory", "this takes more memory than there is: ask for less at a time"};
  if (dynamic_cast<const json::exception*>(&e) != nullptr)
    return {"unexpected_answer",
            "an answer has another form than this program knows: are the nodes, the database and "
            "this program of one version (`troupe --version`, `troupe status`)?"};
  return {"failed", e.what()};
}

std::string reading_trouble(const std::string& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return path + ": does not exist";
  if (!fs::exists(status)) return path + ": cannot be read: " + error.message();
  if (fs::is_directory(status)) return path + ": is a folder, not a file";
  return {};
}

std::string read_text_file(const std::string& path) {
  if (const auto wrong = reading_trouble(path); !wrong.empty()) throw unreadable_file(wrong);
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text;
  // Through read(), which only sets a flag; an iterator's underflow would throw the library's text.
  for (char part[1 << 16]; in && text.size() <= std::size_t{text_bytes_max};) {
    in.read(part, sizeof part);
    text.append(part, static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad() || !in.eof()) {
    if (text.size() > std::size_t{text_bytes_max})
      throw unreadable_file(path + ": is larger than 64 MiB, and no such file");
    throw unreadable_file(path + ": cannot be read: " + std::strerror(errno == 0 ? EIO : errno));
  }
  return text;
}

std::string printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  constexpr unsigned char del = 0x7f;
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= ' ' && byte != del) || c == '\n')
      out += c;
    else
      ((out += "\\x") += digits[byte >> 4]) += digits[byte & 15];
  }
  return out;
}

}  // namespace troupe::app
