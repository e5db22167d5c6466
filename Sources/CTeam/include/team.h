#ifndef TERN_TEAM_H
#define TERN_TEAM_H

#include <stdbool.h>
#include <stdint.h>

// A team of threads that runs the parts of loops side by side, in place of libgomp's for oneDNN and for
// Tern's own loops.
//
// libgomp's threads wait by spinning for milliseconds: on a machine whose cores others use too, a thread
// that waits takes the time slice of the one it waits for. These spin for some microseconds and then
// sleep. And a part belongs to no thread: whoever comes first runs it, so that the thread that started a
// loop does not wait for one that the system has not woken yet. What a part computes depends on its number
// alone, so the results do not depend on who runs it.

/// How many parts the calling thread's loops of oneDNN are cut into from now on.
void tern_team_set_size(int parts);

/// Starts what the calling thread's loops need for so many parts at once, and says whether all threads are
/// there. What oneDNN prepared for several waits for ever where the system gives fewer.
bool tern_team_start(int parts);

/// Runs `body` once for each part, 0 ..< parts, side by side. A part must not wait for another.
void tern_team_run(int parts, void (*body)(void *data, int part), void *data);

/// Whether the calling thread's loops are left to itself alone; where a part waits for another, the
/// others come all the same, only later.
void tern_team_set_alone(bool alone);

/// How long the calling thread has waited for others in loops so far, in nanoseconds, beyond the time
/// that threads which run at once differ by.
uint64_t tern_team_waited(void);

/// The processors that the process may use, or what OMP_NUM_THREADS says.
int tern_team_processor_count(void);

/// Whether oneDNN's loops run on the team: it was found, and calls OpenMP as it does in Debian.
bool tern_team_runs_onednn(void);

/// How many threads stand beside the calling thread.
int tern_team_helper_count(void);

#endif
