#include "../common/common.cl"

// Philox4x32-10 (Salmon et al., 2011): the same stream as on every other device.
static inline uint4 philox(uint4 counter, uint2 key) {
  for (int round = 0; round < 10; ++round) {
    const uint high0 = mul_hi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
    const uint high1 = mul_hi(0xCD9E8D57u, counter.z), low1 = 0xCD9E8D57u * counter.z;
    counter = (uint4)(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
  }
  return counter;
}

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
