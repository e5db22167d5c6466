#include "../common/common.cl"

// The axes that a copy loops over, but the innermost.
#ifndef AXES
#define AXES 7
#endif

// Where row `rest` of a box starts in either tensor.
static inline int2 start_of_row(int rest, const int8 extents, const int8 x_strides,
                                const int8 y_strides) {
  int extent[8], sx[8], sy[8];
  vstore8(extents, 0, extent);
  vstore8(x_strides, 0, sx);
  vstore8(y_strides, 0, sy);
  int2 start = 0;
#pragma unroll
  for (int axis = 7; axis > 7 - AXES; --axis) {
    const int index = rest % extent[axis];
    rest /= extent[axis];
    start += (int2)(index * sx[axis], index * sy[axis]);
  }
  return start;
}

// A box of up to eight axes copied between strided places: expand, permute, narrow, cat, pad. Along
// the innermost axis of `inner` elements a step of 1 is copied V elements at a time.
__kernel void strided_copy(IN(x), OUT(y), const int rows, const int inner, const int8 extents,
                           const int8 x_strides, const int8 y_strides, const int x_step,
                           const int y_step, const int x_start, const int y_start) {
  BIND(x);
  BIND_OUT(y);
  const int across = (inner + V - 1) / V;
  const int item = get_global_id(0);
  if (item >= rows * across) return;
  const int column = item % across * V, count = min(V, inner - column);
  const int2 start = start_of_row(item / across, extents, x_strides, y_strides);
  const int ix = x_start + start.s0 + column * x_step, iy = y_start + start.s1 + column * y_step;
  if (count == V && y_step == 1 && x_step <= 1) {
    VECTOR value;
    if (x_step == 1) value = LOAD(x + ix);
    else value = x[ix];
    STORE(value, y + iy);
  } else {
    for (int i = 0; i < count; ++i) y[iy + i * y_step] = x[ix + i * x_step];
  }
}

// A box of matrices, transposed: neighbours in y are `x_step` apart in x along `inner` elements,
// neighbours in x `y_step` apart in y along `across`. Tiles of SIDE × SIDE: a work-item transposes one
// by vectors, SIDE is V; or a work-group of 8 · SIDE work-items in local memory.
#ifndef SIDE
#define SIDE 32
#endif
__kernel void transposed_copy(IN(x), OUT(y), const int rows, const int inner, const int across,
                              const int8 extents, const int8 x_strides, const int8 y_strides,
                              const int x_step, const int y_step, const int x_start,
                              const int y_start) {
  BIND(x);
  BIND_OUT(y);
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
  const int2 start =
      start_of_row(tile / (tiles_across * tiles_down), extents, x_strides, y_strides);
  x += x_start + start.s0 + first * x_step + second;
  y += y_start + start.s1 + second * y_step + first;
#if V == 1
  for (int round = 0; round < SIDE; round += 8) {
    const int i = round + member / SIDE, j = member % SIDE;
    if (i < wide && j < high) block[i][j] = x[i * x_step + j];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int round = 0; round < SIDE; round += 8) {
    const int j = round + member / SIDE, i = member % SIDE;
    if (i < wide && j < high) y[j * y_step + i] = block[i][j];
  }
#else
  if (wide == SIDE && high == SIDE) {
    float block[SIDE][SIDE];
    for (int i = 0; i < SIDE; ++i) STORE(LOAD(x + i * x_step), block[i]);
    for (int j = 0; j < SIDE; ++j) {
      float lanes[SIDE];
#pragma unroll
      for (int i = 0; i < SIDE; ++i) lanes[i] = block[i][j];
      STORE(LOAD(lanes), y + j * y_step);
    }
  } else {
    for (int j = 0; j < high; ++j) {
      for (int i = 0; i < wide; ++i) y[j * y_step + i] = x[i * x_step + j];
    }
  }
#endif
}

__kernel void fill(OUT(y), const int n, const float value) {
  BIND_OUT(y);
  const int i = get_global_id(0) * V, count = min(V, n - i);
  const VECTOR values = value;
  if (count == V) STORE(values, y + i);
  else if (count > 0) store_part(values, y + i, 0, count);
}
