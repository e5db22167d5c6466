// Convolution with stride 1 on planes that are padded beforehand, as one long vector each.
//
// With every plane stored in rows of P elements, padding included, output position p = oh·P + ow
// reads x[p + kh·DH·P + kw·DW]: the same distance for every p. So V neighbouring outputs are one
// vector, across the ends of rows; what falls between the rows is computed and not stored.
#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#define VECTOR CONCAT(float, V)
#define LOAD CONCAT(vload, V)
#define STORE CONCAT(vstore, V)

// Planes [count, H, W] become [count, size], rows of `pitch`, with zeros around. A work-item writes
// a row; `rows` of them cover `size`.
__kernel void pad_planes(IN(x), OUT(y), const int count, const int height, const int width,
                         const int top, const int left, const int pitch, const int size,
                         const int rows) {
  BIND(x);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= count * rows) return;
  const int plane = i / rows, row = i % rows;
  const int length = min(pitch, size - row * pitch);
  __global float *target = y + plane * size + row * pitch;
  const int h = row - top;
  if (h < 0 || h >= height) {
    for (int w = 0; w < length; ++w) target[w] = 0;
    return;
  }
  __global const float *source = x + (plane * height + h) * width;
  const int end = min(left + width, length);
  for (int w = 0; w < left; ++w) target[w] = 0;
  for (int w = left; w < end; ++w) target[w] = source[w - left];
  for (int w = end; w < length; ++w) target[w] = 0;
}

// [O, C/G, KH, KW] becomes [C, O/G, KH, KW] with the kernel turned by half a circle.
__kernel void turn_weights(IN(w), OUT(y), const int outputs, const int channels, const int groups,
                           const int taps) {
  BIND(w);
  BIND_OUT(y);
  const int i = get_global_id(0);
  const int inner = outputs / groups;
  if (i >= channels * inner * taps) return;
  const int tap = i % taps, j = i / taps % inner, c = i / (taps * inner);
  const int per_group = channels / groups;
  const int o = c / per_group * inner + j;
  y[i] = w[(o * per_group + c % per_group) * taps + taps - 1 - tap];
}

#ifdef KH
// x [N, C, size], w [O, C/G, KH, KW] -> y [N, O, OH, OW]. A work-item computes V positions of B
// channels; B divides the channels of a group.
__kernel void conv2d_planes(IN(x), IN(w), IN(bias), OUT(y), const int batch, const int channels,
                            const int outputs, const int groups, const int size, const int pitch,
                            const int oh_count, const int ow_count, const int dilation_h,
                            const int dilation_w, const int has_bias) {
  BIND(x);
  BIND(w);
  BIND(bias);
  BIND_OUT(y);
  const int vectors = (oh_count * pitch + V - 1) / V;
  const int inner = channels / groups, per_group = outputs / groups;
  const int blocks = per_group / B;
  const int i = get_global_id(0);
  if (i >= batch * groups * blocks * vectors) return;
  const int p = i % vectors * V;
  const int block = i / vectors % blocks;
  const int g = i / (vectors * blocks) % groups;
  const int n = i / (vectors * blocks * groups);
  const int o = g * per_group + block * B;

  VECTOR sum[B];
  for (int b = 0; b < B; ++b) sum[b] = has_bias ? bias[o + b] : 0.0f;
  __global const float *plane = x + (n * channels + g * inner) * size + p;
  __global const float *tap = w + o * inner * KH * KW;
  for (int c = 0; c < inner; ++c) {
    for (int kh = 0; kh < KH; ++kh) {
#pragma unroll
      for (int kw = 0; kw < KW; ++kw) {
        const VECTOR value = LOAD(0, plane + kh * dilation_h * pitch + kw * dilation_w);
#pragma unroll
        for (int b = 0; b < B; ++b) sum[b] += tap[b * inner * KH * KW + kh * KW + kw] * value;
      }
    }
    plane += size;
    tap += KH * KW;
  }

  float values[V];
  const int row = p / pitch, column = p % pitch;
  for (int b = 0; b < B; ++b) {
    __global float *target = y + (n * outputs + o + b) * oh_count * ow_count;
    if (column + V <= ow_count) {
      STORE(sum[b], 0, target + row * ow_count + column);
      continue;
    }
    STORE(sum[b], 0, values);
    int oh = row, ow = column;
    for (int v = 0; v < V; ++v) {
      if (ow < ow_count && oh < oh_count) target[oh * ow_count + ow] = values[v];
      if (++ow == pitch) {
        ow = 0;
        ++oh;
      }
    }
  }
}

// x [N, C, size], dy [N, O, dy_size] in the same rows -> dw [parts, O, C/G, KH, KW], each part over
// its share of the batch. A work-item computes one row of the kernel for B output channels.
__kernel void conv2d_planes_backward_weight(IN(x), IN(dy), OUT(dw), const int batch,
                                            const int channels, const int outputs, const int groups,
                                            const int size, const int dy_size, const int pitch,
                                            const int dilation_h, const int dilation_w,
                                            const int parts) {
  BIND(x);
  BIND(dy);
  BIND_OUT(dw);
  const int inner = channels / groups, per_group = outputs / groups;
  const int blocks = per_group / B;
  const int i = get_global_id(0);
  if (i >= parts * groups * blocks * inner * KH) return;
  const int kh = i % KH;
  const int c = i / KH % inner;
  const int block = i / (KH * inner) % blocks;
  const int g = i / (KH * inner * blocks) % groups;
  const int part = i / (KH * inner * blocks * groups);
  const int o = g * per_group + block * B;
  const int share = (batch + parts - 1) / parts;
  const int end = min(batch, (part + 1) * share);

  VECTOR sum[B * KW];
  for (int j = 0; j < B * KW; ++j) sum[j] = 0.0f;
  for (int n = part * share; n < end; ++n) {
    __global const float *plane = x + (n * channels + g * inner + c) * size + kh * dilation_h * pitch;
    __global const float *arriving = dy + (n * outputs + o) * dy_size;
    for (int p = 0; p < dy_size; p += V) {
      VECTOR value[KW];
#pragma unroll
      for (int kw = 0; kw < KW; ++kw) value[kw] = LOAD(0, plane + p + kw * dilation_w);
#pragma unroll
      for (int b = 0; b < B; ++b) {
        const VECTOR d = LOAD(0, arriving + b * dy_size + p);
#pragma unroll
        for (int kw = 0; kw < KW; ++kw) sum[b * KW + kw] += d * value[kw];
      }
    }
  }
  for (int b = 0; b < B; ++b) {
    for (int kw = 0; kw < KW; ++kw) {
      float values[V];
      STORE(sum[b * KW + kw], 0, values);
      float total = 0;
      for (int v = 0; v < V; ++v) total += values[v];
      dw[(((part * outputs + o + b) * inner + c) * KH + kh) * KW + kw] = total;
    }
  }
}
#endif
