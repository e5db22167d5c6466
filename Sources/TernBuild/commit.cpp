// The commit comes from git's log of what was checked out, whose last line says "OLD NEW who, when, why".
// Embedded, the log is a dependency like an included header: each commit compiles this file again, and
// nothing asks git at run time. Only the 40 digits get into the binary.

#include "build.h"

#if defined(TERN_GIT_LOG) && defined(__has_embed)
#if __has_embed(TERN_GIT_LOG)
#define TERN_HAS_COMMIT
#endif
#endif

#ifdef TERN_HAS_COMMIT

#pragma clang diagnostic ignored "-Wc23-extensions"

namespace {

constexpr char log_text[] = {
#embed TERN_GIT_LOG
};

struct Commit {
  char digits[41];
};

constexpr Commit newest() {
  Commit result{};
  unsigned long at = sizeof log_text - 1;
  while (at > 0 && log_text[at - 1] != '\n') at--;
  while (at < sizeof log_text && log_text[at] != ' ') at++;
  for (unsigned long n = 0; n < 40 && at + 1 + n < sizeof log_text; n++)
    result.digits[n] = log_text[at + 1 + n];
  return result;
}

constexpr Commit commit = newest();

}  // namespace

const char *tern_commit(void) { return commit.digits; }

#else

const char *tern_commit(void) { return ""; }

#endif
