#include "binary_functions.cl"
#include "../common/strided.cl"

// A function of two tensors. -DFUNCTION names it.
#ifndef FUNCTION
#define FUNCTION add
#endif
// An operand's stride along the innermost axis, 0 or 1.
#ifndef A_STEP
#define A_STEP 1
#define B_STEP 1
#endif

// A work-item computes V elements.
__kernel void binary_same(IN_ANY(a), IN_ANY(b), OUT_ANY(y), const int n) {
  BIND_ANY(a);
  BIND_ANY(b);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  ELEMENTS(item, n);
  if (count <= 0) return;
  write_some(FUNCTION(read_some(a + i, count), read_some(b + i, count)), y + i, count);
}

static inline VECTOR operand(__global const INPUT *p, int step, int count) {
  return step == 0 ? ALL(GET(p, 0)) : read_some(p, count);
}

// Rows of `inner` elements, the innermost axis of the result. An operand's stride is 0 along an axis
// it is repeated along. A work-item computes V elements of a row.
__kernel void binary_broadcast(IN_ANY(a), IN_ANY(b), OUT_ANY(y), const int items, const int inner,
                               DIVISOR(across), AXES_OF(a, b)) {
  BIND_ANY(a);
  BIND_ANY(b);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  if (item >= items) return;
  const int row = divided(item, across), column = (item - row * across.s0) * V;
  const int2 start = start_of_row(row, AXES_GIVEN(a, b));
  const VECTOR value = FUNCTION(operand(a + start.s0 + column * A_STEP, A_STEP, inner - column),
                                operand(b + start.s1 + column * B_STEP, B_STEP, inner - column));
  write_some(value, y + row * inner + column, inner - column);
}
