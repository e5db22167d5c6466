#include "bfloat16_values.h"
#include "microkernels.h"

FOR_EVERY_WIDTH
void tern_widen_bfloat16(const uint16_t *x, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = widened_bfloat16(x[i]);
}

FOR_EVERY_WIDTH
void tern_narrow_bfloat16(const float *x, uint16_t *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = narrowed_bfloat16(x[i]);
}
