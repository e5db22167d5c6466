#include "../common/common.cl"

// Sums and maxima over some axes. The innermost axis is either reduced (reduce_rows) or kept
// (reduce_columns); the other axes, kept and reduced, come as extents and strides of up to four
// each. With several parts, part p of the terms of output o goes to y[p·outputs + o].
#define SUM 0
#define MAXIMUM 1
#ifndef OPERATION
#define OPERATION SUM
#endif

#if OPERATION == SUM
#define START 0.0f
#define COMBINE(a, b) ((a) + (b))
#define COMBINE_LANES sum_lanes
#define COMBINE_GROUP group_sum
#else
#define START (-INFINITY)
// NaN if one of them is.
#define COMBINE(a, b) ((((a) > (b)) | isnan(a)) ? (a) : (b))
#define COMBINE_LANES max_lanes
#define COMBINE_GROUP group_max
#endif

// Where element i of the axes stands.
static inline int place(int i, int4 extents, int4 strides) {
  if (extents.x * extents.y * extents.z == 1) return i * strides.w;
  int result = (i % extents.w) * strides.w;
  i /= extents.w;
  result += (i % extents.z) * strides.z;
  i /= extents.z;
  result += (i % extents.y) * strides.y;
  return result + (i / extents.y) * strides.x;
}

// Of the GROUP work-items that share an output's terms, those that lie across a row of them; the others
// take other rows.
#ifndef ACROSS
#define ACROSS GROUP
#endif
#define ALONG (GROUP / ACROSS)
// The vectors whose loads are under way at once.
#define ROUNDS 4

// Terms are rows of `inner` neighbours, in segments; a part takes its share of `units` segments.
__kernel void reduce_rows(IN_ANY(x), OUT_ANY(y), const int outputs, const int units,
                          const int inner, const int segment, const int8 extents,
                          const int8 strides, const int parts, const float scale,
                          __local float *scratch) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  // Teams without an output of their own do another's again, and store nothing.
  const int item = min(ROW, outputs * parts - 1), o = item % outputs, part = item / outputs;
  const int share = (units + parts - 1) / parts;
  const int end = min(units, (part + 1) * share);
  const int per_row = (inner + segment - 1) / segment;
  x += place(o, extents.lo, strides.lo);
  VECTOR results = START;
  float result = START;
  for (int unit = part * share + MEMBER / ACROSS; unit < end; unit += ALONG) {
    const int begin = unit % per_row * segment;
    const int length = min(segment, inner - begin);
    __global const INPUT *terms = x + place(unit / per_row, extents.hi, strides.hi) + begin;
    int i = MEMBER % ACROSS * V;
#if GROUP > 1
    for (; i + (ROUNDS - 1) * ACROSS * V + V <= length; i += ROUNDS * ACROSS * V) {
      VECTOR values[ROUNDS];
#pragma unroll
      for (int r = 0; r < ROUNDS; ++r) values[r] = READ(terms + i + r * ACROSS * V);
#pragma unroll
      for (int r = 0; r < ROUNDS; ++r) results = COMBINE(results, values[r]);
    }
#endif
    for (; i + V <= length; i += ACROSS * V) {
      const VECTOR value = READ(terms + i);
      results = COMBINE(results, value);
    }
    for (int j = IN_VECTORS(length) + MEMBER % ACROSS; j < length; j += ACROSS) {
      result = COMBINE(result, GET(terms, j));
    }
  }
  result = COMBINE_GROUP(COMBINE(COMBINE_LANES(results), result), scratch);
  if (MEMBER == 0 && ROW < outputs * parts) PUT(result * scale, y, item);
}

// A work-item reduces V neighbouring columns of `inner`, which is at least V; at the right edge it
// computes some of its neighbour's again.
__kernel void reduce_columns(IN_ANY(x), OUT_ANY(y), const int outputs, const int terms,
                             const int inner, const int8 extents, const int8 strides,
                             const int parts, const float scale) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int across = (inner + V - 1) / V;
  const int item = get_global_id(0);
  if (item >= across * (outputs / inner) * parts) return;
  const int column = item % across * V, start = min(column, inner - V);
  const int o = item / across % (outputs / inner), part = item / (across * (outputs / inner));
  const int share = (terms + parts - 1) / parts;
  const int end = min(terms, (part + 1) * share);
  x += place(o, extents.lo, strides.lo) + start;
  VECTOR result = START;
  for (int t = part * share; t < end; ++t) {
    const VECTOR value = READ(x + place(t, extents.hi, strides.hi));
    result = COMBINE(result, value);
  }
  result *= scale;
  __global OUTPUT *target = y + part * outputs + o * inner + start;
  if (start == column) WRITE(result, target);
  else write_part(result, target, column - start, V);
}

// The same by many threads: of a group ACROSS work-items have vectors of columns that are neighbours, and
// ALONG rows of them take a term each at a time. `inner` is a multiple of V.
#if GROUP > 1
__kernel void reduce_column_groups(IN_ANY(x), OUT_ANY(y), const int outputs, const int terms,
                                   const int inner, const int8 extents, const int8 strides,
                                   const int parts, const float scale) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  __local VECTOR rows[GROUP];
  const int blocks = (inner / V + ACROSS - 1) / ACROSS, kept = outputs / inner;
  const int block = ROW % blocks, o = ROW / blocks % kept, part = ROW / blocks / kept;
  const int column = (block * ACROSS + MEMBER % ACROSS) * V;
  const int share = (terms + parts - 1) / parts;
  const int end = column < inner ? min(terms, (part + 1) * share) : 0;
  x += place(o, extents.lo, strides.lo) + column;
  VECTOR result = START;
  int t = part * share + MEMBER / ACROSS;
  for (; t + (ROUNDS - 1) * ALONG < end; t += ROUNDS * ALONG) {
    VECTOR values[ROUNDS];
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) {
      values[r] = READ(x + place(t + r * ALONG, extents.hi, strides.hi));
    }
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) result = COMBINE(result, values[r]);
  }
  for (; t < end; t += ALONG) {
    const VECTOR value = READ(x + place(t, extents.hi, strides.hi));
    result = COMBINE(result, value);
  }
  rows[MEMBER] = result;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (MEMBER >= ACROSS || column >= inner) return;
  for (int row = 1; row < ALONG; ++row) {
    const VECTOR value = rows[row * ACROSS + MEMBER];
    result = COMBINE(result, value);
  }
  WRITE(result * scale, y + part * outputs + o * inner + column);
}
#endif
