// The OpenCL C sources of this folder, embedded in the binary.
#pragma once

// The source of a file named without its ending, such as "elementwise/unary"; NULL for any other.
const char *tern_kernel_source(const char *file);
