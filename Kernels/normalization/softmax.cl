#include "../common/common.cl"

// Softmax along an axis: [outer, length, inner]. -DLOGARITHMIC=1 for its logarithm.
#ifndef LOGARITHMIC
#define LOGARITHMIC 0
#endif

// One work-item per row: rows whose elements are far apart.
__kernel void softmax_items(IN(x), OUT(y), const int rows, const int length,
                            DIVISOR(inner)) {
  BIND(x);
  BIND_OUT(y);
  const int row = get_global_id(0);
  if (row >= rows) return;
  const int outer = divided(row, inner), step = inner.s0;
  const int start = outer * length * step + row - outer * step;
  float maximum = -INFINITY;
  for (int i = 0; i < length; ++i) maximum = fmax(maximum, x[start + i * step]);
  float sum = 0;
  for (int i = 0; i < length; ++i) sum += exp(x[start + i * step] - maximum);
  // Subtracted one after the other: beside a large maximum the logarithm would be lost.
  const float logarithm = log(sum);
  for (int i = 0; i < length; ++i) {
    const int at = start + i * step;
    y[at] = LOGARITHMIC ? (x[at] - maximum) - logarithm : exp(x[at] - maximum) / sum;
  }
}

// A team per row of neighbours.
__kernel void softmax_rows(IN(x), OUT(y), const int rows, const int length,
                           __local float *scratch) {
  BIND(x);
  BIND_OUT(y);
  x += min(ROW, rows - 1) * length;
  y += min(ROW, rows - 1) * length;
  const int own = OWN_LENGTH, whole = IN_VECTORS(own);
  VECTOR largest = -INFINITY;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) largest = fmax(largest, READ(x + i));
  float value = max_lanes(largest);
  for (int i = whole + MEMBER; i < own; i += GROUP) value = fmax(value, x[i]);
  const float maximum = group_max(value, scratch);
  VECTOR sums = 0;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) sums += exp(READ(x + i) - maximum);
  value = sum_lanes(sums);
  for (int i = whole + MEMBER; i < own; i += GROUP) value += exp(x[i] - maximum);
  const float sum = group_sum(value, scratch);
  if (ROW >= rows) return;
  // Subtracted one after the other: beside a large maximum the logarithm would be lost.
  const float logarithm = log(sum);
  for (int i = MEMBER * V; i < whole; i += GROUP * V) {
    const VECTOR element = READ(x + i);
    WRITE(LOGARITHMIC ? (element - maximum) - logarithm : exp(element - maximum) / sum, y + i);
  }
  for (int i = whole + MEMBER; i < own; i += GROUP) {
    y[i] = LOGARITHMIC ? (x[i] - maximum) - logarithm : exp(x[i] - maximum) / sum;
  }
}

// What an element's part of the sum in the gradient is, and the gradient.
#define PART(dy, y) (LOGARITHMIC ? (dy) : (dy) * (y))
#define GRADIENT(dy, y, sum) (LOGARITHMIC ? (dy) - exp(y) * (sum) : (y) * ((dy) - (sum)))

__kernel void softmax_backward_items(IN(dy), IN(y), OUT(dx), const int rows, const int length,
                                     DIVISOR(inner)) {
  BIND(dy);
  BIND(y);
  BIND_OUT(dx);
  const int row = get_global_id(0);
  if (row >= rows) return;
  const int outer = divided(row, inner), step = inner.s0;
  const int start = outer * length * step + row - outer * step;
  float sum = 0;
  for (int i = 0; i < length; ++i) sum += PART(dy[start + i * step], y[start + i * step]);
  for (int i = 0; i < length; ++i) {
    const int at = start + i * step;
    dx[at] = GRADIENT(dy[at], y[at], sum);
  }
}

__kernel void softmax_backward_rows(IN(dy), IN(y), OUT(dx), const int rows,
                                    const int length, __local float *scratch) {
  BIND(dy);
  BIND(y);
  BIND_OUT(dx);
  dy += min(ROW, rows - 1) * length;
  y += min(ROW, rows - 1) * length;
  dx += min(ROW, rows - 1) * length;
  const int own = OWN_LENGTH, whole = IN_VECTORS(own);
  VECTOR sums = 0;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) sums += PART(READ(dy + i), READ(y + i));
  float value = sum_lanes(sums);
  for (int i = whole + MEMBER; i < own; i += GROUP) value += PART(dy[i], y[i]);
  const float sum = group_sum(value, scratch);
  if (ROW >= rows) return;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) {
    const VECTOR d = READ(dy + i), element = READ(y + i);
    WRITE(GRADIENT(d, element, sum), dx + i);
  }
  for (int i = whole + MEMBER; i < own; i += GROUP) dx[i] = GRADIENT(dy[i], y[i], sum);
}
