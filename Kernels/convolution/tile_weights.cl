#include "../common/common.cl"

// Weights in the order in which conv2d_tile reads them: for every phase rows of its terms, filled up
// with zeros to a multiple of four. A table has for each term of all phases where it comes from in a
// row of the weights, -1 for a zero, and where it goes: the start of its phase, for a row, and its
// place.
#ifndef SIDE
#define SIDE 16
#endif

// Groups of SIDE terms × SIDE rows: either way a work-group reads and writes what lies side by side.
__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void tile_weights(
    IN_ANY(w), OUT_ANY(y), __global const int4 *table, const int terms, const int rows,
    const int row_stride, const int group_stride, const int group_count) {
  BIND_ANY(w);
  BIND_ANY_OUT(y);
  const int term = get_global_id(0), row = get_global_id(1), group = get_global_id(2);
  if (term >= terms || row >= rows) return;
  const int4 entry = table[term];
  const int from = group * group_stride + row * row_stride + entry.x;
  PUT(entry.x < 0 ? 0.0f : GET(w, from), y,
      group * group_count + entry.y * rows + row * entry.z + entry.w);
}
