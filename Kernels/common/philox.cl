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

// Numbers are drawn for vectors of at least four elements, as many as a counter has words. GPUs read
// and write them whole where every tensor is aligned.
#if V == 1
#define WIDTH 4
#else
#define WIDTH V
#endif
#define FLOATS CONCAT(float, WIDTH)
#define LOAD_FLOATS(p) CONCAT(vload, WIDTH)(0, p)
#if V > 1
#define READ_FLOATS(p) READ(p)
#define WRITE_FLOATS(value, p) WRITE(value, p)
#elif defined(ALIGNED)
#define READ_FLOATS(p) READ_FOUR(p)
#define WRITE_FLOATS(value, p) WRITE_FOUR(value, p)
#else
#define READ_FLOATS(p) READ_ANY_FOUR(p)
#define WRITE_FLOATS(value, p) WRITE_ANY_FOUR(value, p)
#endif

// The words of V counters from `block` on, one after the other: those of 4·V elements.
static inline void philox_words(const int block, const uint step, const uint stream, uint2 key,
                                uint words[4 * V]) {
#if V == 1
  vstore4(philox((uint4)((uint)block, 0u, step, stream), key), 0, words);
#else
  // A counter in each lane. Products of 64 bits: compilers for processors have vectors of them, but
  // take mul_hi lane by lane.
#define UNSIGNED CONCAT(uint, V)
#define LONG CONCAT(ulong, V)
#define LOW CONCAT(convert_uint, V)
#define WIDEN CONCAT(convert_ulong, V)
  UNSIGNED x = LOW(LANES) + (uint)block, y = 0, z = step, w = stream;
  for (int round = 0; round < 10; ++round) {
    const LONG product0 = WIDEN(x) * 0xD2511F53ul;
    const LONG product1 = WIDEN(z) * 0xCD9E8D57ul;
    x = LOW(product1 >> 32) ^ y ^ key.x;
    y = LOW(product1);
    z = LOW(product0 >> 32) ^ w ^ key.y;
    w = LOW(product0);
    key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
  }
  const UNSIGNED all[4] = {x, y, z, w};
#pragma unroll
  for (int word = 0; word < 4; ++word) {
    uint lanes[V];
    CONCAT(vstore, V)(all[word], 0, lanes);
#pragma unroll
    for (int lane = 0; lane < V; ++lane) words[4 * lane + word] = lanes[lane];
  }
#endif
}
