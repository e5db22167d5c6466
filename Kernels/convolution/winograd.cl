#include "winograd_transforms.cl"

// Winograd's convolution by a 3×3 kernel, in tiles of SIDE × SIDE outputs: input tiles and weights are
// transformed, met element by element (a matrix product for each of POINTS² elements), and what comes
// out is transformed back; see winograd_transforms.cl.
//
// Lanes are tiles. Operands of the products are stored in the blocks that matmul/gemm.cl's gemm_packed
// reads, [point, block, summed index, lane of WIDTH].
#ifndef WIDTH
#define WIDTH 32
#endif

// Where V neighbouring tiles stand in planes of `rows` × `pitch`; tiles beyond the last repeat it.
// Tile t of a sample is (t / across, t % across).
static inline void tile_origins(int *origins, int first, int tiles, int down, int across,
                                int sample, int pitch) {
#pragma unroll
  for (int lane = 0; lane < V; ++lane) {
    const int tile = min(first + lane, tiles - 1);
    const int n = tile / (down * across), rest = tile % (down * across);
    origins[lane] = n * sample + rest / across * SIDE * pitch + rest % across * SIDE;
  }
}

// Stores a transformed tile for V tiles of one channel. With ACROSS_CHANNELS the lanes of a block are
// channels and the summed index counts tiles; else the other way round.
static inline void store_tile(__global float *y, VECTOR tile[POINTS][POINTS], int channel,
                              int channels, int first, int tiles) {
#ifdef ACROSS_CHANNELS
  const int blocks = (channels + WIDTH - 1) / WIDTH, matrix = blocks * tiles * WIDTH;
  y += (channel / WIDTH * tiles + first) * WIDTH + channel % WIDTH;
  const int present = min(V, tiles - first);
  for (int i = 0; i < POINTS; ++i) {
    for (int j = 0; j < POINTS; ++j) {
      float lanes[V];
      STORE(tile[i][j], lanes);
      for (int lane = 0; lane < present; ++lane) y[lane * WIDTH] = lanes[lane];
      y += matrix;
    }
  }
#else
  const int blocks = (tiles + WIDTH - 1) / WIDTH, matrix = blocks * channels * WIDTH;
  y += (first / WIDTH * channels + channel) * WIDTH + first % WIDTH;
  for (int i = 0; i < POINTS; ++i) {
    for (int j = 0; j < POINTS; ++j) {
      STORE(tile[i][j], y);
      y += matrix;
    }
  }
#endif
}

// The first `side`² elements of V tiles of a channel, which start at `first`, in packed planes
// [samples, channels, plane].
static inline void load_tile(VECTOR tile[POINTS][POINTS], __global const float *x, const int side,
                             const int channel, const int channels, const int first,
                             const int tiles, const int down, const int across, const int plane,
                             const int pitch) {
  int origins[V];
  tile_origins(origins, first, tiles, down, across, channels * plane, pitch);
  // Channels that fill up a block are zero.
  const float present = channel < channels ? 1.0f : 0.0f;
  x += min(channel, channels - 1) * plane;
  for (int i = 0; i < side; ++i) {
    for (int j = 0; j < side; ++j) {
      float lanes[V];
#pragma unroll
      for (int lane = 0; lane < V; ++lane) lanes[lane] = x[origins[lane] + i * pitch + j];
      tile[i][j] = present * LOAD(lanes);
    }
  }
}

// Packed planes -> transformed tiles. A work-item transforms V tiles of a channel, of which there are
// `lines`, those that fill up a block included. Tiles that fill up a block repeat the last; what comes
// of them is not read.
__kernel void winograd_input(IN(x), OUT(y), const int channels, const int tiles, const int down,
                             const int across, const int plane, const int pitch, const int groups,
                             const int lines) {
  BIND(x);
  BIND_OUT(y);
  const int item = get_global_id(0);
  if (item >= groups * lines) return;
  const int channel = item % lines, first = item / lines * V;
  VECTOR tile[POINTS][POINTS];
  load_tile(tile, x, POINTS, channel, channels, first, tiles, down, across, plane, pitch);
  TRANSFORM(transform_input, tile, POINTS, POINTS)
  store_tile(y, tile, channel, channels, first, tiles);
}

// The gradient of the output in planes padded to whole tiles -> transformed tiles, likewise.
__kernel void winograd_gradient(IN(x), OUT(y), const int channels, const int tiles, const int down,
                                const int across, const int plane, const int pitch,
                                const int groups, const int lines) {
  BIND(x);
  BIND_OUT(y);
  const int item = get_global_id(0);
  if (item >= groups * lines) return;
  const int channel = item % lines, first = item / lines * V;
  VECTOR tile[POINTS][POINTS];
  load_tile(tile, x, SIDE, channel, channels, first, tiles, down, across, plane, pitch);
  TRANSFORM(transform_gradient, tile, SIDE, POINTS)
  store_tile(y, tile, channel, channels, first, tiles);
}

