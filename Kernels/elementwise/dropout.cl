#include "../common/common.cl"
#include "../common/philox.cl"

// A work-item draws the numbers of V counters, four of each.
__kernel void dropout(IN_ANY(x), IN_INT(step), OUT_ANY(y), const int n, const float probability,
                      const float scale, const uint key0, const uint key1, const uint stream) {
  BIND_ANY(x);
  BIND_INT(step);
  BIND_ANY_OUT(y);
  const int first = get_global_id(0) * 4 * V;
  if (first >= n) return;
  uint words[4 * V];
  philox_words(first / 4, (uint)step[0], stream, (uint2)(key0, key1), words);
  // uniform >= probability, for a uniform number of 24 bits.
  const uint limit = (uint)ceil(probability * 0x1p24f);
  float factors[4 * V];
#pragma unroll
  for (int i = 0; i < 4 * V; ++i) factors[i] = words[i] >> 8 >= limit ? scale : 0.0f;
  if (first + 4 * V <= n) {
#pragma unroll
    for (int i = 0; i < 4 * V; i += WIDTH) {
      const FLOATS factor = LOAD_FLOATS(factors + i);
      // Not a product alone: what is dropped may be infinite.
      WRITE_FLOATS(factor > 0.0f ? READ_FLOATS(x + first + i) * factor : (FLOATS)(0.0f),
                   y + first + i);
    }
  } else {
#pragma unroll
    for (int i = 0; i < 4 * V; ++i) {
      if (first + i < n) PUT(factors[i] > 0 ? GET(x, first + i) * scale : 0.0f, y, first + i);
    }
  }
}
