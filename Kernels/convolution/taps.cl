#include "../common/common.cl"

// The taps of a kernel, and how they step over planes that were taken apart for a stride.
#ifndef KH
#define KH 3
#define KW 3
#endif
#ifndef SH
#define SH 1
#define SW 1
#endif
#ifndef DH
#define DH 1
#define DW 1
#endif

// How far apart an output and its input for a tap are.
#define PHASES_W min(SW, (KW - 1) * DW + 1)
#define DISTANCE(i, j)                                                  \
  (((i) * DH % SH * PHASES_W + (j) * DW % SW) * phase + (i) * DH / SH * pitch + (j) * DW / SW)
