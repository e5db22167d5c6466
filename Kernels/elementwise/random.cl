#include "../common/common.cl"
#include "../common/philox.cl"

// Numbers from N(0, 1) by Box and Muller's method; a work-item makes the four of one counter.
__kernel void random_normal(IN_INT(step), OUT(y), const int n, const uint key0, const uint key1,
                            const uint stream) {
  BIND_INT(step);
  BIND_OUT(y);
  const int block = get_global_id(0);
  if (4 * block >= n) return;
  const uint4 words =
      philox((uint4)((uint)block, 0u, (uint)step[0], stream), (uint2)(key0, key1));
  const float2 a = convert_float2(words.even >> 9) * 0x1p-23f + 0x1p-24f;
  const float2 turns = convert_float2(words.odd >> 9) * 0x1p-22f;
  const float2 radius = sqrt(-2.0f * log(a));
  const float2 first = radius * cospi(turns), second = radius * sinpi(turns);
  const float4 values = (float4)(first.x, second.x, first.y, second.y);
  y += 4 * block;
  const int count = n - 4 * block;
  if (count >= 4) {
#ifdef ALIGNED
    *(__global float4 *)y = values;
#else
    vstore4(values, 0, y);
#endif
  } else {
    if (count > 0) y[0] = values.x;
    if (count > 1) y[1] = values.y;
    if (count > 2) y[2] = values.z;
  }
}

// 1 with probability p, else 0. A work-item draws the numbers of V counters, four of each.
__kernel void bernoulli(IN(p), IN_INT(step), OUT(y), const int n, const uint key0, const uint key1,
                        const uint stream) {
  BIND(p);
  BIND_INT(step);
  BIND_OUT(y);
  const int first = get_global_id(0) * 4 * V;
  if (first >= n) return;
  uint words[4 * V];
  philox_words(first / 4, (uint)step[0], stream, (uint2)(key0, key1), words);
  if (first + 4 * V <= n) {
#pragma unroll
    for (int i = 0; i < 4 * V; i += WIDTH) {
      float uniforms[WIDTH];
#pragma unroll
      for (int lane = 0; lane < WIDTH; ++lane) uniforms[lane] = (words[i + lane] >> 8) * 0x1p-24f;
      WRITE_FLOATS(
          LOAD_FLOATS(uniforms) < READ_FLOATS(p + first + i) ? (FLOATS)(1.0f) : (FLOATS)(0.0f),
          y + first + i);
    }
  } else {
#pragma unroll
    for (int i = 0; i < 4 * V; ++i) {
      if (first + i < n) y[first + i] = (words[i] >> 8) * 0x1p-24f < p[first + i] ? 1.0f : 0.0f;
    }
  }
}
