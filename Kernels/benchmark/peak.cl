#include "../common/common.cl"

// The best a device reaches: what other kernels are measured against.

// Independent sums, enough to hide the latency of a multiply-add.
#ifndef CHAINS
#define CHAINS 8
#endif

// CHAINS · V multiply-adds per round and work-item, none of which needs memory.
__kernel void multiply_add(OUT(y), const int rounds, const float a, const float b) {
  BIND_OUT(y);
  VECTOR x[CHAINS];
#pragma unroll
  for (int c = 0; c < CHAINS; ++c) x[c] = (VECTOR)(1e-3f * (int)get_local_id(0) + c);
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (int c = 0; c < CHAINS; ++c) x[c] = x[c] * a + b;
  }
  VECTOR sum = x[0];
#pragma unroll
  for (int c = 1; c < CHAINS; ++c) sum += x[c];
  // Never true, which the compiler cannot know.
  if (sum_lanes(sum) == -1.0f) y[0] = 0.0f;
}

// y = a + s · b, as in McCalpin's STREAM. A work-item computes V elements; n is a multiple of V.
__kernel void triad(IN(a), IN(b), OUT(y), const float s, const int n) {
  BIND(a);
  BIND(b);
  BIND_OUT(y);
  const int i = get_global_id(0) * V;
  if (i < n) STORE(LOAD(a + i) + s * LOAD(b + i), y + i);
}
