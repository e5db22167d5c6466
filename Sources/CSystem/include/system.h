// What Swift's module for the system's library leaves out.

#ifndef TERN_SYSTEM_H
#define TERN_SYSTEM_H

/// Lets two paths change places in one step; 0, or -1 with the reason in errno.
int tern_exchange_paths(const char *first, const char *second);

/// The arguments of the process, as the loader gives them: also where /proc is not mounted.
int tern_argument_count(void);
const char *tern_argument(int index);

#endif
