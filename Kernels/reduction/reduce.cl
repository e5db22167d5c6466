// Sums and maxima over some axes. An output's place in the input comes from the kept axes, the
// terms from the reduced ones; both are given as extents and strides of up to four axes.
#define SUM 0
#define MAXIMUM 1

inline int place(int i, int4 extents, int4 strides) {
  int result = (i % extents.w) * strides.w;
  i /= extents.w;
  result += (i % extents.z) * strides.z;
  i /= extents.z;
  result += (i % extents.y) * strides.y;
  return result + (i / extents.y) * strides.x;
}

// One work-item per output, for few terms.
__kernel void reduce_items(IN(x), OUT(y), const int outputs, const int terms, const int8 extents,
                           const int8 strides, const float scale) {
  BIND(x);
  BIND_OUT(y);
  const int o = get_global_id(0);
  if (o >= outputs) return;
  const int start = place(o, extents.lo, strides.lo);
#if OPERATION == SUM
  float result = 0;
#else
  float result = -INFINITY;
#endif
  for (int t = 0; t < terms; ++t) {
    const float value = x[start + place(t, extents.hi, strides.hi)];
#if OPERATION == SUM
    result += value;
#else
    result = isnan(value) || value > result ? value : result;
#endif
  }
  y[o] = result * scale;
}

// One group per output and part of the terms: part p of `parts` sums its share.
__kernel void reduce_groups(IN(x), OUT(y), const int outputs, const int terms, const int8 extents,
                            const int8 strides, const float scale, const int parts,
                            __local float *scratch) {
  BIND(x);
  BIND_OUT(y);
  const int o = get_group_id(0) / parts;
  const int part = get_group_id(0) % parts;
  const int share = (terms + parts - 1) / parts;
  const int end = min(terms, (part + 1) * share);
  const int start = place(o, extents.lo, strides.lo);
#if OPERATION == SUM
  float result = 0;
  for (int t = part * share + get_local_id(0); t < end; t += GROUP) {
    result += x[start + place(t, extents.hi, strides.hi)];
  }
  result = group_sum(result, scratch);
#else
  float result = -INFINITY;
  for (int t = part * share + get_local_id(0); t < end; t += GROUP) {
    result = fmax(result, x[start + place(t, extents.hi, strides.hi)]);
  }
  result = group_max(result, scratch);
#endif
  if (get_local_id(0) == 0) y[o * parts + part] = result * scale;
}
