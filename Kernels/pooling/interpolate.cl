#include "../common/common.cl"

// Resampling of planes: a = (planes, H, W, OH, OW). MODE 0: nearest, 1: bilinear with pixel centres
// at halves, 2: bilinear with aligned corners.
#ifndef MODE
#define MODE 0
#endif
#define H a.s1
#define W a.s2
#define OH a.s3
#define OW a.s4

#if V == 1
#define TO_FLOATS(value) (float)(value)
#define TO_INTEGERS(value) (int)(value)
#else
#define TO_FLOATS(value) CONCAT(convert_float, V)(value)
#define TO_INTEGERS(value) CONCAT(convert_int, V)(value)
#endif

// Elements of the input from one output to the next.
static inline float step_between(int in, int out) {
  return MODE != 2 ? (float)in / out : out > 1 ? (float)(in - 1) / (out - 1) : 0.0f;
}

// Where the outputs i, i + 1, … read: the first of two neighbouring elements; the weight of the
// second.
static inline VECTOR sample_places(int i, int in, int out, INTEGERS *first) {
  const float step = step_between(in, out);
  const VECTOR outputs = TO_FLOATS(i + LANES);
  const VECTOR place = MODE == 1 ? fmax((outputs + 0.5f) * step - 0.5f, 0.0f) : outputs * step;
  *first = min(TO_INTEGERS(place), (INTEGERS)(in - 1));
  return MODE == 0 ? (VECTOR)(0.0f) : place - TO_FLOATS(*first);
}

// The same for one output.
static inline float sample_place(int i, int in, int out, int *first, int *second) {
  const float step = step_between(in, out);
  const float place = MODE == 1 ? fmax((i + 0.5f) * step - 0.5f, 0.0f) : i * step;
  *first = min((int)place, in - 1);
  *second = min(*first + 1, in - 1);
  return MODE == 0 ? 0.0f : place - *first;
}

// The outputs that may read element i, first ..< end: one more at either side than the inverse of
// sample_place says, for what it rounds. Those at the border also stand for what lies beyond it.
static inline void readers(int i, int in, int out, int *first, int *end) {
  const float step = step_between(in, out), centre = MODE == 1 ? 0.5f : 0.0f;
  const bool all = step == 0;
  *first = all || i == 0 ? 0 : max(0, (int)((i - (MODE != 0) + centre) / step - centre) - 1);
  *end = all || i == in - 1 ? out : min(out, (int)((i + 1 + centre) / step - centre) + 3);
}

// What output i takes of an element.
static inline float weight_of(int element, int i, int in, int out) {
  int first, second;
  const float v = sample_place(i, in, out, &first, &second);
  return (first == element ? 1 - v : 0.0f) + (second == element ? v : 0.0f);
}

// A work-item computes a row of outputs, V at a time; where there are many, one output.
#define ACROSS (V == 1 ? OW : 1)

__kernel void interpolate(IN_ANY(x), OUT_ANY(y), const int8 a, DIVISOR(out_height),
                          DIVISOR(out_width)) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  if (item >= a.s0 * OH * ACROSS) return;
  const int row = V == 1 ? divided(item, out_width) : item;
  const int plane = divided(row, out_height);
  int h0, h1;
  const float v = sample_place(row - plane * OH, H, OH, &h0, &h1);
  x += plane * H * W;
  y += row * OW;
  __global const INPUT *top = x + h0 * W, *bottom = x + h1 * W;
  for (int column = (item - row * ACROSS) * V; column < OW; column += V * ACROSS) {
    const int start = min(column, OW - V);
    INTEGERS first;
    const VECTOR u = sample_places(start, W, OW, &first);
    int firsts[V];
    float corners[4][V];
    STORE_INTEGERS(first, firsts);
#pragma unroll
    for (int lane = 0; lane < V; ++lane) {
      const int w0 = firsts[lane], w1 = min(w0 + 1, W - 1);
      corners[0][lane] = GET(top, w0);
      if (MODE == 0) continue;
      corners[1][lane] = GET(top, w1);
      corners[2][lane] = GET(bottom, w0);
      corners[3][lane] = GET(bottom, w1);
    }
    // The last vector reaches back over outputs already computed.
#if MODE == 0
    WRITE(LOAD(corners[0]), y + start);
#else
    WRITE((1 - v) * ((1 - u) * LOAD(corners[0]) + u * LOAD(corners[1])) +
              v * ((1 - u) * LOAD(corners[2]) + u * LOAD(corners[3])),
          y + start);
#endif
  }
}

// Those that do read it: of one axis, so that all pairs of two axes need no look at the others.
static inline void true_readers(int i, int in, int out, int *first, int *end) {
  readers(i, in, out, first, end);
  while (*first < *end && weight_of(i, *first, in, out) == 0) ++*first;
  while (*first < *end && weight_of(i, *end - 1, in, out) == 0) --*end;
}

// Every input element gathers from the outputs that read it.
__kernel void interpolate_backward(IN_ANY(dy), OUT_ANY(dx), const int8 a, DIVISOR(height),
                                   DIVISOR(width)) {
  BIND_ANY(dy);
  BIND_ANY_OUT(dx);
  const int i = get_global_id(0);
  if (i >= a.s0 * H * W) return;
  const int row = divided(i, width), plane = divided(row, height);
  const int w = i - row * W, h = row - plane * H;
  dy += plane * OH * OW;
  int first_row, end_row, first_column, end_column;
  true_readers(h, H, OH, &first_row, &end_row);
  true_readers(w, W, OW, &first_column, &end_column);
  float sum = 0;
  for (int ow = first_column; ow < end_column; ++ow) {
    const float column_weight = weight_of(w, ow, W, OW);
    float column = 0;
    for (int oh = first_row; oh < end_row; ++oh) {
      column += weight_of(h, oh, H, OH) * GET(dy, oh * OW + ow);
    }
    sum += column_weight * column;
  }
  PUT(sum, dx, i);
}

// A work-item gathers what arrives for a row of the input and deals it out along the row.
__kernel void interpolate_backward_rows(IN(dy), OUT(dx), const int8 a) {
  BIND(dy);
  BIND_OUT(dx);
  const int row = get_global_id(0);
  if (row >= a.s0 * H) return;
  const int h = row % H;
  dy += row / H * OH * OW;
  dx += row * W;
  int first_row, end_row;
  readers(h, H, OH, &first_row, &end_row);
  for (int w = 0; w < W; ++w) dx[w] = 0;
  for (int column = 0; column < OW; column += V) {
    const int start = min(column, OW - V);
    VECTOR arriving = 0;
    for (int oh = first_row; oh < end_row; ++oh) {
      const float weight = weight_of(h, oh, H, OH);
      if (weight != 0) arriving += weight * LOAD(dy + oh * OW + start);
    }
    INTEGERS first;
    const VECTOR u = sample_places(start, W, OW, &first);
    int firsts[V];
    float left[V], right[V];
    STORE_INTEGERS(first, firsts);
    STORE((1 - u) * arriving, left);
    STORE(u * arriving, right);
    // The last vector reaches back over outputs already dealt out.
    for (int lane = column - start; lane < V; ++lane) {
      dx[firsts[lane]] += left[lane];
      if (MODE != 0) dx[min(firsts[lane] + 1, W - 1)] += right[lane];
    }
  }
}
