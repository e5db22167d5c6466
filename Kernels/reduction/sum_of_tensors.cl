#include "../common/together.cl"

// The elements of several tensors, or with -DSQUARES their squares, added up. A group takes a share of a tensor and
// leaves its sum at its own number; tensor j is for the groups from start_j on.
#define OWN(j) const int start##j, const int count##j, IN(x##j)
#define POINT(j)               \
  {                            \
    start = start##j;          \
    n = count##j;              \
    x = x##j##_base + x##j##_offset; \
  }

#ifdef SQUARES
#define TERM(value) ((value) * (value))
#else
#define TERM(value) (value)
#endif
// The vectors whose loads are under way at once.
#define ROUNDS 4

__kernel void sum_of_tensors(ALL_OWN, OUT(sums), const int share, __local float *scratch) {
  BIND_OUT(sums);
  const int id = ROW;
  int start, n;
  __global const float *x;
  PICK_OWN
  const int first = (id - start) * share, end = min(n, first + share);
  VECTOR results = 0;
  int i = first + MEMBER * V;
  for (; i + (ROUNDS - 1) * GROUP * V + V <= end; i += ROUNDS * GROUP * V) {
    VECTOR values[ROUNDS];
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) values[r] = READ(x + i + r * GROUP * V);
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) results += TERM(values[r]);
  }
  for (; i + V <= end; i += GROUP * V) {
    const VECTOR value = READ(x + i);
    results += TERM(value);
  }
  float result = sum_lanes(results);
  for (int j = first + (end - first) / V * V + MEMBER; j < end; j += GROUP) result += TERM(x[j]);
  result = group_sum(result, scratch);
  if (MEMBER == 0) sums[ROW] = result;
}
