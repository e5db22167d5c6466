#ifndef TERN_COMMON
#define TERN_COMMON
// What every kernel file starts with.
//
// A tensor is two arguments: the buffer it lives in, and where it starts, in elements. IN and OUT
// declare them, BIND makes the pointer.
#define IN(name) __global const float *name##_base, const uint name##_offset
#define OUT(name) __global float *name##_base, const uint name##_offset
#define IN_INT(name) __global const int *name##_base, const uint name##_offset
#define IN_BYTES(name) __global const uchar *name##_base, const uint name##_offset
#define OUT_INT(name) __global int *name##_base, const uint name##_offset
#define BIND(name) __global const float *name = name##_base + name##_offset
#define BIND_OUT(name) __global float *name = name##_base + name##_offset
#define BIND_INT(name) __global const int *name = name##_base + name##_offset
#define BIND_BYTES(name) __global const uchar *name = name##_base + name##_offset
#define BIND_INT_OUT(name) __global int *name = name##_base + name##_offset

#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)

// The work-items that share a row, and the rows of a work-group: the host launches groups of
// GROUP · TEAMS.
#ifndef GROUP
#define GROUP 1
#endif
#ifndef TEAMS
#define TEAMS 1
#endif

// The lanes of a vector: what a processor's registers hold, or 1 where work-items run side by side
// anyway.
#ifndef V
#define V 1
#endif
#if V == 1
#define VECTOR float
#define INTEGERS int
#define LOAD(p) (*(p))
#define STORE(value, p) (*(p) = (value))
#define LOAD_INTEGERS(p) (*(p))
#define STORE_INTEGERS(value, p) (*(p) = (value))
#define FIRST_LANE(value) (value)
#else
#define VECTOR CONCAT(float, V)
#define INTEGERS CONCAT(int, V)
#define LOAD(p) CONCAT(vload, V)(0, p)
#define STORE(value, p) CONCAT(vstore, V)(value, 0, p)
#define LOAD_INTEGERS(p) CONCAT(vload, V)(0, p)
#define STORE_INTEGERS(value, p) CONCAT(vstore, V)(value, 0, p)
#define FIRST_LANE(value) (value).s0
#endif

// Selection between vectors takes vectors.
#define ALL(value) ((VECTOR)(value))

// 0, 1, 2, … by lane.
#if V == 16
#define LANES (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#elif V == 8
#define LANES (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#elif V == 4
#define LANES (int4)(0, 1, 2, 3)
#else
#define LANES 0
#endif

// A division by a number that the host knew, for what is not negative: the divisor, and the factor
// and the shift of a product that divides by it. Source: Granlund and Montgomery, 1994.
#define DIVISOR(name) const uint4 name
static inline int divided(int value, uint4 divisor) {
  return mul_hi((uint)value << 1, divisor.s1) >> divisor.s2;
}

// Private arrays of a GPU are registers only where every index is known: short vectors are unrolled.
#if V <= 4
#define EACH_LANE _Pragma("unroll")
#else
#define EACH_LANE
#endif

// The loop over results that were summed in registers. A processor's compiler would lay out every store of
// a part of a vector, as many as there are results: it is given an array of its own to go through.
#if V > 4
#define EACH_RESULT _Pragma("unroll 1")
#else
#define EACH_RESULT _Pragma("unroll")
#endif

// The first `count` elements at p; the other lanes are 0.
static inline VECTOR load_part(__global const float *p, int count) {
  float lanes[V];
  EACH_LANE
  for (int lane = 0; lane < V; ++lane) lanes[lane] = lane < count ? p[lane] : 0.0f;
  return LOAD(lanes);
}

// Stores the lanes first ..< last of a vector whose lane 0 belongs at p.
static inline void store_part(VECTOR value, __global float *p, int first, int last) {
  float lanes[V];
  STORE(value, lanes);
#if V <= 4
  EACH_LANE
  for (int lane = 0; lane < V; ++lane) {
    if (lane >= first && lane < last) p[lane] = lanes[lane];
  }
#else
  for (int lane = first; lane < last; ++lane) p[lane] = lanes[lane];
#endif
}

