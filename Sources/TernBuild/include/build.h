// What this build was made of.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// The commit that was checked out when this was compiled, 40 hexadecimal digits; empty where the
/// sources were no git repository.
const char *tern_commit(void);

typedef struct {
  const char *name;
  /// Empty where the library does not say.
  char version[64];
} TernLibrary;

/// The library of that number, counted from 0, as it was loaded; one without a name after the last.
TernLibrary tern_library(int number);

#ifdef __cplusplus
}
#endif
