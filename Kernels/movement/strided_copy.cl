#include "../common/common.cl"

// The axes that a copy loops over, but the innermost.
#ifndef AXES
#define AXES 7
#endif

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
  int extent[8], sx[8], sy[8];
  vstore8(extents, 0, extent);
  vstore8(x_strides, 0, sx);
  vstore8(y_strides, 0, sy);
  int rest = item / across, ix = x_start + column * x_step, iy = y_start + column * y_step;
#pragma unroll
  for (int axis = 7; axis > 7 - AXES; --axis) {
    const int index = rest % extent[axis];
    rest /= extent[axis];
    ix += index * sx[axis];
    iy += index * sy[axis];
  }
  if (count == V && y_step == 1 && x_step <= 1) {
    VECTOR value;
    if (x_step == 1) value = LOAD(x + ix);
    else value = x[ix];
    STORE(value, y + iy);
  } else {
    for (int i = 0; i < count; ++i) y[iy + i * y_step] = x[ix + i * x_step];
  }
}

__kernel void fill(OUT(y), const int n, const float value) {
  BIND_OUT(y);
  const int i = get_global_id(0) * V, count = min(V, n - i);
  const VECTOR values = value;
  if (count == V) STORE(values, y + i);
  else if (count > 0) store_part(values, y + i, 0, count);
}