#include "storage.cl"

// Which of n elements a work-item has: `count` from `i` on, none where that is 0 or less. Where
// vectors are taken whole, a work-item has V, or one of those behind the last whole vector: code for a
// part of a vector would be as long as all the rest.
#if defined(ALIGNED) && !defined(WHOLE)
#define ELEMENTS(item, n)                                                         \
  const int whole = (n) / V, i = (item) < whole ? (item) * V : (item) + whole * (V - 1); \
  const int count = (item) < whole ? V : min(1, (n) - i)
#else
#define ELEMENTS(item, n) const int i = (item) * V, count = (n) - i
#endif

// The lanes of a vector added up, neighbours last.
static inline float sum_lanes(VECTOR value) {
#if V == 1
  return value;
#else
#if V == 16
  const float8 eight = value.lo + value.hi;
  const float4 four = eight.lo + eight.hi;
#elif V == 8
  const float4 four = value.lo + value.hi;
#else
  const float4 four = value;
#endif
  const float2 two = four.lo + four.hi;
  return two.x + two.y;
#endif
}

// The larger one; NaN if one of them is.
static inline float larger(float a, float b) { return a > b || isnan(a) ? a : b; }

// The largest lane; NaN if one is.
static inline float max_lanes(VECTOR value) {
  float lanes[V];
  STORE(value, lanes);
  float result = lanes[0];
  EACH_LANE
  for (int lane = 1; lane < V; ++lane) result = larger(result, lanes[lane]);
  return result;
}

// Which row a work-item works on, its place among the GROUP work-items that share the row, and the
// place of the first of these in the work-group. The last group may have rows that there are not.
#if GROUP == 1
#define ROW (int)get_global_id(0)
#define MEMBER 0
#elif TEAMS == 1
#define ROW (int)get_group_id(0)
#define MEMBER (int)get_local_id(0)
#define TEAM_START 0
#else
#define ROW ((int)get_group_id(0) * TEAMS + (int)get_local_id(0) / GROUP)
#define MEMBER ((int)get_local_id(0) % GROUP)
#define TEAM_START ((int)get_local_id(0) / GROUP * GROUP)
#endif

// The elements of a row of `length` that a work-item goes through: none where there is no such row, for
// where results take the place of what is read the last row is being written.
#define OWN_LENGTH (ROW < rows ? length : 0)

// One value of each work-item of a row, put together in a fixed order; every one of them gets the
// result. Two rounds, each of which a few add up what lies in local memory: three barriers, where a
// tree has one for every halving.
#if GROUP > 1
#define FEW (GROUP < 16 ? GROUP : 16)
#define GROUP_RESULT(combine)                                                                  \
  __local float *own = scratch + TEAM_START;                                                   \
  barrier(CLK_LOCAL_MEM_FENCE);                                                                \
  own[MEMBER] = value;                                                                         \
  barrier(CLK_LOCAL_MEM_FENCE);                                                                \
  if (GROUP > FEW) {                                                                           \
    if (MEMBER < FEW) {                                                                        \
      _Pragma("unroll") for (int i = FEW; i < GROUP; i += FEW) {                               \
        value = combine(value, own[MEMBER + i]);                                               \
      }                                                                                        \
      own[MEMBER] = value;                                                                     \
    }                                                                                          \
    barrier(CLK_LOCAL_MEM_FENCE);                                                              \
  }                                                                                            \
  float result = own[0];                                                                       \
  _Pragma("unroll") for (int i = 1; i < FEW; ++i) result = combine(result, own[i]);            \
  return result
#else
#define GROUP_RESULT(combine) return value
#endif
#define ADD(a, b) ((a) + (b))

static inline float group_sum(float value, __local float *scratch) { GROUP_RESULT(ADD); }
static inline float group_max(float value, __local float *scratch) { GROUP_RESULT(larger); }

#endif
