#include "../common/common.cl"

// What is done to the sums of a product before they are stored, as bits of an argument: it costs
// nothing beside the product, and one program serves all.
//
// An element of a vector is added, by the column or by the row; then an element of `addend`, which has
// the shape of the result, or is the result where sums are added to what is there; then what is
// negative becomes zero, or what belongs to an element of `mask` that is no more than zero: the gradient
// of relu, by its output.
#define BIAS_PER_COLUMN 1
#define BIAS_PER_ROW 2
#define ADDS 4
#define RECTIFIES 8
// Whether results are stored by fours.
#define STORES_WIDE 16
#define MASKS 32

// What is below becomes this; unlike fmax, a comparison keeps NaN.
#define LEAST(epilogue) ((epilogue) & RECTIFIES ? 0.0f : -INFINITY)

// One result at `place` of the output.
static inline void finish(float value, __global const OUTPUT *addend, __global const OUTPUT *mask,
                          __global OUTPUT *y, const int place, const int epilogue) {
  if (epilogue & ADDS) value += GET_OUT(addend, place);
  if (epilogue & MASKS) value = GET_OUT(mask, place) <= 0 ? 0.0f : value;
  const float least = LEAST(epilogue);
  PUT(value < least ? least : value, y, place);
}

// Four neighbours, which start at a multiple of four elements.
static inline void finish_wide(float4 value, __global const OUTPUT *addend,
                               __global const OUTPUT *mask, __global OUTPUT *y, const int place,
                               const int epilogue) {
  if (epilogue & ADDS) value += READ_FOUR_OUT(addend + place);
  if (epilogue & MASKS) {
    value = READ_FOUR_OUT(mask + place) <= 0 ? (float4)(0.0f) : value;
  }
  const float4 least = LEAST(epilogue);
  WRITE_FOUR(value < least ? least : value, y + place);
}

// The first `count` of four neighbours in a row of the output: all or none, at a multiple of four,
// where stores are wide; else each at a place of its own. A count of 0 or less is for what lies outside;
// to leave a loop there instead is what PoCL 3.1 compiles wrongly.
static inline __attribute__((always_inline)) void finish_four(
    float4 value, __global const OUTPUT *addend, __global const OUTPUT *mask, __global OUTPUT *y,
    const int places[4], const int row_start, const int count, const int epilogue) {
  if (epilogue & STORES_WIDE) {
    if (count > 0) finish_wide(value, addend, mask, y, row_start + places[0], epilogue);
    return;
  }
  if (count > 0) finish(value.x, addend, mask, y, row_start + places[0], epilogue);
  if (count > 1) finish(value.y, addend, mask, y, row_start + places[1], epilogue);
  if (count > 2) finish(value.z, addend, mask, y, row_start + places[2], epilogue);
  if (count > 3) finish(value.w, addend, mask, y, row_start + places[3], epilogue);
}
