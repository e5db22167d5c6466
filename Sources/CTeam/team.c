#define _GNU_SOURCE
#include "team.h"

#include "replacement.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// MARK: Waiting

/// How often a thread looks before it sleeps: about 30 µs, longer than it takes most parts of a loop to
/// come in one after the other, and shorter than it takes the system to switch threads twice.
enum { spin_nanoseconds = 30000 };
/// How long a thread that is not needed sleeps at a time: a part that waits for another waits twice as
/// long at most. Where no loop was started meanwhile it sleeps longer and longer.
enum { nap_nanoseconds = 300000, longest_nap_nanoseconds = 20000000 };
/// What threads that run at once differ by; waiting beyond it is counted.
enum { usual_wait_nanoseconds = 20000 };

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void futex_wait(_Atomic(uint32_t) *word, uint32_t value, int64_t nanoseconds) {
  const struct timespec limit = {.tv_sec = 0, .tv_nsec = nanoseconds};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nanoseconds > 0 ? &limit : NULL, NULL, 0);
}

static void futex_wake(_Atomic(uint32_t) *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/// Looks until the word is no longer `value`, for as long as a thread spins. The clock is read every so
/// often only.
static bool spin_while(_Atomic(uint32_t) *word, uint32_t value) {
  uint64_t start = 0;
  for (unsigned turn = 0;; turn++) {
    if (atomic_load_explicit(word, memory_order_acquire) != value) return true;
    relax();
    if (turn % 32 == 31) {
      const uint64_t time = now();
      if (start == 0) start = time;
      else if (time - start > spin_nanoseconds) return false;
    }
  }
}

/// As long as the word is `value`: spins, then sleeps. `sleepers` counts who must be woken.
static void wait_while(_Atomic(uint32_t) *word, uint32_t value, _Atomic(uint32_t) *sleepers) {
  if (spin_while(word, value)) return;
  atomic_fetch_add(sleepers, 1);
  while (atomic_load(word) == value) futex_wait(word, value, 0);
  atomic_fetch_sub(sleepers, 1);
}

// MARK: The team of a thread that starts loops

typedef struct {
  // The loop under way. What it is made of is written before its round is announced, and stays until all
  // of its parts are done.
  void (*body)(void *data, int part);
  void (*plain_body)(void *data);
  void *data;
  /// What the starter's loops are cut into.
  int size;
  /// Counts the loops; threads without work wait for it to change.
  _Alignas(64) _Atomic(uint32_t) round;
  _Atomic(uint32_t) sleepers;
  /// The round, how many parts it has, and the next one that nobody has begun: 32, 16 and 16 bits. All
  /// in one, so that nobody takes a part of one round for one of another.
  _Alignas(64) _Atomic(uint64_t) next;
  /// The parts that are not done.
  _Alignas(64) _Atomic(uint32_t) unfinished;
  _Atomic(uint32_t) starter_sleeps;
  // A barrier in the loop.
  _Alignas(64) _Atomic(uint32_t) arrived;
  _Atomic(uint32_t) phase;
  _Atomic(uint32_t) phase_sleepers;

  /// The round whose parts wait for one another, as one of them has found out.
  _Atomic(uint32_t) needed;

  _Atomic(bool) alone;
  _Atomic(bool) ended;
  /// The starter's, and each helper's.
  _Atomic(uint32_t) users;
  int helpers;
  uint64_t waited;
} team;

/// Where the calling thread is: in which team's loop, and in which part.
typedef struct {
  team *own;
  int size;
  team *within;
  int part;
  int parts;
} place;
static _Thread_local place here;

static void release(team *t) {
  if (atomic_fetch_sub(&t->users, 1) == 1) free(t);
}

/// Runs parts of the round that nobody has begun.
static void run_parts(team *t, uint32_t round) {
  const place before = here;
  uint64_t next = atomic_load_explicit(&t->next, memory_order_acquire);
  while ((uint32_t)(next >> 32) == round && (next & 0xFFFF) < (next >> 16 & 0xFFFF)) {
    if (!atomic_compare_exchange_weak(&t->next, &next, next + 1)) continue;
    here.within = t;
    here.part = (int)(next & 0xFFFF);
    here.parts = (int)(next >> 16 & 0xFFFF);
    if (t->body) t->body(t->data, here.part);
    else t->plain_body(t->data);
    if (atomic_fetch_sub(&t->unfinished, 1) == 1 && atomic_load(&t->starter_sleeps)) {
      futex_wake(&t->unfinished, 1);
    }
    next = atomic_load_explicit(&t->next, memory_order_acquire);
  }
  here = before;
}

static void *help(void *argument) {
  team *t = argument;
  // The round whose parts were last asked for, and the one that was under way before a nap.
  uint32_t seen = 0, before = 0;
  int64_t nap = nap_nanoseconds;
  while (!atomic_load(&t->ended)) {
    const uint32_t round = atomic_load(&t->round);
    if (atomic_load(&t->alone)) {
      // A loop that was under way before the nap and still is may have parts that wait for others.
      if (round == before || atomic_load(&t->needed) == round) run_parts(t, round);
      nap = round != before ? nap_nanoseconds
          : nap < longest_nap_nanoseconds ? 2 * nap : longest_nap_nanoseconds;
      before = round;
      futex_wait(&t->sleepers, atomic_load(&t->sleepers), nap);
    } else if (round == seen) {
      wait_while(&t->round, seen, &t->sleepers);
    } else {
      seen = round;
      run_parts(t, round);
    }
  }
  release(t);
  return NULL;
}

static pthread_key_t end_key;
static pthread_once_t end_once = PTHREAD_ONCE_INIT;

/// The thread that started loops ends, and its helpers with it.
static void end_team(void *argument) {
  team *t = argument;
  atomic_store(&t->ended, true);
  atomic_fetch_add(&t->round, 1);
  futex_wake(&t->round, t->helpers);
  futex_wake(&t->sleepers, t->helpers);
  release(t);
}

static void make_end_key(void) { pthread_key_create(&end_key, end_team); }

/// The calling thread's team, with helpers for so many parts as far as the system gives threads.
static team *own_team(int parts) {
  team *t = here.own;
  if (!t) {
    t = aligned_alloc(64, (sizeof(team) + 63) / 64 * 64);
    if (!t) return NULL;
    memset(t, 0, sizeof *t);
    atomic_store(&t->users, 1);
    pthread_once(&end_once, make_end_key);
    pthread_setspecific(end_key, t);
    here.own = t;
  }
  while (t->helpers < parts - 1) {
    pthread_t thread;
    atomic_fetch_add(&t->users, 1);
    if (pthread_create(&thread, NULL, help, t) != 0) {
      atomic_fetch_sub(&t->users, 1);
      break;
    }
    pthread_detach(thread);
    t->helpers++;
  }
  return t;
}

bool tern_team_start(int parts) {
  if (parts <= 1 || here.within) return true;
  const team *t = own_team(parts);
  return t && t->helpers >= parts - 1;
}

static void run(team *t, int parts) {
  t->size = here.size;
  atomic_store(&t->unfinished, (uint32_t)parts);
  const uint32_t round = atomic_load(&t->round) + 1;
  atomic_store(&t->next, (uint64_t)round << 32 | (uint64_t)parts << 16);
  atomic_store(&t->round, round);
  if (!atomic_load(&t->alone) && atomic_load(&t->sleepers) > 0) {
    futex_wake(&t->round, parts - 1);
  }
  run_parts(t, round);
  uint32_t unfinished = atomic_load_explicit(&t->unfinished, memory_order_acquire);
  if (unfinished == 0) return;
  const uint64_t start = now();
  while (unfinished != 0) {
    if (!spin_while(&t->unfinished, unfinished)) {
      atomic_store(&t->starter_sleeps, 1);
      while ((unfinished = atomic_load(&t->unfinished)) != 0) {
        futex_wait(&t->unfinished, unfinished, 0);
      }
      atomic_store(&t->starter_sleeps, 0);
    }
    unfinished = atomic_load_explicit(&t->unfinished, memory_order_acquire);
  }
  const uint64_t waited = now() - start;
  if (waited > usual_wait_nanoseconds) t->waited += waited - usual_wait_nanoseconds;
}

/// Runs all parts in order on the calling thread.
static void run_here(int parts, void (*body)(void *, int), void *data) {
  for (int part = 0; part < parts; part++) body(data, part);
}

void tern_team_run(int parts, void (*body)(void *data, int part), void *data) {
  // A loop within a loop stays on its thread.
  team *t = parts > 1 && !here.within ? own_team(parts) : NULL;
  if (!t || t->helpers == 0) {
    run_here(parts, body, data);
    return;
  }
  t->body = body;
  t->data = data;
  run(t, parts);
}

void tern_team_set_alone(bool alone) {
  if (!here.own || atomic_load(&here.own->alone) == alone) return;
  team *t = here.own;
  atomic_store(&t->alone, alone);
  if (alone) {
    // Who sleeps until it is woken naps from now on: an empty round calls it.
    atomic_fetch_add(&t->round, 1);
    futex_wake(&t->round, t->helpers);
  } else {
    futex_wake(&t->sleepers, t->helpers);
  }
}

uint64_t tern_team_waited(void) { return here.own ? here.own->waited : 0; }

int tern_team_helper_count(void) { return here.own ? here.own->helpers : 0; }

// MARK: What oneDNN calls of OpenMP

static int processors(void) {
  const char *limit = getenv("OMP_NUM_THREADS");
  const int given = limit ? atoi(limit) : 0;
  if (given >= 1 && given <= 1024) return given;
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int tern_team_processor_count(void) {
  static _Atomic(int) count;
  int known = atomic_load(&count);
  if (known == 0) atomic_store(&count, known = processors());
  return known;
}

static int max_threads(void) {
  const int size = here.within ? here.within->size : here.size;
  return size > 0 ? size : tern_team_processor_count();
}

static int thread_num(void) { return here.within ? here.part : 0; }
static int num_threads(void) { return here.within ? here.parts : 1; }
static int in_parallel(void) { return here.within && here.parts > 1; }

static void parallel(void (*body)(void *), void *data, unsigned thread_count, unsigned flags) {
  (void)flags;
  int parts = thread_count > 0 ? (int)thread_count : max_threads();
  const place before = here;
  team *t = parts > 1 && !here.within ? own_team(parts) : NULL;
  // Parts may wait for one another: there are no more than threads to run them at once.
  if (t && parts > t->helpers + 1) parts = t->helpers + 1;
  if (!t || parts == 1) {
    team none = {.size = here.size};
    here.within = here.within ? here.within : &none;
    here.part = 0;
    here.parts = 1;
    body(data);
    here = before;
    return;
  }
  t->body = NULL;
  t->plain_body = body;
  t->data = data;
  run(t, parts);
}

static void barrier(void) {
  team *t = here.within;
  if (!t || here.parts == 1) return;
  // Who must be there is woken, also where the starter was to be alone.
  if (atomic_load(&t->alone)) {
    atomic_store(&t->needed, atomic_load(&t->round));
    futex_wake(&t->sleepers, t->helpers);
  }
  const uint32_t phase = atomic_load(&t->phase);
  if (atomic_fetch_add(&t->arrived, 1) + 1 == (uint32_t)here.parts) {
    atomic_store(&t->arrived, 0);
    atomic_store(&t->phase, phase + 1);
    if (atomic_load(&t->phase_sleepers) > 0) futex_wake(&t->phase, here.parts);
    return;
  }
  wait_while(&t->phase, phase, &t->phase_sleepers);
}

// oneDNN alone calls these, so that no other library of the process notices.

static const replacement replacements[] = {
    {"GOMP_parallel", (void *)parallel},        {"GOMP_barrier", (void *)barrier},
    {"omp_get_max_threads", (void *)max_threads}, {"omp_get_thread_num", (void *)thread_num},
    {"omp_get_num_threads", (void *)num_threads}, {"omp_in_parallel", (void *)in_parallel},
};

static void (*set_openmp_threads)(int);
static _Atomic(bool) is_adopted;

static pthread_once_t adopt_once = PTHREAD_ONCE_INIT;

static void adopt_onednn(void) {
  const int count = sizeof replacements / sizeof *replacements;
  atomic_store(&is_adopted, replace_functions("libdnnl.so", replacements, count) > 0);
  // Where oneDNN is built in another way, it keeps the team it has.
  if (!atomic_load(&is_adopted)) {
    set_openmp_threads = (void (*)(int))dlsym(RTLD_DEFAULT, "omp_set_num_threads");
  }
}

bool tern_team_runs_onednn(void) { return atomic_load(&is_adopted); }

void tern_team_set_size(int parts) {
  pthread_once(&adopt_once, adopt_onednn);
  here.size = parts;
  if (set_openmp_threads) set_openmp_threads(parts);
}
