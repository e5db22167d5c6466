#include "hdf5_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// What HDF5's headers say, of version 1.10 and later: handles have 64 bits there.
typedef int64_t handle;
typedef int status;
enum { layout_virtual = 3, class_integer = 0, class_float = 1, class_enumeration = 8, link_hard = 0 };
enum { by_name = 0, increasing = 0, unsigned_scheme = 0 };

/// H5G_info_t.
typedef struct {
  int storage;
  uint64_t link_count;
  int64_t largest_order;
  bool is_mounted;
} group_info;

static struct {
  status (*open)(void);
  status (*version)(unsigned *, unsigned *, unsigned *);
  status (*set_error_output)(handle, void *, void *);
  handle (*file_open)(const char *, unsigned, handle);
  status (*group_info)(handle, group_info *);
  ssize_t (*link_name)(handle, const char *, int, int, uint64_t, char *, size_t, handle);
  status (*link_info)(handle, const char *, void *, handle);
  handle (*group_open)(handle, const char *, handle);
  status (*group_close)(handle);
  handle (*set_open)(handle, const char *, handle);
  handle (*set_type)(handle);
  handle (*set_space)(handle);
  handle (*set_properties)(handle);
  uint64_t (*stored_size)(handle);
  status (*set_read)(handle, handle, handle, handle, handle, void *);
  int (*layout)(handle);
  int (*external_count)(handle);
  int (*type_class)(handle);
  size_t (*type_size)(handle);
  int (*type_sign)(handle);
  handle (*type_base)(handle);
  int (*axis_count)(handle);
  int (*extents)(handle, uint64_t *, uint64_t *);
  handle *types[3][4];
} hdf5;

/// What a process that reads tells of itself, in memory that it shares.
typedef struct {
  enum tern_hdf5_result result;
  char reason[256];
  tern_hdf5_list list;
} report;

static enum tern_hdf5_result fail(report *report, enum tern_hdf5_result result, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(report->reason, sizeof report->reason, format, arguments);
  va_end(arguments);
  return result;
}

static enum tern_hdf5_result load(report *report) {
  static const char *const names[] = {
      "libhdf5_serial.so.310", "libhdf5_serial.so.103", "libhdf5.so.320", "libhdf5.so.310",
      "libhdf5.so.200",        "libhdf5.so.103",        "libhdf5.so",
  };
  // Read when the library starts: many file systems of clusters know no locks.
  setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
  const char *own = getenv("TERN_HDF5");
  void *library = own ? dlopen(own, RTLD_NOW) : NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names && !library && !own; i++) {
    library = dlopen(names[i], RTLD_NOW);
  }
  if (!library) return fail(report, tern_hdf5_no_library, "no libhdf5");
  struct {
    const char *name;
    void *place;
  } symbols[] = {
      {"H5open", &hdf5.open},
      {"H5get_libversion", &hdf5.version},
      {"H5Eset_auto2", &hdf5.set_error_output},
      {"H5Fopen", &hdf5.file_open},
      {"H5Gget_info", &hdf5.group_info},
      {"H5Lget_name_by_idx", &hdf5.link_name},
      {"H5Gopen2", &hdf5.group_open},
      {"H5Gclose", &hdf5.group_close},
      {"H5Dopen2", &hdf5.set_open},
      {"H5Dget_type", &hdf5.set_type},
      {"H5Dget_space", &hdf5.set_space},
      {"H5Dget_create_plist", &hdf5.set_properties},
      {"H5Dget_storage_size", &hdf5.stored_size},
      {"H5Dread", &hdf5.set_read},
      {"H5Pget_layout", &hdf5.layout},
      {"H5Pget_external_count", &hdf5.external_count},
      {"H5Tget_class", &hdf5.type_class},
      {"H5Tget_size", &hdf5.type_size},
      {"H5Tget_sign", &hdf5.type_sign},
      {"H5Tget_super", &hdf5.type_base},
      {"H5Sget_simple_extent_ndims", &hdf5.axis_count},
      {"H5Sget_simple_extent_dims", &hdf5.extents},
      {"H5T_NATIVE_INT8_g", &hdf5.types[tern_hdf5_signed][0]},
      {"H5T_NATIVE_INT16_g", &hdf5.types[tern_hdf5_signed][1]},
      {"H5T_NATIVE_INT32_g", &hdf5.types[tern_hdf5_signed][2]},
      {"H5T_NATIVE_INT64_g", &hdf5.types[tern_hdf5_signed][3]},
      {"H5T_NATIVE_UINT8_g", &hdf5.types[tern_hdf5_unsigned][0]},
      {"H5T_NATIVE_UINT16_g", &hdf5.types[tern_hdf5_unsigned][1]},
      {"H5T_NATIVE_UINT32_g", &hdf5.types[tern_hdf5_unsigned][2]},
      {"H5T_NATIVE_UINT64_g", &hdf5.types[tern_hdf5_unsigned][3]},
      {"H5T_NATIVE_FLOAT_g", &hdf5.types[tern_hdf5_floating][2]},
      {"H5T_NATIVE_DOUBLE_g", &hdf5.types[tern_hdf5_floating][3]},
  };
  for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
    void *symbol = dlsym(library, symbols[i].name);
    if (!symbol) return fail(report, tern_hdf5_no_library, "libhdf5 has no %s", symbols[i].name);
    memcpy(symbols[i].place, &symbol, sizeof symbol);
  }
  // The name says which form of the structure is meant; a link's type comes first in both.
  static const char *const forms[] = {"H5Lget_info2", "H5Lget_info1", "H5Lget_info"};
  void *symbol = NULL;
  for (size_t i = 0; i < sizeof forms / sizeof *forms && !symbol; i++) symbol = dlsym(library, forms[i]);
  if (!symbol) return fail(report, tern_hdf5_no_library, "libhdf5 has no H5Lget_info");
  memcpy(&hdf5.link_info, &symbol, sizeof symbol);
  unsigned major = 0, minor = 0, release = 0;
  if (hdf5.open() < 0 || hdf5.version(&major, &minor, &release) < 0)
    return fail(report, tern_hdf5_no_library, "libhdf5 does not start");
  if (major < 1 || (major == 1 && minor < 10))
    return fail(report, tern_hdf5_no_library, "libhdf5 is of version %u.%u; 1.10 is needed", major, minor);
  // What it would print, the result says.
  hdf5.set_error_output(0, NULL, NULL);
  return tern_hdf5_done;
}

