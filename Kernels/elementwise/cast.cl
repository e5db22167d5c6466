#include "../common/common.cl"

// Elements as another type; a work-item takes V. What becomes an integer loses its fraction and ends at the
// type's range; NaN becomes zero.
__kernel void cast(IN_ANY(x), OUT_ANY(y), const int n) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  ELEMENTS(item, n);
  if (count > 0) write_some(read_some(x + i, count), y + i, count);
}
