// Lets the N-th call of a function fail, as a full disk, a signal or a busy machine would. Preloaded:
//
//   cc -shared -fPIC -O2 -o faults.so faults.c
//   LD_PRELOAD=./faults.so FAULT=write:3:ENOSPC tern …      the third write fails
//   LD_PRELOAD=./faults.so FAULT=write:3+:ENOSPC tern …     the third and all that follow
//   LD_PRELOAD=./faults.so FAULT=write:3:short tern …       the third writes half of what it is given
//   LD_PRELOAD=./faults.so FAULT=threads tern …             the kernel refuses every new thread
//   LD_PRELOAD=./faults.so FAULT_COUNTS=FILE tern …         how often each was called, at the end
//
// `memory` is what device buffers are made by: posix_memalign at 256 bytes or more, mmap of a MiB or
// more. With FAULT_BYTES also malloc and calloc of at least so much; by default not, because Swift's
// own runtime ends the process where malloc fails.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN, READ, WRITE, FSYNC, RENAME, MKDIR, MEMORY, THREAD, STAT, CLOSE, KINDS };
static const char *const names[KINDS] = {"open",  "read",   "write",  "fsync", "rename",
                                         "mkdir", "memory", "thread", "stat",  "close"};
static atomic_long counts[KINDS];
static int target = -1, error_number, is_short, is_sticky;
static long nth;
static size_t least_bytes = SIZE_MAX;

static const struct {
  const char *name;
  int number;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EINTR", EINTR},   {"EACCES", EACCES},
              {"ENOMEM", ENOMEM}, {"EAGAIN", EAGAIN}, {"EMFILE", EMFILE}, {"EROFS", EROFS},
              {"EDQUOT", EDQUOT}, {"ENOENT", ENOENT}, {"EPIPE", EPIPE},   {"EEXIST", EEXIST}};

// clone and clone3 that make a thread fail with EAGAIN, whoever calls them.
static void refuse_threads(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

__attribute__((constructor)) static void begin(void) {
  const char *bytes = getenv("FAULT_BYTES"), *fault = getenv("FAULT");
  if (bytes) least_bytes = strtoull(bytes, NULL, 10);
  if (!fault) return;
  if (!strcmp(fault, "threads")) refuse_threads();
  for (int kind = 0; kind < KINDS; kind++) {
    size_t length = strlen(names[kind]);
    if (strncmp(fault, names[kind], length) || fault[length] != ':') continue;
    char *end;
    nth = strtol(fault + length + 1, &end, 10);
    if (*end == '+') is_sticky = 1, end++;
    if (*end == ':') end++;
    is_short = !strcmp(end, "short");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
      if (!strcmp(end, errors[i].name)) error_number = errors[i].number;
    target = kind;
  }
}

__attribute__((destructor)) static void finish(void) {
  const char *path = getenv("FAULT_COUNTS");
  if (!path) return;
  char text[400];
  int length = 0;
  for (int kind = 0; kind < KINDS; kind++)
    length += snprintf(text + length, sizeof text - length, "%s %ld\n", names[kind], counts[kind]);
  int file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0) syscall(SYS_write, file, text, length);
}

// Whether this call is one that fails.
static int fails(int kind) {
  long number = atomic_fetch_add(&counts[kind], 1) + 1;
  if (kind != target || number < nth || (number > nth && !is_sticky)) return 0;
  errno = error_number;
  return 1;
}

