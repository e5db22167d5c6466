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
static inline VECTOR load_columns(__global const INPUT *p) {
#if SW == 1 || V == 1
  return READ(p);
#elif SW == 2
  VECTOR value;
  value.lo = READ(p).even;
  value.hi = READ(p + V - 1).odd;
  return value;
#else
  float lanes[V];
  for (int lane = 0; lane < V; ++lane) lanes[lane] = GET(p, lane * SW);
  return LOAD(lanes);
#endif
}

// Stores 2·V neighbours: even ones and odd ones.
#if V == 4
#define DOUBLE_V 8
#else
#define DOUBLE_V 16
#endif
static inline void store_pairs(VECTOR even, VECTOR odd, __global OUTPUT *p) {
#if (V == 4 || V == 8) && OUTPUT_TYPE == BFLOAT16
  CONCAT(ushort, DOUBLE_V) pairs;
  pairs.even = narrowed_lanes(even);
  pairs.odd = narrowed_lanes(odd);
  CONCAT(vstore, DOUBLE_V)(pairs, 0, p);
#elif V == 4 || V == 8
#define PAIRS CONCAT(float, DOUBLE_V)
  PAIRS pairs;
  pairs.even = even;
  pairs.odd = odd;
#if OUTPUT_TYPE == FLOAT16
  CONCAT(CONCAT(vstore_half, DOUBLE_V), _rte)(pairs, 0, p);
#else
  CONCAT(vstore, DOUBLE_V)(pairs, 0, p);
#endif
#else
  float evens[V], odds[V];
  STORE(even, evens);
  STORE(odd, odds);
  for (int lane = 0; lane < V; ++lane) {
    PUT(evens[lane], p, 2 * lane);
    PUT(odds[lane], p, 2 * lane + 1);
  }
#endif
}

// With -DRECTIFIES a relu stands behind max pooling: what it makes of a maximum, and what it lets through of
// the gradient at o, by the output there. A window of padding only has no maximum.
#ifdef RECTIFIES
#define RECTIFIED(type, best, where) ((best) <= 0 && (where) >= 0 ? (type)(0.0f) : (best))
#define ARRIVING(o) (GET(output, o) <= 0 ? 0.0f : GET(dy, o))
#define BIND_RECTIFIED(start) __global const INPUT *output = output_base + output_offset + (start)
#else
#define RECTIFIED(type, best, where) (best)
#define ARRIVING(o) GET(dy, o)
#define BIND_RECTIFIED(start)
#endif
