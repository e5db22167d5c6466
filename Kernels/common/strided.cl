// Axes that a kernel loops over, the innermost apart: AXES of them, the last of eight places.
#ifndef AXES
#define AXES 7
#endif

// The arguments: extents, what divides by them, and two tensors' strides.
#define AXES_OF(x, y)                                                                       \
  const int8 extents, const uint8 factors, const uint8 shifts, const int8 x##_strides, \
      const int8 y##_strides
#define AXES_GIVEN(x, y) extents, factors, shifts, x##_strides, y##_strides

// Where a row starts in either tensor.
static inline int2 start_of_row(int row, AXES_OF(x, y)) {
  int extent[8], sx[8], sy[8];
  uint factor[8], shift[8];
  vstore8(extents, 0, extent);
  vstore8(factors, 0, factor);
  vstore8(shifts, 0, shift);
  vstore8(x_strides, 0, sx);
  vstore8(y_strides, 0, sy);
  int2 start = 0;
#pragma unroll
  for (int axis = 7; axis > 7 - AXES; --axis) {
    // The outermost axis has no rest.
    const int outer =
        axis == 8 - AXES ? 0 : divided(row, (uint4)(extent[axis], factor[axis], shift[axis], 0));
    const int index = row - outer * extent[axis];
    row = outer;
    start += (int2)(index * sx[axis], index * sy[axis]);
  }
  return start;
}
