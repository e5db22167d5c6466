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

// The axes of the tensor that is written, and what divides by their extents.
#define AXES_WRITTEN const uint8 factors, const uint8 shifts
#define UNPACK_AXES                   \
  int out[8], in[8], lead[8];         \
  uint factor[8], shift[8];           \
  vstore8(out_extents, 0, out);       \
  vstore8(in_extents, 0, in);         \
  vstore8(before, 0, lead);           \
  vstore8(factors, 0, factor);        \
  vstore8(shifts, 0, shift)

// `rest` by the extent of an axis; the outermost has none before it.
#define OUTER(rest, axis, extent)                                                        \
  ((axis) == 7 - AXES ? 0                                                                \
                      : divided(rest, (uint4)((extent)[axis], factor[axis], shift[axis], 0)))

// A work-item pads V neighbours of a row of the output.
__kernel void pad(IN_ANY(x), OUT_ANY(y), const int items, DIVISOR(across), const int8 out_extents,
                  const int8 in_extents, const int8 before, AXES_WRITTEN) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  UNPACK_AXES;
  const int item = get_global_id(0);
  if (item >= items) return;
  const int row = divided(item, across), column = (item - row * across.s0) * V;
  int rest = row, source = 0, stride = in[7];
#pragma unroll
  for (int axis = 6; axis > 6 - AXES; --axis) {
    const int outer = OUTER(rest, axis, out);
    source += source_index(rest - outer * out[axis], lead[axis], in[axis]) * stride;
    rest = outer;
    stride *= in[axis];
  }
  x += source;
  y += row * out[7] + column;
  const int first = column - lead[7];
  if (first >= 0 && first + V <= in[7]) {
    WRITE(READ(x + first), y);
  } else {
    for (int i = 0; i < min(V, out[7] - column); ++i) {
      PUT(GET(x, source_index(column + i, lead[7], in[7])), y, i);
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
  copies[0] = index + before;
#if MODE == 0
  const int front = before - index, back = before + 2 * (extent - 1) - index;
  const bool has_front = index > 0 && front >= 0, has_back = index < extent - 1 && back < out;
#else
  const int front = before + index - extent, back = before + index + extent;
  const bool has_front = front >= 0, has_back = back < out;
#endif
  copies[1] = has_front ? front : back;
  copies[2] = back;
  return 1 + has_front + has_back;
#endif
}
// Not copies[i]: registers have no index.
#define COPY_AT(copies, i) \
  (MODE == 1 ? copies[0] + (i) : (i) == 0 ? copies[0] : (i) == 1 ? copies[1] : copies[2])

// Every element of the input sums what arrived at its copies. A work-item has V neighbours of a row.
__kernel void pad_backward(IN_ANY(dy), OUT_ANY(dx), const int items, DIVISOR(across),
                           const int8 out_extents, const int8 in_extents, const int8 before,
                           AXES_WRITTEN) {
  BIND_ANY(dy);
  BIND_ANY_OUT(dx);
  UNPACK_AXES;
  const int item = get_global_id(0);
  if (item >= items) return;
  const int row = divided(item, across), column = (item - row * across.s0) * V;
  const int lanes = min(V, in[7] - column);
  // The copies of the row along each axis around it, and how many combinations of them there are.
  int copies[8][3], counts[8], strides[8];
  int rest = row, stride = out[7], combinations = 1;
#pragma unroll
  for (int axis = 6; axis > 6 - AXES; --axis) {
    const int outer = OUTER(rest, axis, in);
    counts[axis] =
        find_copies(copies[axis], rest - outer * in[axis], lead[axis], in[axis], out[axis]);
    combinations *= counts[axis];
    strides[axis] = stride;
    rest = outer;
    stride *= out[axis];
  }
  // Near an end elements have further copies in a row.
  const int reach = max(lead[7], out[7] - in[7] - lead[7]);
  const bool is_inside =
      lanes == V && (reach == 0 || (column > reach && column + V < in[7] - reach));
  VECTOR sum = 0;
  float sums[V];
  EACH_LANE
  for (int lane = 0; lane < V; ++lane) sums[lane] = 0;
  for (int combination = 0; combination < combinations; ++combination) {
    __global const INPUT *source = dy;
    int digits = combination;
#pragma unroll
    for (int axis = 6; axis > 6 - AXES; --axis) {
      const int choice = digits % counts[axis];
      digits /= counts[axis];
      source += COPY_AT(copies[axis], choice) * strides[axis];
    }
    if (is_inside) {
      sum += READ(source + lead[7] + column);
    } else {
      EACH_LANE
      for (int lane = 0; lane < V; ++lane) {
        if (lane >= lanes) break;
        int own[3];
        const int count = find_copies(own, column + lane, lead[7], in[7], out[7]);
        for (int i = 0; i < count; ++i) sums[lane] += GET(source, COPY_AT(own, i));
      }
    }
  }
  dx += row * in[7] + column;
  if (is_inside) {
    WRITE(sum, dx);
  } else {
    for (int lane = 0; lane < lanes; ++lane) PUT(sums[lane], dx, lane);
  }
}
