#include "../common/common.cl"
#include "../common/philox.cl"

// A work-item draws the four numbers of one counter.
__kernel void dropout(IN(x), IN_INT(step), OUT(y), const int n, const float probability,
                      const float scale, const uint key0, const uint key1, const uint stream) {
  BIND(x);
  BIND_INT(step);
  BIND_OUT(y);
  const int block = get_global_id(0);
  if (4 * block >= n) return;
  uint words[4];
  vstore4(philox((uint4)((uint)block, 0u, (uint)step[0], stream), (uint2)(key0, key1)), 0, words);
  for (int lane = 0; lane < 4; ++lane) {
    const int i = 4 * block + lane;
    if (i < n) {
      const float uniform = (float)(words[lane] >> 8) * 0x1p-24f;
      y[i] = uniform >= probability ? x[i] * scale : 0.0f;
    }
  }
}
