#include "../common/common.cl"

// Convolutions on devices of many threads that read their tensors where they are. A work-item has EACH results
// below each other: neighbours read neighbours, and a row that was read serves all the results that it
// reaches.
#ifndef KH
#define KH 3
#define KW 3
#define SH 1
#define SW 1
#define PH 1
#define PW 1
#define DH 1
#define DW 1
#endif
#ifndef EACH
#define EACH 4
#endif
// Windows of few taps have no loops.
#if KH * KW <= 64
#define EVERY _Pragma("unroll")
#else
#define EVERY _Pragma("unroll 1")
#endif

// The element of a row that lies nearest to `at`; it counts for nothing where it is another. Loads without
// a condition are all under way together.
static inline int nearest(int at, int count) { return clamp(at, 0, count - 1); }

#define SIZES                                                                                   \
  const int height, const int width, const int out_height, const int out_width

// A work-item's place: column `column`, rows from `top` on, plane `plane` of batch · planes.
#define PLACE(item)                                                                      \
  const int run = divided(item, columns), column = (item) - run * columns.s0;            \
  const int plane = divided(run, blocks), top = (run - plane * blocks.s0) * EACH

// The rows of the input that EACH outputs read: row r of them is the tap i of output e where
// e·SH + i·DH = r.
#define ROWS_READ ((EACH - 1) * SH + (KH - 1) * DH + 1)
#define MEETS(r, e) ((r) >= (e) * SH && ((r) - (e) * SH) % DH == 0 && ((r) - (e) * SH) / DH < KH)
#define TAP(r, e) (((r) - (e) * SH) / DH)
