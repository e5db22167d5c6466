#ifndef TERN_MPI_CALLS_H
#define TERN_MPI_CALLS_H

#include <stddef.h>

// The calls of MPI that Tern makes, of an Open MPI that is looked for when the process runs under a launcher:
// the command starts and works where none is installed. All return 0 or MPI's code.

/// Loads the library; NULL, or why it cannot be loaded.
const char *tern_mpi_load(void);

/// Joins the processes that the launcher started; calls may come from any thread, one at a time.
int tern_mpi_init(void);
int tern_mpi_rank(int *rank);
int tern_mpi_size(int *size);

/// Blocking, of at most INT_MAX bytes.
int tern_mpi_send(const void *bytes, int count, int rank);
int tern_mpi_receive(void *bytes, int count, int rank);
int tern_mpi_broadcast(void *bytes, int count, int root);

/// Begin, of at most INT_MAX bytes; the request ends in tern_mpi_wait_all.
int tern_mpi_start_send(const void *bytes, int count, int rank, void **request);
int tern_mpi_start_receive(void *bytes, int count, int rank, void **request);
/// Waits for all requests. The processor is left to others where they take longer than a small message:
/// the thread that computes may need it.
int tern_mpi_wait_all(int count, void **requests);

/// What a code means, in at most `capacity` bytes.
void tern_mpi_describe(int code, char *text, size_t capacity);

int tern_mpi_finalize(void);
/// Ends all processes of the launcher; does not return.
void tern_mpi_abort(int code);

#endif