// MARK: In the process that reads

static const char damaged[] = "it is damaged, or of a newer form than libhdf5 knows";

static const char *describe(handle set, tern_hdf5_set *result) {
  handle properties = hdf5.set_properties(set), type = hdf5.set_type(set), space = hdf5.set_space(set);
  if (properties < 0 || type < 0 || space < 0) return damaged;
  int layout = hdf5.layout(properties);
  if (layout < 0) return damaged;
  // Both name other files.
  if (layout == layout_virtual) return "its elements are those of other files";
  if (hdf5.external_count(properties) != 0) return "its elements are in other files";
  int class = hdf5.type_class(type);
  // Truth values are an enumeration.
  if (class == class_enumeration) {
    type = hdf5.type_base(type);
    class = type < 0 ? -1 : hdf5.type_class(type);
  }
  if (class != class_integer && class != class_float) return "its elements are no numbers";
  size_t size = hdf5.type_size(type);
  if (class == class_float) {
    result->kind = tern_hdf5_floating;
    result->size = size <= 4 ? 4 : 8;
  } else {
    if (size < 1 || size > 8) return "its integers have more than 64 bits";
    result->kind = hdf5.type_sign(type) == unsigned_scheme ? tern_hdf5_unsigned : tern_hdf5_signed;
    result->size = size <= 2 ? (int)size : size <= 4 ? 4 : 8;
  }
  int count = hdf5.axis_count(space);
  if (count < 0) return damaged;
  if (count > tern_hdf5_most_axes) return "it has more than 8 axes";
  if (count > 0 && hdf5.extents(space, result->extents, NULL) != count) return damaged;
  result->axis_count = count;
  result->stored = hdf5.stored_size(set);
  return NULL;
}

static enum tern_hdf5_result list(handle file, report *report) {
  enum { most_links = 4096 };
  group_info info = {0};
  if (hdf5.group_info(file, &info) < 0) return fail(report, tern_hdf5_bad_file, "its root is damaged");
  if (info.link_count > most_links) {
    return fail(report, tern_hdf5_bad_file, "%llu names in its root", (unsigned long long)info.link_count);
  }
  tern_hdf5_list *list = &report->list;
  for (uint64_t i = 0; i < info.link_count; i++) {
    char name[tern_hdf5_longest_name] = "";
    ssize_t length = hdf5.link_name(file, ".", by_name, increasing, i, name, sizeof name, 0);
    if (length < 0) return fail(report, tern_hdf5_bad_file, "its root is damaged");
    union {
      int type;
      // More than either form of the structure has.
      char room[256];
    } link = {.type = -1};
    bool is_short = (size_t)length < sizeof name;
    if (is_short && hdf5.link_info(file, name, &link, 0) < 0) link.type = -1;
    const char *fault = NULL;
    tern_hdf5_set result = {0};
    if (!is_short) {
      fault = "its name is too long";
    } else if (link.type != link_hard) {
      fault = "it is a link to something else";
    } else {
      handle group = hdf5.group_open(file, name, 0);
      if (group >= 0) {
        hdf5.group_close(group);
        continue;
      }
      handle set = hdf5.set_open(file, name, 0);
      fault = set < 0 ? damaged : describe(set, &result);
    }
    if (list->count == tern_hdf5_most_sets) {
      list->others++;
      continue;
    }
    memcpy(result.name, name, sizeof name);
    snprintf(result.fault, sizeof result.fault, "%s", fault ? fault : "");
    list->sets[list->count++] = result;
  }
  return tern_hdf5_done;
}

