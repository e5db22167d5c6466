#include "../common/common.cl"

// Batch normalisation of [N, C, L] on devices of many threads. What all elements of a channel share is
// computed once for each channel, as four coefficients; the rest is a multiplication or two for every
// element.
//
// A channel's elements are counted through all samples, in vectors of V neighbours: neighbouring
// work-items take neighbouring vectors also where L is short. A part is a share of them.

// The vectors whose loads are under way at once.
#define ROUNDS 4

// Where vector i of a channel stands, behind its first.
#define PLACE(i) ((i) * V + divided(i, vectors) * skip)

// The part of a channel that a group has, as vectors first ..< end.
#define PART                                                                   \
  const int channel = ROW % channels, part = ROW / channels;                   \
  const int total = batch * vectors.s0, share = (total + parts - 1) / parts;   \
  const int first = part * share, end = min(total, first + share);             \
  const int skip = (channels - 1) * vectors.s0 * V, start = channel * vectors.s0 * V

// Mean and variance of a part of channel c, at part·channels + c. `vectors` divides by L / V.
//
// The difference of large squares would cancel: every work-item takes its first element off, and
// means are put together as distances from the part's first element.
__kernel void batch_moments(IN(x), OUT(mean), OUT(variance), const int batch, const int channels,
                            DIVISOR(vectors), const int parts, __local float *scratch) {
  BIND(x);
  BIND_OUT(mean);
  BIND_OUT(variance);
  PART;
  x += start;
  const int own = first + MEMBER;
  const float base = first < end ? x[PLACE(first)] : 0.0f;
  const float shift = own < end ? x[PLACE(own)] : 0.0f;
  VECTOR sums = 0, squares = 0;
  int i = own;
  for (; i + (ROUNDS - 1) * GROUP < end; i += ROUNDS * GROUP) {
    VECTOR values[ROUNDS];
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) values[r] = READ(x + PLACE(i + r * GROUP));
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) {
      const VECTOR d = values[r] - shift;
      sums += d;
      squares += d * d;
    }
  }
  for (; i < end; i += GROUP) {
    const VECTOR d = READ(x + PLACE(i)) - shift;
    sums += d;
    squares += d * d;
  }
  const float count = own < end ? ((end - 1 - own) / GROUP + 1) * V : 0;
  const float sum = sum_lanes(sums), terms = max(end - first, 0) * V;
  const float away = shift - base + (count > 0 ? sum / count : 0.0f);
  const float m = group_sum(count * away, scratch) / fmax(terms, 1.0f);
  const float rest = count > 0 ? sum_lanes(squares) - sum * (sum / count) : 0.0f;
  const float v = group_sum(rest + count * (away - m) * (away - m), scratch) / fmax(terms, 1.0f);
  if (MEMBER == 0) {
    mean[ROW] = base + m;
    variance[ROW] = fmax(v, 0.0f);
  }
}

// The coefficients of channel c. The first channel's stand behind the last's again: a row of the last
// is followed by one of the first.
static inline void store_quad(float4 quad, int c, int channels, __global float *coefficients) {
  vstore4(quad, c, coefficients);
  if (c == 0) vstore4(quad, channels, coefficients);
}

// The moments of all parts together, and the coefficients of y = (x - k.x)·k.y + k.z.
__kernel void batch_norm_coefficients(IN(means), IN(variances), IN(weight), IN(bias), OUT(mean),
                                      OUT(variance), OUT(coefficients), const int total,
                                      const int channels, const int parts, const float epsilon) {
  BIND(means);
  BIND(variances);
  BIND(weight);
  BIND(bias);
  BIND_OUT(mean);
  BIND_OUT(variance);
  BIND_OUT(coefficients);
  const int c = get_global_id(0);
  if (c >= channels) return;
  const int share = (total + parts - 1) / parts;
  const float base = means[c];
  float m = 0, v = 0;
  for (int part = 0; part < parts; ++part) {
    const float weight = (float)max(0, min(share, total - part * share)) / total;
    m += weight * (means[part * channels + c] - base);
  }
  for (int part = 0; part < parts; ++part) {
    const float weight = (float)max(0, min(share, total - part * share)) / total;
    const float d = means[part * channels + c] - base - m;
    v += weight * (variances[part * channels + c] + d * d);
  }
  mean[c] = base + m;
  variance[c] = v;
  store_quad((float4)(base + m, weight[c] / sqrt(v + epsilon), bias[c], 0.0f), c, channels,
             coefficients);
}

