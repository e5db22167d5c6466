#include "../common/common.cl"

// A function of two tensors. -DFUNCTION names it.
#ifndef FUNCTION
#define FUNCTION add
#endif
// The axes that a broadcast loops over, but the innermost.
#ifndef AXES
#define AXES 7
#endif
// An operand's stride along the innermost axis, 0 or 1.
#ifndef A_STEP
#define A_STEP 1
#define B_STEP 1
#endif

#define ALL(value) ((VECTOR)(value))

static inline VECTOR add(VECTOR a, VECTOR b) { return a + b; }
static inline VECTOR sub(VECTOR a, VECTOR b) { return a - b; }
static inline VECTOR mul(VECTOR a, VECTOR b) { return a * b; }
static inline VECTOR div(VECTOR a, VECTOR b) { return a / b; }
// NaN if one of them is.
static inline VECTOR maximum(VECTOR a, VECTOR b) { return ((a > b) | isnan(a)) ? a : b; }
static inline VECTOR minimum(VECTOR a, VECTOR b) { return ((a < b) | isnan(a)) ? a : b; }
static inline VECTOR heaviside(VECTOR a, VECTOR b) {
  return a > b ? ALL(1.0f) : (a == b ? ALL(0.5f) : ALL(0.0f));
}
static inline VECTOR equal(VECTOR a, VECTOR b) { return a == b ? ALL(1.0f) : ALL(0.0f); }

// A work-item computes V elements.
__kernel void binary_same(IN(a), IN(b), OUT(y), const int n) {
  BIND(a);
  BIND(b);
  BIND_OUT(y);
  const int i = get_global_id(0) * V, count = min(V, n - i);
  if (count == V) {
    STORE(FUNCTION(LOAD(a + i), LOAD(b + i)), y + i);
  } else if (count > 0) {
    store_part(FUNCTION(load_part(a + i, count), load_part(b + i, count)), y + i, 0, count);
  }
}

static inline VECTOR operand(__global const float *p, int step, int count) {
  if (step == 0) return ALL(*p);
  return count == V ? LOAD(p) : load_part(p, count);
}

// Rows of `inner` elements, the innermost axis of the result. An operand's stride is 0 along an axis
// it is repeated along. A work-item computes V elements of a row.
__kernel void binary_broadcast(IN(a), IN(b), OUT(y), const int rows, const int inner,
                               const int8 extents, const int8 a_strides, const int8 b_strides) {
  BIND(a);
  BIND(b);
  BIND_OUT(y);
  const int across = (inner + V - 1) / V;
  const int item = get_global_id(0);
  if (item >= rows * across) return;
  const int row = item / across, column = item % across * V, count = min(V, inner - column);
  int extent[8], sa[8], sb[8];
  vstore8(extents, 0, extent);
  vstore8(a_strides, 0, sa);
  vstore8(b_strides, 0, sb);
  int rest = row, ia = column * A_STEP, ib = column * B_STEP;
#pragma unroll
  for (int axis = 7; axis > 7 - AXES; --axis) {
    const int index = rest % extent[axis];
    rest /= extent[axis];
    ia += index * sa[axis];
    ib += index * sb[axis];
  }
  const VECTOR value = FUNCTION(operand(a + ia, A_STEP, count), operand(b + ib, B_STEP, count));
  __global float *target = y + row * inner + column;
  if (count == V) STORE(value, target);
  else store_part(value, target, 0, count);
}
