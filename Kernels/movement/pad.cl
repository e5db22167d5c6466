#include "../common/common.cl"

// Padding by mirroring (MODE 0), repeating the border (1) or continuing from the other side (2).
#ifndef MODE
#define MODE 0
#endif
static inline int source_index(int i, int before, int extent) {
  const int j = i - before;
#if MODE == 0
  return j < 0 ? -j : (j >= extent ? 2 * (extent - 1) - j : j);
#elif MODE == 1
  return clamp(j, 0, extent - 1);
#else
  return j < 0 ? j + extent : (j >= extent ? j - extent : j);
#endif
}

__kernel void pad(IN(x), OUT(y), const int n, const int8 out_extents, const int8 in_extents,
                  const int8 before) {
  BIND(x);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= n) return;
  int out[8], in[8], lead[8];
  vstore8(out_extents, 0, out);
  vstore8(in_extents, 0, in);
  vstore8(before, 0, lead);
  int rest = i, source = 0, stride = 1;
  for (int axis = 7; axis >= 0; --axis) {
    source += source_index(rest % out[axis], lead[axis], in[axis]) * stride;
    rest /= out[axis];
    stride *= in[axis];
  }
  y[i] = x[source];
}

// Every input element sums what arrived at its copies. Along an axis it has at most three kinds of
// them: itself, one before the front, one behind the back; the border repeats in between (MODE 1).
__kernel void pad_backward(IN(dy), OUT(dx), const int n, const int8 out_extents,
                           const int8 in_extents, const int8 before) {
  BIND(dy);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= n) return;
  int out[8], in[8], lead[8], first[8], last[8], position[8];
  vstore8(out_extents, 0, out);
  vstore8(in_extents, 0, in);
  vstore8(before, 0, lead);
  int rest = i, index[8];
  for (int axis = 7; axis >= 0; --axis) {
    index[axis] = rest % in[axis];
    rest /= in[axis];
    // Where nothing is added, only one place can be meant.
    const int is_padded = out[axis] != in[axis];
    first[axis] = is_padded ? 0 : index[axis];
    last[axis] = is_padded ? out[axis] : index[axis] + 1;
    position[axis] = first[axis];
  }
  float sum = 0;
  for (;;) {
    int matches = 1, source = 0;
    for (int axis = 0; axis < 8; ++axis) {
      matches &= source_index(position[axis], lead[axis], in[axis]) == index[axis];
      source = source * out[axis] + position[axis];
    }
    if (matches) sum += dy[source];
    int axis = 7;
    while (axis >= 0 && ++position[axis] == last[axis]) {
      position[axis] = first[axis];
      --axis;
    }
    if (axis < 0) break;
  }
  dx[i] = sum;
}