// The sums of dy and of dy·(x - mean) over a part of channel c, at part·channels + c.
__kernel void batch_norm_backward_moments(IN(dy), IN(x), IN(mean), OUT(sum), OUT(product),
                                          const int batch, const int channels, DIVISOR(vectors),
                                          const int parts, __local float *scratch) {
  BIND(dy);
  BIND(x);
  BIND(mean);
  BIND_OUT(sum);
  BIND_OUT(product);
  PART;
  x += start;
  dy += start;
  const float m = mean[channel];
  VECTOR sums = 0, products = 0;
  int i = first + MEMBER;
  for (; i + GROUP < end; i += 2 * GROUP) {
    const int here = PLACE(i), next = PLACE(i + GROUP);
    const VECTOR d = READ(dy + here), e = READ(dy + next);
    const VECTOR a = READ(x + here), b = READ(x + next);
    sums += d;
    products += d * (a - m);
    sums += e;
    products += e * (b - m);
  }
  for (; i < end; i += GROUP) {
    const int here = PLACE(i);
    const VECTOR d = READ(dy + here);
    sums += d;
    products += d * (READ(x + here) - m);
  }
  const float s = group_sum(sum_lanes(sums), scratch), p = group_sum(sum_lanes(products), scratch);
  if (MEMBER == 0) {
    sum[ROW] = s;
    product[ROW] = p;
  }
}

// The gradients of weight and bias, and the coefficients of dx = k.y·(dy - k.z - (x - k.x)·k.w).
__kernel void batch_norm_backward_coefficients(IN(sums), IN(products), IN(mean), IN(variance),
                                               IN(weight), OUT(dweight), OUT(dbias),
                                               OUT(coefficients), const float terms,
                                               const int channels, const int parts,
                                               const float epsilon) {
  BIND(sums);
  BIND(products);
  BIND(mean);
  BIND(variance);
  BIND(weight);
  BIND_OUT(dweight);
  BIND_OUT(dbias);
  BIND_OUT(coefficients);
  const int c = get_global_id(0);
  if (c >= channels) return;
  float sum = 0, product = 0;
  for (int part = 0; part < parts; ++part) {
    sum += sums[part * channels + c];
    product += products[part * channels + c];
  }
  const float rstd = 1.0f / sqrt(variance[c] + epsilon), slope = product * rstd;
  dbias[c] = sum;
  dweight[c] = slope;
  store_quad((float4)(mean[c], weight[c] * rstd, sum / terms, rstd * slope / terms), c, channels,
             coefficients);
}

// The coefficients of the V elements from `at` on, each in a vector. Vectors that go on into the next
// row (-DSTRADDLES; a row has at least V elements, which are 4) meet two channels.
typedef struct {
  VECTOR x, y, z, w;
} Coefficients;

static inline Coefficients coefficients_of(__global const float *table, int at, uint4 length,
                                           uint4 channels) {
  const int row = divided(at, length), channel = row - divided(row, channels) * channels.s0;
  __global const float4 *quads = (__global const float4 *)table;
  const float4 k = quads[channel];
#ifdef STRADDLES
  const float4 n = quads[channel + 1];
  // How many lanes are of the row.
  const int left = (row + 1) * length.s0 - at;
#define OF(axis)                                                                \
  (VECTOR)(k.axis, left > 1 ? k.axis : n.axis, left > 2 ? k.axis : n.axis, left > 3 ? k.axis : n.axis)
#else
#define OF(axis) (VECTOR)(k.axis)
#endif
  return (Coefficients){OF(x), OF(y), OF(z), OF(w)};
}

__kernel void batch_norm_apply(IN(x), IN(coefficients), OUT(y), const int n, DIVISOR(length),
                               DIVISOR(channels)) {
  BIND(x);
  BIND(coefficients);
  BIND_OUT(y);
  const int item = get_global_id(0);
  ELEMENTS(item, n);
  if (count <= 0) return;
  const Coefficients k = coefficients_of(coefficients, i, length, channels);
  write_some((read_some(x + i, count) - k.x) * k.y + k.z, y + i, count);
}

__kernel void batch_norm_backward_apply(IN(dy), IN(x), IN(coefficients), OUT(dx), const int n,
                                        DIVISOR(length), DIVISOR(channels)) {
  BIND(dy);
  BIND(x);
  BIND(coefficients);
  BIND_OUT(dx);
  const int item = get_global_id(0);
  ELEMENTS(item, n);
  if (count <= 0) return;
  const Coefficients k = coefficients_of(coefficients, i, length, channels);
  const VECTOR element = read_some(x + i, count), arriving = read_some(dy + i, count);
  write_some(k.y * (arriving - k.z - (element - k.x) * k.w), dx + i, count);
}
