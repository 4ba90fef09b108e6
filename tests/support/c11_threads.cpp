// C11's threads and locks by way of pthreads, for builds with the thread sanitizer, which knows the
// latter only. librdkafka uses the former: without this the sanitizer crashes on its first thread.
// glibc's types are pthreads' own, only of other names.
#include <pthread.h>
#include <sched.h>
#include <threads.h>

#include <cerrno>
#include <cstdint>

namespace {

pthread_mutex_t* of(mtx_t* m) {
  return reinterpret_cast<pthread_mutex_t*>(m);
}
pthread_cond_t* of(cnd_t* c) {
  return reinterpret_cast<pthread_cond_t*>(c);
}
int result(int error) {
  return error == 0                           ? thrd_success
         : error == ENOMEM || error == EAGAIN ? thrd_nomem
         : error == ETIMEDOUT                 ? thrd_timedout
         : error == EBUSY                     ? thrd_busy
                                              : thrd_error;
}

struct beginning {
  thrd_start_t run;
  void* with;
};
void* begin(void* p) {
  const auto b = *static_cast<beginning*>(p);
  delete static_cast<beginning*>(p);
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(b.run(b.with)));
}

}  // namespace

extern "C" {

int thrd_create(thrd_t* to, thrd_start_t run, void* with) {
  return result(pthread_create(to, nullptr, begin, new beginning{run, with}));
}
int thrd_join(thrd_t thread, int* code) {
  void* out = nullptr;
  const int error = pthread_join(thread, &out);
  if (code != nullptr) *code = static_cast<int>(reinterpret_cast<std::intptr_t>(out));
  return result(error);
}
int thrd_detach(thrd_t thread) {
  return result(pthread_detach(thread));
}
void thrd_exit(int code) {
  pthread_exit(reinterpret_cast<void*>(static_cast<std::intptr_t>(code)));
}

int mtx_init(mtx_t* m, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(
      &attributes, (type & mtx_recursive) != 0 ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
  const int error = pthread_mutex_init(of(m), &attributes);
  pthread_mutexattr_destroy(&attributes);
  return result(error);
}
void mtx_destroy(mtx_t* m) {
  pthread_mutex_destroy(of(m));
}
int mtx_lock(mtx_t* m) {
  return result(pthread_mutex_lock(of(m)));
}
int mtx_trylock(mtx_t* m) {
  return result(pthread_mutex_trylock(of(m)));
}
int mtx_unlock(mtx_t* m) {
  return result(pthread_mutex_unlock(of(m)));
}

int cnd_init(cnd_t* c) {
  return result(pthread_cond_init(of(c), nullptr));
}
void cnd_destroy(cnd_t* c) {
  pthread_cond_destroy(of(c));
}
int cnd_signal(cnd_t* c) {
  return result(pthread_cond_signal(of(c)));
}
int cnd_broadcast(cnd_t* c) {
  return result(pthread_cond_broadcast(of(c)));
}
int cnd_wait(cnd_t* c, mtx_t* m) {
  return result(pthread_cond_wait(of(c), of(m)));
}
int cnd_timedwait(cnd_t* c, mtx_t* m, const timespec* until) {
  return result(pthread_cond_timedwait(of(c), of(m), until));
}

}  // extern "C"
