#include "epilogue.cl"

// The parts of a product that groups summed each for itself, [parts, count] -> [count]: added up in
// order, so that the same bits come every time, then the epilogue. The bias has `biases` elements; one
// holds for `inner` neighbours. A work-item takes four results. Parts lie `apart`; of their elements the
// first `whole` become y, and those behind, sums of another kind, become `rest` as they are.
__kernel void sum_parts(IN(x), IN(bias), LIKE_OUT(addend), LIKE_OUT(mask), OUT_ANY(y), OUT(rest),
                        const int parts, const int count, const int apart, const int whole,
                        const int inner, const int biases, const int epilogue) {
  BIND(x);
  BIND(bias);
  BIND_LIKE_OUT(addend);
  BIND_LIKE_OUT(mask);
  BIND_ANY_OUT(y);
  BIND_OUT(rest);
  const int first = (int)get_global_id(0) * 4;
  if (first >= count) return;
  float biased[4];
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    biased[e] = epilogue & (BIAS_PER_ROW | BIAS_PER_COLUMN) ? bias[(first + e) / inner % biases] : 0.0f;
  }
  if ((epilogue & STORES_WIDE) && first + 4 <= whole) {
    float4 total = *(__global const float4 *)(x + first);
    for (int p = 1; p < parts; ++p) total += *(__global const float4 *)(x + p * apart + first);
    finish_wide(total + (float4)(biased[0], biased[1], biased[2], biased[3]), addend, mask, y, first,
                epilogue);
    return;
  }
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    if (first + e < count) {
      float total = x[first + e];
      for (int p = 1; p < parts; ++p) total += x[p * apart + first + e];
      if (first + e < whole) {
        finish(total + biased[e], addend, mask, y, first + e, epilogue);
      } else {
        rest[first + e - whole] = total;
      }
    }
  }
}
