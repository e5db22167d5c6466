#include "../common/common.cl"
#include "../common/philox.cl"

// Vectors of at least four floats: as many as a counter has words.
#if V == 1
#define WIDTH 4
#else
#define WIDTH V
#endif
#define FLOATS CONCAT(float, WIDTH)
#define LOAD_FLOATS(p) CONCAT(vload, WIDTH)(0, p)
#define STORE_FLOATS(value, p) CONCAT(vstore, WIDTH)(value, 0, p)

// A work-item draws the numbers of V counters, four of each.
__kernel void dropout(IN(x), IN_INT(step), OUT(y), const int n, const float probability,
                      const float scale, const uint key0, const uint key1, const uint stream) {
  BIND(x);
  BIND_INT(step);
  BIND_OUT(y);
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
      STORE_FLOATS(factor > 0.0f ? LOAD_FLOATS(x + first + i) * factor : (FLOATS)(0.0f), y + first + i);
    }
  } else {
    for (int i = first; i < n; ++i) y[i] = factors[i - first] > 0 ? x[i] * scale : 0.0f;
  }
}
