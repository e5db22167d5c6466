// The benchmark suites of this folder, embedded in the binary.
#pragma once

#include <stddef.h>

size_t tern_suite_count(void);

// The name of a suite, which is its file's without the ending.
const char *tern_suite_name(size_t index);

// The JSON text of a suite.
const char *tern_suite_text(size_t index);
