#include "../common/common.cl"

// The transforms of Winograd's convolution by a 3×3 kernel, in tiles of SIDE × SIDE outputs. Source:
// Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; the points are 0, ±1
// (, ±2) and infinity.
#ifndef SIDE
#define SIDE 4
#endif
#define POINTS (SIDE + 2)

// The transforms along one axis. B: a row of an input tile. G: of the weight. A: the result's.
#if SIDE == 4
static inline void transform_input(VECTOR *d) {
  const VECTOR d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
  d[0] = 4.0f * d0 - 5.0f * d2 + d4;
  d[1] = (d3 + d4) - 4.0f * (d1 + d2);
  d[2] = (d4 - d3) + 4.0f * (d1 - d2);
  d[3] = (d4 - d2) + 2.0f * (d3 - d1);
  d[4] = (d4 - d2) - 2.0f * (d3 - d1);
  d[5] = 4.0f * d1 - 5.0f * d3 + d5;
}

static inline void transform_weight(VECTOR *g) {
  const VECTOR g0 = g[0], g1 = g[1], g2 = g[2];
  g[0] = 0.25f * g0;
  g[1] = (g0 + g2 + g1) * (-1.0f / 6);
  g[2] = (g0 + g2 - g1) * (-1.0f / 6);
  g[3] = g0 * (1.0f / 24) + g1 * (1.0f / 12) + g2 * (1.0f / 6);
  g[4] = g0 * (1.0f / 24) - g1 * (1.0f / 12) + g2 * (1.0f / 6);
  g[5] = g2;
}

static inline void transform_result(VECTOR *m) {
  const VECTOR sum = m[1] + m[2], difference = m[1] - m[2];
  const VECTOR far_sum = m[3] + m[4], far_difference = m[3] - m[4];
  const VECTOR m0 = m[0], m5 = m[5];
  m[0] = m0 + sum + far_sum;
  m[1] = difference + 2.0f * far_difference;
  m[2] = sum + 4.0f * far_sum;
  m[3] = difference + 8.0f * far_difference + m5;
}

// The transposes of the last two, for the gradient of the weight.
static inline void transform_gradient(VECTOR *y) {
  const VECTOR y0 = y[0], y1 = y[1], y2 = y[2], y3 = y[3];
  y[1] = (y0 + y2) + (y1 + y3);
  y[2] = (y0 + y2) - (y1 + y3);
  y[3] = (y0 + 4.0f * y2) + (2.0f * y1 + 8.0f * y3);
  y[4] = (y0 + 4.0f * y2) - (2.0f * y1 + 8.0f * y3);
  y[5] = y3;
}

static inline void transform_sum(VECTOR *m) {
  const VECTOR sum = m[1] + m[2], far_sum = m[3] + m[4];
  const VECTOR difference = m[2] - m[1], far_difference = m[3] - m[4];
  m[0] = 0.25f * m[0] - sum * (1.0f / 6) + far_sum * (1.0f / 24);
  m[1] = difference * (1.0f / 6) + far_difference * (1.0f / 12);
  m[2] = (far_sum - sum) * (1.0f / 6) + m[5];
}
#else
static inline void transform_input(VECTOR *d) {
  const VECTOR d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
  d[0] = d0 - d2;
  d[1] = d1 + d2;
  d[2] = d2 - d1;
  d[3] = d1 - d3;
}

static inline void transform_weight(VECTOR *g) {
  const VECTOR g0 = g[0], g1 = g[1], g2 = g[2];
  g[1] = 0.5f * (g0 + g2 + g1);
  g[2] = 0.5f * (g0 + g2 - g1);
  g[3] = g2;
}

static inline void transform_result(VECTOR *m) {
  const VECTOR m0 = m[0], m1 = m[1], m2 = m[2], m3 = m[3];
  m[0] = m0 + m1 + m2;
  m[1] = m1 - m2 - m3;
}

// The transposes of the last two, for the gradient of the weight.
static inline void transform_gradient(VECTOR *y) {
  const VECTOR y0 = y[0], y1 = y[1];
  y[1] = y0 + y1;
  y[2] = y0 - y1;
  y[3] = -y1;
}

static inline void transform_sum(VECTOR *m) {
  const VECTOR m0 = m[0], m1 = m[1], m2 = m[2], m3 = m[3];
  m[0] = m0 + 0.5f * (m1 + m2);
  m[1] = 0.5f * (m1 - m2);
  m[2] = 0.5f * (m1 + m2) + m3;
}
#endif

// Applies a transform to the columns, then to the rows, of an array of ROWS × POINTS vectors that
// grows or shrinks to TO × TO.
#define TRANSFORM(transform, tile, from, to)                              \
  _Pragma("unroll") for (int column = 0; column < (from); ++column) {     \
    VECTOR line[POINTS];                                                  \
    _Pragma("unroll") for (int i = 0; i < (from); ++i) line[i] = tile[i][column]; \
    transform(line);                                                      \
    _Pragma("unroll") for (int i = 0; i < (to); ++i) tile[i][column] = line[i];   \
  }                                                                       \
  _Pragma("unroll") for (int row = 0; row < (to); ++row) transform(tile[row]);
