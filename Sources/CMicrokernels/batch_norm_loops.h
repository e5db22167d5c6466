// The loops of batch normalisation over values stored as STORED, which LOAD and STORE turn to floats and back.
// Included once for every type; batch_norm.c explains the macros.

FOR_EVERY_WIDTH
void NAME(tern_batch_norm_moments)(
    const STORED *x, tern_channel_values values, float *mean, float *squares) {
  float sums[chains][width] = {{0}}, distances[chains][width] = {{0}};
  SUM_UP({
    (void)c;
    sums[chain][lane] += LOAD(x[i]);
  })
  finish_sums(sums, values, mean);
  for (int c = 0; c < values.channels; c++) mean[c] /= (float)values.pixels;
  OWN(mean)
  SUM_UP({
    const float distance = LOAD(x[i]) - mean_own[c];
    distances[chain][lane] += distance * distance;
  })
  finish_sums(distances, values, squares);
}

FOR_EVERY_WIDTH
void NAME(tern_batch_norm)(
    const STORED *x, STORED *y, tern_channel_values values, const float *mean, const float *scale,
    const float *shift, bool rectifies) {
  OWN(mean) OWN(scale) OWN(shift)
  if (rectifies) {
    STORE_ALL(y, rectified(normalized(LOAD(x[i]), mean_own[c], scale_own[c], shift_own[c])))
  } else {
    STORE_ALL(y, normalized(LOAD(x[i]), mean_own[c], scale_own[c], shift_own[c]))
  }
}

#define PASSED \
  passed(normalized(LOAD(x[i]), mean_own[c], scale_own[c], shift_own[c]), LOAD(dy[i]))

FOR_EVERY_WIDTH
void NAME(tern_batch_norm_gradient_sums)(
    const STORED *dy, const STORED *x, tern_channel_values values, const float *mean,
    const float *scale, const float *shift, bool rectifies, float *sum, float *product) {
  OWN(mean) OWN(scale) OWN(shift)
  float sums[chains][width] = {{0}}, products[chains][width] = {{0}};
  if (rectifies) {
    SUM_UP({
      const float gradient = PASSED;
      sums[chain][lane] += gradient;
      products[chain][lane] += gradient * (LOAD(x[i]) - mean_own[c]);
    })
  } else {
    SUM_UP({
      sums[chain][lane] += LOAD(dy[i]);
      products[chain][lane] += LOAD(dy[i]) * (LOAD(x[i]) - mean_own[c]);
    })
  }
  finish_sums(sums, values, sum);
  finish_sums(products, values, product);
}

FOR_EVERY_WIDTH
void NAME(tern_batch_norm_backward)(
    const STORED *dy, const STORED *x, STORED *dx, tern_channel_values values, const float *mean,
    const float *scale, const float *shift, bool rectifies, const float *sum_part,
    const float *product_part) {
  OWN(mean) OWN(scale) OWN(shift) OWN(sum_part) OWN(product_part)
#define DX(gradient) \
  scale_own[c] * (((gradient) - sum_part_own[c]) - (LOAD(x[i]) - mean_own[c]) * product_part_own[c])
  if (rectifies) {
    STORE_ALL(dx, DX(PASSED))
  } else {
    STORE_ALL(dx, DX(LOAD(dy[i])))
  }
}

#undef DX
#undef PASSED
#undef NAME
#undef STORED
#undef LOAD
#undef STORE
