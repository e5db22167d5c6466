// What every kernel file starts with.
//
// A tensor is two arguments: the buffer it lives in, and where it starts, in elements. IN and OUT
// declare them, BIND makes the pointer.
#define IN(name) __global const float *name##_base, const uint name##_offset
#define OUT(name) __global float *name##_base, const uint name##_offset
#define IN_INT(name) __global const int *name##_base, const uint name##_offset
#define OUT_INT(name) __global int *name##_base, const uint name##_offset
#define BIND(name) __global const float *name = name##_base + name##_offset
#define BIND_OUT(name) __global float *name = name##_base + name##_offset
#define BIND_INT(name) __global const int *name = name##_base + name##_offset
#define BIND_INT_OUT(name) __global int *name = name##_base + name##_offset

#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)

// The work-items that share a row; the host launches groups of this size where it is not 1.
#ifndef GROUP
#define GROUP 1
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
#else
#define VECTOR CONCAT(float, V)
#define INTEGERS CONCAT(int, V)
#define LOAD(p) CONCAT(vload, V)(0, p)
#define STORE(value, p) CONCAT(vstore, V)(value, 0, p)
#define LOAD_INTEGERS(p) CONCAT(vload, V)(0, p)
#define STORE_INTEGERS(value, p) CONCAT(vstore, V)(value, 0, p)
#endif

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

// The first `count` elements at p; the other lanes are 0.
static inline VECTOR load_part(__global const float *p, int count) {
  float lanes[V];
  for (int lane = 0; lane < V; ++lane) lanes[lane] = lane < count ? p[lane] : 0.0f;
  return LOAD(lanes);
}

// Stores the lanes first ..< last of a vector whose lane 0 belongs at p.
static inline void store_part(VECTOR value, __global float *p, int first, int last) {
  float lanes[V];
  STORE(value, lanes);
  for (int lane = first; lane < last; ++lane) p[lane] = lanes[lane];
}

// The lanes of a vector added up, neighbours last.
static inline float sum_lanes(VECTOR value) {
  float lanes[V];
  STORE(value, lanes);
  for (int half_size = V / 2; half_size > 0; half_size /= 2) {
    for (int lane = 0; lane < half_size; ++lane) lanes[lane] += lanes[lane + half_size];
  }
  return lanes[0];
}

// The larger one; NaN if one of them is.
static inline float larger(float a, float b) { return a > b || isnan(a) ? a : b; }

// The largest lane; NaN if one is.
static inline float max_lanes(VECTOR value) {
  float lanes[V];
  STORE(value, lanes);
  float result = lanes[0];
  for (int lane = 1; lane < V; ++lane) result = larger(result, lanes[lane]);
  return result;
}

// Which row a work-item works on, and its place among the GROUP work-items that share the row.
#if GROUP == 1
#define ROW (int)get_global_id(0)
#define MEMBER 0
#else
#define ROW (int)get_group_id(0)
#define MEMBER (int)get_local_id(0)
#endif

// Adds up one value per work-item in a fixed order; every work-item gets the sum.
static inline float group_sum(float value, __local float *scratch) {
#if GROUP > 1
  barrier(CLK_LOCAL_MEM_FENCE);
  scratch[MEMBER] = value;
  for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (MEMBER < half_size) scratch[MEMBER] += scratch[MEMBER + half_size];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return scratch[0];
#else
  return value;
#endif
}

// The largest of one value per work-item, NaN if one is; every work-item gets it.
static inline float group_max(float value, __local float *scratch) {
#if GROUP > 1
  barrier(CLK_LOCAL_MEM_FENCE);
  scratch[MEMBER] = value;
  for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (MEMBER < half_size) scratch[MEMBER] = larger(scratch[MEMBER], scratch[MEMBER + half_size]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return scratch[0];
#else
  return value;
#endif
}