// Weight [out, in, 3, 3] by strides -> [point, out blocks of WIDTH, in, WIDTH]. With FLIP the kernel is
// turned by half a circle. A work-item transforms the weights of V outputs, or as many as there are.
__kernel void winograd_weight(IN_ANY(w), OUT(y), const int in, const int out, const int in_stride,
                              const int out_stride) {
  BIND_ANY(w);
  BIND_OUT(y);
  const int item = get_global_id(0);
  const int blocks = (out + WIDTH - 1) / WIDTH, pieces = (WIDTH + V - 1) / V;
  if (item >= blocks * pieces * in) return;
  const int channel = item % in, piece = item / in % pieces, block = item / (in * pieces);
  const int first = block * WIDTH + piece * V;
  VECTOR tile[POINTS][POINTS];
#pragma unroll
  for (int i = 0; i < 3; ++i) {
#pragma unroll
    for (int j = 0; j < 3; ++j) {
      float lanes[V];
      for (int lane = 0; lane < V; ++lane) {
        lanes[lane] = first + lane < out
                          ? GET(w, channel * in_stride + (first + lane) * out_stride + i * 3 + j)
                          : 0.0f;
      }
#ifdef FLIP
      tile[2 - i][2 - j] = LOAD(lanes);
#else
      tile[i][j] = LOAD(lanes);
#endif
    }
  }
  TRANSFORM(transform_weight, tile, 3, POINTS)
  const int present = min(V, WIDTH - piece * V);
  y += (block * in + channel) * WIDTH + piece * V;
  for (int i = 0; i < POINTS; ++i) {
    for (int j = 0; j < POINTS; ++j) {
      if (present == V) STORE(tile[i][j], y);
      else store_part(tile[i][j], y, 0, present);
      y += blocks * in * WIDTH;
    }
  }
}

// [point, channels, tiles] -> y [samples, channels, height, width] (+ bias). A work-item writes V
// tiles of a channel.
__kernel void winograd_output(IN(x), IN(bias), OUT_ANY(y), const int channels, const int tiles,
                              const int down, const int across, const int height, const int width,
                              const int has_bias, const int groups) {
  BIND(x);
  BIND(bias);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  if (item >= groups * channels) return;
  const int channel = item / groups, first = item % groups * V;
  const int present = min(V, tiles - first);
  x += channel * tiles + first;
  VECTOR tile[POINTS][POINTS];
  for (int i = 0; i < POINTS; ++i) {
    for (int j = 0; j < POINTS; ++j) {
      tile[i][j] = present == V ? LOAD(x) : load_part(x, present);
      x += channels * tiles;
    }
  }
  TRANSFORM(transform_result, tile, POINTS, SIDE)
  const float addend = has_bias ? bias[channel] : 0.0f;
  float lanes[SIDE][SIDE][V];
#pragma unroll
  for (int i = 0; i < SIDE; ++i) {
#pragma unroll
    for (int j = 0; j < SIDE; ++j) STORE(tile[i][j] + addend, lanes[i][j]);
  }
  for (int lane = 0; lane < present; ++lane) {
    const int n = (first + lane) / (down * across), rest = (first + lane) % (down * across);
    const int h = rest / across * SIDE, w = rest % across * SIDE;
    __global OUTPUT *target = y + ((n * channels + channel) * height + h) * width + w;
    const int rows = min(SIDE, height - h), columns = min(SIDE, width - w);
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) PUT(lanes[i][j][lane], target, i * width + j);
    }
  }
}

// [point, out · in] -> dw [out, in, 3, 3]. A work-item makes the gradients of V kernels.
__kernel void winograd_sum(IN(x), OUT(dw), const int count) {
  BIND(x);
  BIND_OUT(dw);
  const int first = (int)get_global_id(0) * V, present = min(V, count - first);
  if (present <= 0) return;
  x += first;
  VECTOR tile[POINTS][POINTS];
  for (int i = 0; i < POINTS; ++i) {
    for (int j = 0; j < POINTS; ++j) {
      tile[i][j] = present == V ? LOAD(x) : load_part(x, present);
      x += count;
    }
  }
  TRANSFORM(transform_sum, tile, POINTS, 3)
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      float lanes[V];
      STORE(tile[i][j], lanes);
      for (int lane = 0; lane < present; ++lane) dw[(first + lane) * 9 + i * 3 + j] = lanes[lane];
    }
  }
}
