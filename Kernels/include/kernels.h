#pragma once
extern const int tern_kernels_placeholder;
