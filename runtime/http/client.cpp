#include "runtime/http/client.hpp"

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace troupe::http {

namespace {

/// One request under way.
struct transfer {
  outgoing what;
  std::function<void(outcome)> done;
  CURL* handle = nullptr;
  curl_slist* headers = nullptr;
  std::array<char, CURL_ERROR_SIZE> error{};

  transfer(outgoing w, std::function<void(outcome)> d) : what(std::move(w)), done(std::move(d)) {}
  ~transfer() {
    curl_easy_cleanup(handle);
    curl_slist_free_all(headers);
  }
  transfer(const transfer&) = delete;
  transfer& operator=(const transfer&) = delete;
};
using transfer_ptr = std::unique_ptr<transfer>;

std::size_t ignore(char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

void add_header(transfer& to, const std::string& line) {
  auto* longer = curl_slist_append(to.headers, line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  to.headers = longer;
}

/// Makes curl's handle for it.
void prepare(transfer& t) {
  t.handle = curl_easy_init();
  if (t.handle == nullptr) throw std::bad_alloc();
  const auto set = [&t](CURLoption option, auto value) {
    curl_easy_setopt(t.handle, option, value);
  };
  for (const auto& [name, value] : t.what.headers) {
    auto line = name;
    line += ": ";
    add_header(t, line + value);
  }
  add_header(t, "Expect:");  // Bodies are small: no question beforehand.
  set(CURLOPT_URL, t.what.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTPHEADER, t.headers);
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDS, t.what.body.data());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t.what.body.size()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(t.what.timeout.count()));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(t.what.timeout.count()));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_WRITEFUNCTION, &ignore);
  set(CURLOPT_ERRORBUFFER, t.error.data());
  set(CURLOPT_USERAGENT, "troupe");
}

outcome outcome_of(const transfer& t, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(t.handle, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK) return {static_cast<int>(status), {}};
  const std::string said = t.error.data();
  return {0, said.empty() ? curl_easy_strerror(code) : said};
}

}  // namespace

class client::impl {
 public:
  explicit impl(std::size_t in_flight_max) : in_flight_max_(in_flight_max) {
    static const auto ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_ = curl_multi_init();
    if (ready != CURLE_OK || multi_ == nullptr) throw std::runtime_error("libcurl does not start");
    thread_ = std::thread([this] { run(); });
  }
  ~impl() {
    stop_ = true;
    curl_multi_wakeup(multi_);
    thread_.join();
    for (const auto& [handle, t] : under_way_) curl_multi_remove_handle(multi_, handle);
    under_way_.clear();
    curl_multi_cleanup(multi_);
  }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  bool post(outgoing what, std::function<void(outcome)> done) {
    auto t = std::make_unique<transfer>(std::move(what), std::move(done));
    prepare(*t);
    {
      const std::lock_guard lock(mutex_);
      if (in_flight_ >= in_flight_max_) return false;
      ++in_flight_;
      waiting_.push_back(std::move(t));
    }
    curl_multi_wakeup(multi_);
    return true;
  }

 private:
  void run() {
    constexpr int look_every_ms = 1000;
    while (!stop_) {
      begin();
      int running = 0;
      curl_multi_perform(multi_, &running);
      finish();
      curl_multi_poll(multi_, nullptr, 0, look_every_ms, nullptr);
    }
  }

  void begin() {
    std::vector<transfer_ptr> fresh;
    {
      const std::lock_guard lock(mutex_);
      fresh.swap(waiting_);
    }
    for (auto& t : fresh) {
      auto* const handle = t->handle;
      curl_multi_add_handle(multi_, handle);
      under_way_.emplace(handle, std::move(t));
    }
  }

  void finish() {
    int left = 0;
    while (const auto* m = curl_multi_info_read(multi_, &left)) {
      if (m->msg != CURLMSG_DONE) continue;
      const auto code = m->data.result;
      const auto at = under_way_.find(m->easy_handle);
      const auto t = std::move(at->second);
      under_way_.erase(at);
      curl_multi_remove_handle(multi_, t->handle);
      {
        const std::lock_guard lock(mutex_);
        --in_flight_;
      }
      t->done(outcome_of(*t, code));
    }
  }

  const std::size_t in_flight_max_;
  CURLM* multi_ = nullptr;
  std::map<CURL*, transfer_ptr> under_way_;  // The thread's own.
  std::mutex mutex_;
  std::vector<transfer_ptr> waiting_;
  std::size_t in_flight_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

client::client(std::size_t in_flight_max) : impl_(std::make_unique<impl>(in_flight_max)) {}
client::~client() = default;

bool client::post(outgoing what, std::function<void(outcome)> done) {
  return impl_->post(std::move(what), std::move(done));
}

}  // namespace troupe::http
