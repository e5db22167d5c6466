#include "../common/common.cl"

// Padding by mirroring (MODE 0), repeating the border (1) or continuing from the other side (2).
#ifndef MODE
#define MODE 0
#endif
// The axes around the innermost.
#ifndef AXES
#define AXES 7
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

// A work-item pads V neighbours of a row of the output.
__kernel void pad(IN(x), OUT(y), const int rows, const int8 out_extents, const int8 in_extents,
                  const int8 before) {
  BIND(x);
  BIND_OUT(y);
  int out[8], in[8], lead[8];
  vstore8(out_extents, 0, out);
  vstore8(in_extents, 0, in);
  vstore8(before, 0, lead);
  const int across = (out[7] + V - 1) / V, item = get_global_id(0);
  if (item >= rows * across) return;
  const int row = item / across, column = item % across * V;
  int rest = row, source = 0, stride = in[7];
#pragma unroll
  for (int axis = 6; axis > 6 - AXES; --axis) {
    source += source_index(rest % out[axis], lead[axis], in[axis]) * stride;
    rest /= out[axis];
    stride *= in[axis];
  }
  x += source;
  y += row * out[7] + column;
  const int first = column - lead[7];
  if (first >= 0 && first + V <= in[7]) {
    STORE(LOAD(x + first), y);
  } else {
    for (int i = 0; i < min(V, out[7] - column); ++i) {
      y[i] = x[source_index(column + i, lead[7], in[7])];
    }
  }
}

// How many copies of an element of the input the output has along an axis; where the first three are
// or, with MODE 1, the first of neighbours.
static inline int find_copies(int copies[3], int index, int before, int extent, int out) {
#if MODE == 1
  copies[0] = index == 0 ? 0 : index + before;
  return (index == extent - 1 ? out : index + before + 1) - copies[0];
#else
  // Itself; the one before the front; the one behind the back.
  int count = 1;
  copies[0] = index + before;
#if MODE == 0
  const int front = before - index, back = before + 2 * (extent - 1) - index;
  const bool has_front = index > 0 && front >= 0, has_back = index < extent - 1 && back < out;
#else
  const int front = before + index - extent, back = before + index + extent;
  const bool has_front = front >= 0, has_back = back < out;
#endif
  if (has_front) copies[count++] = front;
  if (has_back) copies[count++] = back;
  return count;
#endif
}
#define COPY_AT(copies, i) (MODE == 1 ? copies[0] + (i) : copies[i])

// Every element of the input sums what arrived at its copies. A work-item has V neighbours of a row.
__kernel void pad_backward(IN(dy), OUT(dx), const int rows, const int8 out_extents,
                           const int8 in_extents, const int8 before) {
  BIND(dy);
  BIND_OUT(dx);
  int out[8], in[8], lead[8];
  vstore8(out_extents, 0, out);
  vstore8(in_extents, 0, in);
  vstore8(before, 0, lead);
  const int across = (in[7] + V - 1) / V, item = get_global_id(0);
  if (item >= rows * across) return;
  const int row = item / across, column = item % across * V, lanes = min(V, in[7] - column);
  // The copies of the row along each axis around it, and which of them is at hand.
  int copies[8][3], counts[8], choice[8], strides[8];
  int rest = row, stride = out[7];
#pragma unroll
  for (int axis = 6; axis > 6 - AXES; --axis) {
    counts[axis] = find_copies(copies[axis], rest % in[axis], lead[axis], in[axis], out[axis]);
    choice[axis] = 0;
    strides[axis] = stride;
    rest /= in[axis];
    stride *= out[axis];
  }
  // Near an end elements have further copies in a row.
  const int reach = max(lead[7], out[7] - in[7] - lead[7]);
  const bool is_inside =
      lanes == V && (reach == 0 || (column > reach && column + V < in[7] - reach));
  VECTOR sum = 0;
  float sums[V];
  for (int lane = 0; lane < V; ++lane) sums[lane] = 0;
  for (;;) {
    __global const float *source = dy;
#pragma unroll
    for (int axis = 6; axis > 6 - AXES; --axis) {
      source += COPY_AT(copies[axis], choice[axis]) * strides[axis];
    }
    if (is_inside) {
      sum += LOAD(source + lead[7] + column);
    } else {
      for (int lane = 0; lane < lanes; ++lane) {
        int own[3];
        const int count = find_copies(own, column + lane, lead[7], in[7], out[7]);
        for (int i = 0; i < count; ++i) sums[lane] += source[COPY_AT(own, i)];
      }
    }
    int axis = 6;
    while (axis > 6 - AXES && ++choice[axis] == counts[axis]) choice[axis--] = 0;
    if (axis == 6 - AXES) break;
  }
  dx += row * in[7] + column;
  if (is_inside) {
    STORE(sum, dx);
  } else {
    for (int lane = 0; lane < lanes; ++lane) dx[lane] = sums[lane];
  }
}
