#include "kernels.h"
const int tern_kernels_placeholder = 0;
