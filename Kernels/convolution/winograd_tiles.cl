#include "../matmul/epilogue.cl"
#include "winograd_transforms.cl"

// Winograd's convolution on devices with many threads: neighbouring work-items take neighbouring tiles,
// and read the planes themselves. Transformed tiles are [point, channel, tile], `pitch` tiles in a row,
// those beyond the last zero: the products of matmul/tile_gemm.cl.

// Tile t of a sample is (t / across, t % across).
#define FIND_TILE                                                                  \
  const int channel = get_global_id(1);                                            \
  FIND_TILE_OF_CHANNEL
#define FIND_TILE_OF_CHANNEL                                                       \
  const int tile_index = get_global_id(0);                                         \
  if (tile_index >= pitch) return;                                                 \
  const int tile_row = tile_index / across, n = tile_row / down;                   \
  const int h = tile_row % down * SIDE, w = tile_index % across * SIDE;

// The `side`² elements of a plane from (top, left) on, zero outside.
#define LOAD_TILE(side, top, left)                                                         \
  float tile[POINTS][POINTS];                                                              \
  x += (n * channels + channel) * height * width;                                          \
  _Pragma("unroll") for (int i = 0; i < (side); ++i) {                                     \
    const int row = (top) + i;                                                             \
    const bool is_row = tile_index < tiles && (uint)row < (uint)height;                    \
    _Pragma("unroll") for (int j = 0; j < (side); ++j) {                                   \
      const int column = (left) + j;                                                       \
      tile[i][j] = is_row && (uint)column < (uint)width ? GET(x, row * width + column) : 0.0f; \
    }                                                                                      \
  }

#define STORE_TILE                                                                          \
  y += channel * pitch + tile_index;                                                        \
  _Pragma("unroll") for (int i = 0; i < POINTS; ++i) {                                      \
    _Pragma("unroll") for (int j = 0; j < POINTS; ++j)                                      \
      y[(i * POINTS + j) * channels * pitch] = tile[i][j];                                  \
  }

// x [samples, channels, height, width] -> transformed tiles, the first window starting `top` rows and
// `left` columns before the plane. Rows of work-items behind those of the channels transform weights, as
// many as fit: weight [out, channels, 3, 3] by strides -> [point, out, channels], with FLIP turned by half
// a circle.
__kernel void winograd_input_tiles(IN_ANY(x), OUT(y), const int channels, const int tiles,
                                   const int pitch, const int down, const int across,
                                   const int height, const int width, const int top, const int left,
                                   IN_ANY(weight), OUT(transformed), const int out,
                                   const int in_stride, const int out_stride) {
  if (get_global_id(1) >= channels) {
    const int item = (get_global_id(1) - channels) * get_global_size(0) + get_global_id(0);
    if (item >= channels * out) return;
    BIND_ANY(weight);
    BIND_OUT(transformed);
    weight += item % channels * in_stride + item / channels * out_stride;
    float tile[POINTS][POINTS];
#pragma unroll
    for (int i = 0; i < 3; ++i) {
#pragma unroll
      for (int j = 0; j < 3; ++j) {
#ifdef FLIP
        tile[2 - i][2 - j] = GET(weight, i * 3 + j);
#else
        tile[i][j] = GET(weight, i * 3 + j);
#endif
      }
    }
    TRANSFORM(transform_weight, tile, 3, POINTS)
#pragma unroll
    for (int i = 0; i < POINTS; ++i) {
#pragma unroll
      for (int j = 0; j < POINTS; ++j) {
        transformed[(i * POINTS + j) * channels * out + item] = tile[i][j];
      }
    }
    return;
  }
  BIND_ANY(x);
  BIND_OUT(y);
  FIND_TILE
  LOAD_TILE(POINTS, h - top, w - left)
  TRANSFORM(transform_input, tile, POINTS, POINTS)
  STORE_TILE
}

// The gradient of the output, likewise, in the rows of work-items behind those of the input's channels.
static inline void gradient_tiles(__global const INPUT *x, __global float *y, const int channel,
                                  const int channels, const int tiles, const int pitch,
                                  const int down, const int across, const int height,
                                  const int width) {
  FIND_TILE_OF_CHANNEL
  LOAD_TILE(SIDE, h, w)
  TRANSFORM(transform_gradient, tile, SIDE, POINTS)
  STORE_TILE
}
__kernel void winograd_both_tiles(IN_ANY(x), OUT(y), const int channels, const int tiles,
                                  const int pitch, const int down, const int across,
                                  const int height, const int width, const int top, const int left,
                                  IN_ANY(gradient), OUT(transformed), const int gradient_channels,
                                  const int gradient_height, const int gradient_width) {
  BIND_ANY(x);
  BIND_OUT(y);
  if (get_global_id(1) >= channels) {
    BIND_ANY(gradient);
    BIND_OUT(transformed);
    gradient_tiles(gradient, transformed, get_global_id(1) - channels, gradient_channels, tiles,
                   pitch, down, across, gradient_height, gradient_width);
    return;
  }
  FIND_TILE
  LOAD_TILE(POINTS, h - top, w - left)
  TRANSFORM(transform_input, tile, POINTS, POINTS)
  STORE_TILE
}

// [point, channels, pitch] -> y [samples, channels, height, width], with an epilogue.
__kernel void winograd_output_tiles(IN(x), IN(bias), LIKE_OUT(addend), LIKE_OUT(mask), OUT_ANY(y),
                                    const int channels, const int tiles, const int pitch,
                                    const int down, const int across, const int height,
                                    const int width, const int epilogue) {
  BIND(x);
  BIND(bias);
  BIND_LIKE_OUT(addend);
  BIND_LIKE_OUT(mask);
  BIND_ANY_OUT(y);
  FIND_TILE
  if (tile_index >= tiles) return;
  x += channel * pitch + tile_index;
  float tile[POINTS][POINTS];
#pragma unroll
  for (int i = 0; i < POINTS; ++i) {
#pragma unroll
    for (int j = 0; j < POINTS; ++j) tile[i][j] = x[(i * POINTS + j) * channels * pitch];
  }
  TRANSFORM(transform_result, tile, POINTS, SIDE)
  const float addition = epilogue & BIAS_PER_ROW ? bias[channel] : 0.0f;
  const int target = ((n * channels + channel) * height + h) * width + w;
#pragma unroll
  for (int i = 0; i < SIDE; ++i) {
    if (h + i >= height) continue;
#if SIDE == 4
    // Rows of a multiple of four: tiles are whole, and start at multiples of four.
    if (epilogue & STORES_WIDE) {
      finish_wide((float4)(tile[i][0], tile[i][1], tile[i][2], tile[i][3]) + addition, addend, mask, y,
                  target + i * width, epilogue);
      continue;
    }
#endif
#pragma unroll
    for (int j = 0; j < SIDE; ++j) {
      if (w + j < width) finish(tile[i][j] + addition, addend, mask, y, target + i * width + j, epilogue);
    }
  }
}
