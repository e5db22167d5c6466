#ifndef TERN_HDF5_CALLS_H
#define TERN_HDF5_CALLS_H

#include <stddef.h>
#include <stdint.h>

// Files are read by libhdf5 in a process of its own. The library believes what a file says, so that a damaged one
// may end the process, keep it busy or make it ask for all memory: then the process that trains goes on, and
// says so. The library is looked for there too, so that `tern` starts and works where none is installed, and does
// not load the two dozen libraries that it depends on; TERN_HDF5 names another file of it.

enum {
  tern_hdf5_longest_name = 256,
  tern_hdf5_most_axes = 8,
  tern_hdf5_most_sets = 64,
};

enum tern_hdf5_kind { tern_hdf5_signed, tern_hdf5_unsigned, tern_hdf5_floating };

/// A data set of a file's root.
typedef struct {
  char name[tern_hdf5_longest_name];
  enum tern_hdf5_kind kind;
  /// Bytes of an element as it is read: 1, 2, 4 or 8.
  int32_t size;
  int32_t axis_count;
  uint64_t extents[tern_hdf5_most_axes];
  /// The bytes that its elements take in the file, packed or not.
  uint64_t stored;
  /// Why it cannot be read; empty where it can.
  char fault[80];
} tern_hdf5_set;

typedef struct {
  tern_hdf5_set sets[tern_hdf5_most_sets];
  int32_t count;
  /// Data sets beyond those that are listed.
  int32_t others;
} tern_hdf5_list;

/// What such a process may take.
typedef struct {
  /// Bytes beyond what this process has.
  uint64_t memory;
  uint32_t seconds;
} tern_hdf5_limits;

enum tern_hdf5_result {
  tern_hdf5_done,
  tern_hdf5_no_library,
  tern_hdf5_bad_file,
  tern_hdf5_no_process,
};

/// Lists the data sets of a file's root.
///
/// @param reason Why not, where the result is not tern_hdf5_done.
enum tern_hdf5_result tern_hdf5_list_sets(const char *path, tern_hdf5_limits limits, tern_hdf5_list *list,
                                          char *reason, size_t capacity);

/// Reads all elements of a data set, the last axis fastest, in this machine's order of bytes.
///
/// @param set As tern_hdf5_list_sets gave it.
/// @param values Memory that processes share, of as many bytes as the elements have.
enum tern_hdf5_result tern_hdf5_read_set(const char *path, tern_hdf5_limits limits, const tern_hdf5_set *set,
                                         void *values, char *reason, size_t capacity);

#endif
