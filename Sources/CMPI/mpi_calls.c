#include "mpi_calls.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

// Open MPI's handles are the addresses of its objects, and its ABI is the same from version 1.10 on.
typedef void *handle;

static struct {
  int (*init_thread)(int *, char ***, int, int *);
  int (*comm_rank)(handle, int *);
  int (*comm_size)(handle, int *);
  int (*comm_set_errhandler)(handle, handle);
  int (*send)(const void *, int, handle, int, int, handle);
  int (*recv)(void *, int, handle, int, int, handle, void *);
  int (*bcast)(void *, int, handle, int, handle);
  int (*isend)(const void *, int, handle, int, int, handle, handle *);
  int (*irecv)(void *, int, handle, int, int, handle, handle *);
  int (*test_all)(int, handle *, int *, void *);
  int (*error_string)(int, char *, int *);
  int (*finalize)(void);
  int (*abort)(handle, int);
  handle world, byte, errors_return;
} mpi;

// MPI_THREAD_SERIALIZED, MPI_MAX_ERROR_STRING, and the tag of all messages.
enum { serialized = 2, longest_text = 256, tag = 0 };

const char *tern_mpi_load(void) {
  static const char *const names[] = {"libmpi.so.40", "libmpi.so.20", "libmpi.so.12", "libmpi.so"};
  static char reason[512];
  void *library = NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++) {
    // Its plugins look for its symbols among those of all libraries.
    library = dlopen(names[i], RTLD_NOW | RTLD_GLOBAL);
  }
  if (!library) {
    snprintf(reason, sizeof reason, "no Open MPI: %s", dlerror());
    return reason;
  }
  struct {
    const char *name;
    void *place;
  } symbols[] = {
      {"MPI_Init_thread", &mpi.init_thread},
      {"MPI_Comm_rank", &mpi.comm_rank},
      {"MPI_Comm_size", &mpi.comm_size},
      {"MPI_Comm_set_errhandler", &mpi.comm_set_errhandler},
      {"MPI_Send", &mpi.send},
      {"MPI_Recv", &mpi.recv},
      {"MPI_Bcast", &mpi.bcast},
      {"MPI_Isend", &mpi.isend},
      {"MPI_Irecv", &mpi.irecv},
      {"MPI_Testall", &mpi.test_all},
      {"MPI_Error_string", &mpi.error_string},
      {"MPI_Finalize", &mpi.finalize},
      {"MPI_Abort", &mpi.abort},
      {"ompi_mpi_comm_world", &mpi.world},
      {"ompi_mpi_byte", &mpi.byte},
      {"ompi_mpi_errors_return", &mpi.errors_return},
  };
  for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
    void *symbol = dlsym(library, symbols[i].name);
    if (!symbol) {
      snprintf(reason, sizeof reason, "the MPI library has no %s; Tern knows Open MPI's", symbols[i].name);
      return reason;
    }
    memcpy(symbols[i].place, &symbol, sizeof symbol);
  }
  return NULL;
}

int tern_mpi_init(void) {
  int provided = 0;
  int code = mpi.init_thread(NULL, NULL, serialized, &provided);
  // A failure is to be a code, so that the message can say what failed.
  return code ? code : mpi.comm_set_errhandler(mpi.world, mpi.errors_return);
}

int tern_mpi_rank(int *rank) { return mpi.comm_rank(mpi.world, rank); }
int tern_mpi_size(int *size) { return mpi.comm_size(mpi.world, size); }

int tern_mpi_send(const void *bytes, int count, int rank) {
  return mpi.send(bytes, count, mpi.byte, rank, tag, mpi.world);
}

int tern_mpi_receive(void *bytes, int count, int rank) {
  return mpi.recv(bytes, count, mpi.byte, rank, tag, mpi.world, NULL);
}

int tern_mpi_broadcast(void *bytes, int count, int root) {
  return mpi.bcast(bytes, count, mpi.byte, root, mpi.world);
}

int tern_mpi_start_send(const void *bytes, int count, int rank, void **request) {
  return mpi.isend(bytes, count, mpi.byte, rank, tag, mpi.world, request);
}

int tern_mpi_start_receive(void *bytes, int count, int rank, void **request) {
  return mpi.irecv(bytes, count, mpi.byte, rank, tag, mpi.world, request);
}

static long long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int tern_mpi_wait_all(int count, void **requests) {
  // A small message takes some microseconds. Open MPI moves nothing by itself: it has to be asked again and again,
  // but whoever asks without a pause keeps a processor busy.
  // A pause costs a few microseconds of that processor: the longer the wait, the longer the pauses.
  const long long patience = 30000, shortest = 20000, longest = 200000, part = 8;
  // The system rounds pauses up by 50 µs unless a thread says otherwise.
  static _Thread_local int is_exact;
  if (!is_exact) is_exact = !prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
  long long start = nanoseconds();
  while (1) {
    int done = 0;
    int code = mpi.test_all(count, requests, &done, NULL);
    if (code || done) return code;
    long long waited = nanoseconds() - start;
    if (waited <= patience) {
      sched_yield();
      continue;
    }
    long long pause = waited / part;
    if (pause < shortest) pause = shortest;
    if (pause > longest) pause = longest;
    nanosleep(&(struct timespec){0, pause}, NULL);
  }
}

void tern_mpi_describe(int code, char *text, size_t capacity) {
  char longest[longest_text] = "";
  int length = 0;
  if (mpi.error_string(code, longest, &length)) snprintf(longest, sizeof longest, "error %d", code);
  snprintf(text, capacity, "%s", longest);
}

int tern_mpi_finalize(void) { return mpi.finalize(); }

void tern_mpi_abort(int code) {
  mpi.abort(mpi.world, code);
  _Exit(code);
}
