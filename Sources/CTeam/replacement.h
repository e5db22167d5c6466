#ifndef TERN_REPLACEMENT_H
#define TERN_REPLACEMENT_H

/// A function that a library calls by name, and what it is to call instead.
typedef struct {
  const char *name;
  void *function;
} replacement;

/// Replaces functions of other libraries that a loaded library calls, for this library alone. Returns how
/// many of its calls go elsewhere now: none where the library is not loaded or calls them in another way.
///
/// The addresses through which a library calls others stand in its table of relocations (System V ABI,
/// "Dynamic Linking"); they are changed there.
int replace_functions(const char *library, const replacement *replacements, int count);

#endif