#define NEXT(name, ...)                                        \
  static typeof(name) *next;                                   \
  if (!next) next = (typeof(next))dlsym(RTLD_NEXT, #name);

#define OPENS(name, parameters, arguments)                      \
  int name parameters {                                         \
    mode_t mode = 0;                                            \
    if (flags & (O_CREAT | O_TMPFILE)) {                        \
      va_list rest;                                             \
      va_start(rest, flags);                                    \
      mode = va_arg(rest, mode_t);                              \
      va_end(rest);                                             \
    }                                                           \
    NEXT(name)                                                  \
    return fails(OPEN) ? -1 : next arguments;                   \
  }
OPENS(open, (const char *path, int flags, ...), (path, flags, mode))
OPENS(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENS(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPENS(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

FILE *fopen(const char *path, const char *mode) {
  NEXT(fopen)
  return fails(OPEN) ? NULL : next(path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
  NEXT(fopen64)
  return fails(OPEN) ? NULL : next(path, mode);
}

#define PLAIN(kind, type, name, parameters, arguments)          \
  type name parameters {                                        \
    NEXT(name)                                                  \
    return fails(kind) ? -1 : next arguments;                   \
  }
PLAIN(FSYNC, int, fsync, (int file), (file))
PLAIN(FSYNC, int, fdatasync, (int file), (file))
PLAIN(RENAME, int, rename, (const char *from, const char *to), (from, to))
PLAIN(RENAME, int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
PLAIN(RENAME, int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
PLAIN(RENAME, int, link, (const char *from, const char *to), (from, to))
PLAIN(RENAME, int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
PLAIN(RENAME, int, symlink, (const char *from, const char *to), (from, to))
PLAIN(RENAME, int, unlink, (const char *path), (path))
PLAIN(MKDIR, int, mkdir, (const char *path, mode_t mode), (path, mode))
PLAIN(MKDIR, int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
PLAIN(STAT, int, stat, (const char *path, struct stat *info), (path, info))
PLAIN(STAT, int, lstat, (const char *path, struct stat *info), (path, info))
PLAIN(STAT, int, fstat, (int file, struct stat *info), (file, info))
PLAIN(STAT, int, ftruncate, (int file, off_t size), (file, size))

// What a close reports, it has done.
int close(int file) {
  NEXT(close)
  int failed = fails(CLOSE), number = errno, result = next(file);
  if (!failed) return result;
  errno = number;
  return -1;
}

#define TRANSFERS(kind, name, parameters, arguments, halved)                        \
  ssize_t name parameters {                                                         \
    NEXT(name)                                                                      \
    if (!fails(kind)) return next arguments;                                        \
    return is_short && size > 1 ? next halved : is_short ? next arguments : -1;     \
  }
TRANSFERS(READ, read, (int file, void *data, size_t size), (file, data, size), (file, data, size / 2))
TRANSFERS(READ, pread, (int file, void *data, size_t size, off_t at), (file, data, size, at), (file, data, size / 2, at))
TRANSFERS(READ, pread64, (int file, void *data, size_t size, off_t at), (file, data, size, at), (file, data, size / 2, at))
TRANSFERS(WRITE, write, (int file, const void *data, size_t size), (file, data, size), (file, data, size / 2))
TRANSFERS(WRITE, pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at), (file, data, size / 2, at))

ssize_t writev(int file, const struct iovec *parts, int count) {
  NEXT(writev)
  return fails(WRITE) ? (is_short ? next(file, parts, 1) : -1) : next(file, parts, count);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
  NEXT(fwrite)
  return fails(WRITE) ? 0 : next(data, size, count, file);
}

size_t fread(void *data, size_t size, size_t count, FILE *file) {
  NEXT(fread)
  return fails(READ) ? 0 : next(data, size, count, file);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  NEXT(pthread_create)
  return fails(THREAD) ? EAGAIN : next(thread, attributes, body, argument);
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t at) {
  NEXT(mmap)
  return size >= 1 << 20 && fails(MEMORY) ? (errno = ENOMEM, MAP_FAILED) : next(address, size, protection, flags, file, at);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  NEXT(posix_memalign)
  return alignment >= 256 && fails(MEMORY) ? ENOMEM : next(result, alignment, size);
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);

void *malloc(size_t size) {
  if (size >= least_bytes && fails(MEMORY)) return errno = ENOMEM, NULL;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  if (least_bytes != SIZE_MAX && count * size >= least_bytes && fails(MEMORY)) return errno = ENOMEM, NULL;
  return __libc_calloc(count, size);
}