static enum tern_hdf5_result read_set(handle file, report *report, const tern_hdf5_set *expected, void *values) {
  handle set = hdf5.set_open(file, expected->name, 0);
  tern_hdf5_set found = {0};
  const char *fault = set < 0 ? damaged : describe(set, &found);
  if (fault) return fail(report, tern_hdf5_bad_file, "%s", fault);
  // There is room for what was listed.
  if (found.kind != expected->kind || found.size != expected->size || found.axis_count != expected->axis_count ||
      memcmp(found.extents, expected->extents, sizeof found.extents)) {
    return fail(report, tern_hdf5_bad_file, "it changed while it was read");
  }
  int place = found.size == 1 ? 0 : found.size == 2 ? 1 : found.size == 4 ? 2 : 3;
  if (hdf5.set_read(set, *hdf5.types[found.kind][place], 0, 0, 0, values) < 0) {
    return fail(report, tern_hdf5_bad_file, "its elements cannot be read");
  }
  return tern_hdf5_done;
}

/// Holds this process to its limits, and lets nothing of it be seen.
static void confine(tern_hdf5_limits limits) {
  // Those that end the whole group are for the parent to obey.
  static const int left_to_parent[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGPIPE};
  for (size_t i = 0; i < sizeof left_to_parent / sizeof *left_to_parent; i++) signal(left_to_parent[i], SIG_IGN);
  static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP, SIGALRM, SIGSYS};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) signal(faults[i], SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere >= 0) {
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
  }
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0});
  // The parent's memory is counted too.
  char text[256] = "";
  int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file >= 0 && read(file, text, sizeof text - 1) > 0) {
    unsigned long long pages = 0;
    if (sscanf(text, "%*u %*u %*u %*u %*u %llu", &pages) == 1) {
      rlim_t limit = pages * (rlim_t)sysconf(_SC_PAGESIZE) + limits.memory;
      setrlimit(RLIMIT_DATA, &(struct rlimit){limit, limit});
    }
  }
  alarm(limits.seconds);
}

// MARK: In the process that asks

/// Does one of both in a process of its own.
static enum tern_hdf5_result run(const char *path, tern_hdf5_limits limits, const tern_hdf5_set *set, void *values,
                                 tern_hdf5_list *listed, char *reason, size_t capacity) {
  report *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    snprintf(reason, capacity, "no memory");
    return tern_hdf5_no_process;
  }
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t child = fork();
  if (child == 0) {
    confine(limits);
    shared->result = load(shared);
    if (shared->result == tern_hdf5_done) {
      handle file = hdf5.file_open(path, 0, 0);
      shared->result = file < 0 ? fail(shared, tern_hdf5_bad_file, "libhdf5 cannot open it")
                       : set    ? read_set(file, shared, set, values)
                                : list(file, shared);
    }
    // Without the library's own end, which would look at the file again.
    _exit(0);
  }
  int fork_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  enum tern_hdf5_result result;
  if (child < 0) {
    snprintf(reason, capacity, "no process to read it: %s", strerror(fork_error));
    result = tern_hdf5_no_process;
  } else {
    int state = 0;
    pid_t ended;
    do ended = waitpid(child, &state, 0);
    while (ended < 0 && errno == EINTR);
    if (ended < 0 || !WIFSIGNALED(state)) {
      result = shared->result;
      snprintf(reason, capacity, "%s", shared->reason);
      if (listed) *listed = shared->list;
    } else {
      int number = WTERMSIG(state);
      snprintf(reason, capacity, number == SIGALRM ? "libhdf5 does not come to an end" : "libhdf5 fails (%s)",
               strsignal(number));
      result = tern_hdf5_bad_file;
    }
  }
  munmap(shared, sizeof *shared);
  return result;
}

enum tern_hdf5_result tern_hdf5_list_sets(const char *path, tern_hdf5_limits limits, tern_hdf5_list *list,
                                          char *reason, size_t capacity) {
  return run(path, limits, NULL, NULL, list, reason, capacity);
}

enum tern_hdf5_result tern_hdf5_read_set(const char *path, tern_hdf5_limits limits, const tern_hdf5_set *set,
                                         void *values, char *reason, size_t capacity) {
  return run(path, limits, set, values, NULL, reason, capacity);
}
