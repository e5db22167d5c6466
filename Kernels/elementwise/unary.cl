#include "unary_functions.cl"

// A function of every element, or its derivative times the arriving gradient. -DFUNCTION names it;
// -DTWICE doubles the derivative.
#ifndef FUNCTION
#define FUNCTION relu
#endif

// A work-item computes V elements.
__kernel void unary(IN_ANY(x), OUT_ANY(y), const int n, const float p, const float q) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  ELEMENTS(item, n);
  if (count > 0) write_some(FUNCTION(read_some(x + i, count), p, q), y + i, count);
}

__kernel void unary_backward(IN_ANY(dy), IN_ANY(saved), OUT_ANY(dx), const int n, const float p,
                             const float q) {
  BIND_ANY(dy);
  BIND_ANY(saved);
  BIND_ANY_OUT(dx);
  const int item = get_global_id(0);
  ELEMENTS(item, n);
  if (count <= 0) return;
  const VECTOR slope = CONCAT(FUNCTION, _slope)(read_some(saved + i, count), p, q);
  const VECTOR product = passed_on(read_some(dy + i, count), slope);
#ifdef TWICE
  write_some(doubled(product), dx + i, count);
#else
  write_some(product, dx + i, count);
#endif
}
