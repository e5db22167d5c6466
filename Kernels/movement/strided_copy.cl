#include "../common/common.cl"
#include "../common/strided.cl"

// A box of up to eight axes copied between strided places: expand, permute, narrow, cat, pad. Along
// the innermost axis of `inner` elements a step of 1 is copied V elements at a time.
__kernel void strided_copy(IN_ANY(x), OUT_ANY(y), const int items, const int inner, DIVISOR(across),
                           AXES_OF(x, y), const int x_step, const int y_step, const int x_start,
                           const int y_start) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  if (item >= items) return;
  const int row = divided(item, across), column = (item - row * across.s0) * V;
  const int2 start = start_of_row(row, AXES_GIVEN(x, y));
  x += x_start + start.s0 + column * x_step;
  y += y_start + start.s1 + column * y_step;
#if V == 1
  PUT(GET(x, 0), y, 0);
#else
  // Vectors are of neighbours in y, and in x of neighbours or of one element repeated.
  const int count = inner - column;
  if (x_step == 1) write_some(read_some(x, count), y, count);
  else write_some((VECTOR)(GET(x, 0)), y, count);
#endif
}

// A box of matrices, transposed: neighbours in y are `x_step` apart in x along `inner` elements,
// neighbours in x `y_step` apart in y along `across`. Tiles of SIDE × SIDE: a work-item transposes one
// by vectors, SIDE is V; or a work-group of 8 · SIDE work-items in local memory.
#ifndef SIDE
#define SIDE 32
#endif
__kernel void transposed_copy(IN_ANY(x), OUT_ANY(y), const int rows, const int inner,
                              const int across, AXES_OF(x, y), const int x_step, const int y_step,
                              const int x_start, const int y_start) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
#if V == 1
  const int tile = get_group_id(0), member = get_local_id(0);
  __local float block[SIDE][SIDE + 1];
#else
  const int tile = get_global_id(0);
#endif
  const int tiles_down = (across + SIDE - 1) / SIDE, tiles_across = (inner + SIDE - 1) / SIDE;
  if (tile >= rows * tiles_down * tiles_across) return;
  const int first = tile % tiles_across * SIDE, second = tile / tiles_across % tiles_down * SIDE;
  const int wide = min(SIDE, inner - first), high = min(SIDE, across - second);
  const int2 start = start_of_row(tile / (tiles_across * tiles_down), AXES_GIVEN(x, y));
  x += x_start + start.s0 + first * x_step + second;
  y += y_start + start.s1 + second * y_step + first;
#if V == 1
  for (int round = 0; round < SIDE; round += 8) {
    const int i = round + member / SIDE, j = member % SIDE;
    if (i < wide && j < high) block[i][j] = GET(x, i * x_step + j);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int round = 0; round < SIDE; round += 8) {
    const int j = round + member / SIDE, i = member % SIDE;
    if (i < wide && j < high) PUT(block[i][j], y, j * y_step + i);
  }
#else
  if (wide == SIDE && high == SIDE) {
    float block[SIDE][SIDE];
    for (int i = 0; i < SIDE; ++i) STORE(READ(x + i * x_step), block[i]);
    for (int j = 0; j < SIDE; ++j) {
      float lanes[SIDE];
#pragma unroll
      for (int i = 0; i < SIDE; ++i) lanes[i] = block[i][j];
      WRITE(LOAD(lanes), y + j * y_step);
    }
  } else {
    for (int j = 0; j < high; ++j) {
      for (int i = 0; i < wide; ++i) PUT(GET(x, i * x_step + j), y, j * y_step + i);
    }
  }
#endif
}

__kernel void fill(OUT_ANY(y), const int n, const float value) {
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  ELEMENTS(item, n);
  if (count > 0) write_some((VECTOR)(value), y + i, count);
}
