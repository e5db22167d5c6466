#define _GNU_SOURCE
#include "system.h"

#include <fcntl.h>
#include <stdio.h>

int tern_exchange_paths(const char *first, const char *second) {
  return renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE);
}

static int argument_count = 0;
static char **arguments = 0;

// The loader hands the arguments to initialisers as well as to main.
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
  argument_count = count;
  arguments = values;
}

int tern_argument_count(void) { return argument_count; }

const char *tern_argument(int index) { return arguments[index]; }
