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

// The work-items of a group; set for every build.
#ifndef GROUP
#define GROUP 64
#endif

// Adds up one value per work-item in a fixed order; every work-item gets the sum.
inline float group_sum(float value, __local float *scratch) {
  const int i = get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  scratch[i] = value;
  for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < half_size) scratch[i] += scratch[i + half_size];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return scratch[0];
}

// The largest of one value per work-item; every work-item gets it.
inline float group_max(float value, __local float *scratch) {
  const int i = get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  scratch[i] = value;
  for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < half_size) scratch[i] = fmax(scratch[i], scratch[i + half_size]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return scratch[0];
}
