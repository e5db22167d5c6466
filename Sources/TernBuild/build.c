#include "build.h"

const char *tern_commit(void) { return TERN_COMMIT; }
