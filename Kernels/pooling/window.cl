#include "../common/common.cl"

// A window that moves over planes, set by -D: kernel, stride, padding, dilation.
#ifndef KH
#define KH 2
#define KW 2
#define SH 2
#define SW 2
#define PH 0
#define PW 0
#define DH 1
#define DW 1
#endif

// Planes and their extents, input and output: a = (planes, H, W, OH, OW).
#define PLANES a.s0
#define H a.s1
#define W a.s2
#define OH a.s3
#define OW a.s4

// The outputs of a row whose windows lie inside the columns of the input: first ..< end.
#define INNER_FIRST min(OW, (PW + SW - 1) / SW)
#define INNER_END                                                                          \
  (W + PW < (KW - 1) * DW + 1 ? 0 : min(OW, (W - 1 - (KW - 1) * DW + PW) / SW + 1))

// The elements that V neighbouring windows read at one tap. Nothing behind the last is touched.
static inline VECTOR load_columns(__global const float *p) {
#if SW == 1 || V == 1
  return LOAD(p);
#elif SW == 2
  VECTOR value;
  value.lo = LOAD(p).even;
  value.hi = LOAD(p + V - 1).odd;
  return value;
#else
  float lanes[V];
  for (int lane = 0; lane < V; ++lane) lanes[lane] = p[lane * SW];
  return LOAD(lanes);
#endif
}

// Stores 2·V neighbours: even ones and odd ones.
static inline void store_pairs(VECTOR even, VECTOR odd, __global float *p) {
#if V == 4 || V == 8
#define PAIRS CONCAT(float, DOUBLE_V)
#if V == 4
#define DOUBLE_V 8
#else
#define DOUBLE_V 16
#endif
  PAIRS pairs;
  pairs.even = even;
  pairs.odd = odd;
  CONCAT(vstore, DOUBLE_V)(pairs, 0, p);
#else
  float evens[V], odds[V];
  STORE(even, evens);
  STORE(odd, odds);
  for (int lane = 0; lane < V; ++lane) {
    p[2 * lane] = evens[lane];
    p[2 * lane + 1] = odds[lane];
  }
#endif
}

// With -DRECTIFIES a relu stands behind max pooling: what it makes of a maximum, and what it lets through of
// the gradient at o, by the output there. A window of padding only has no maximum.
#ifdef RECTIFIES
#define RECTIFIED(type, best, where) ((best) <= 0 && (where) >= 0 ? (type)(0.0f) : (best))
#define ARRIVING(o) (output[o] <= 0 ? 0.0f : dy[o])
#define BIND_RECTIFIED(start) __global const float *output = output_base + output_offset + (start)
#else
#define RECTIFIED(type, best, where) (best)
#define ARRIVING(o) (dy[o])
#define BIND_RECTIFIED(start)
#endif
