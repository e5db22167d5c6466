#include "../common/common.cl"

// Rows of a table: indices [n], table [rows, columns]. A work-item copies V neighbouring columns, at
// the right edge some of its neighbour's again.
__kernel void embedding(IN_INT(indices), IN(table), OUT(y), const int n, const int columns,
                        const int rows) {
  BIND_INT(indices);
  BIND(table);
  BIND_OUT(y);
  const int across = (columns + V - 1) / V;
  const int i = get_global_id(0);
  if (i >= n * across) return;
  const int token = i / across, column = i % across * V, start = min(column, columns - V);
  const int row = indices[token];
  const bool exists = row >= 0 && row < rows;
  const VECTOR value = exists ? LOAD(table + row * columns + start) : (VECTOR)(NAN);
  y += token * columns + start;
  if (start == column) STORE(value, y);
  else store_part(value, y, column - start, V);
}

// Adds what arrived at a token to the row of the table it read.
static inline void add_row(__global const float *dy, __global float *row, const int columns) {
  int i = MEMBER * V;
  for (; i + V <= columns; i += GROUP * V) STORE(LOAD(row + i) + LOAD(dy + i), row + i);
  for (; i < columns; ++i) row[i] += dy[i];
}

// Every row of the table sums what arrived where it was read, in order. A group has every row of one
// remainder by `groups`, a power of two: popular rows, often neighbours, spread.
__kernel void embedding_backward(IN(dy), IN_INT(indices), OUT(dtable), const int n,
                                 const int columns, const int rows, const int groups) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(dtable);
  for (int row = ROW; row < rows; row += groups) {
    __global float *p = dtable + row * columns;
    int i = MEMBER * V;
    for (; i + V <= columns; i += GROUP * V) STORE((VECTOR)(0.0f), p + i);
    for (; i < columns; ++i) p[i] = 0;
  }
  // A row's columns stay with the same member: no barrier between its additions.
#if GROUP == 1
  for (int token = 0; token < n; ++token) {
    const int row = indices[token];
    if ((row & (groups - 1)) != ROW || row < 0 || row >= rows) continue;
    add_row(dy + token * columns, dtable + row * columns, columns);
  }
#else
  // As many tokens at a time as there are members; most often none is the group's.
  __local int read[GROUP];
  __local int found;
  for (int first = 0; first < n; first += GROUP) {
    if (MEMBER == 0) found = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    const int row = first + MEMBER < n ? indices[first + MEMBER] : -1;
    const bool is_own = (row & (groups - 1)) == ROW && row >= 0 && row < rows;
    read[MEMBER] = is_own ? row : -1;
    if (is_own) atomic_inc(&found);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (found > 0) {
      for (int token = 0; token < GROUP; ++token) {
        if (read[token] < 0) continue;
        add_row(dy + (first + token) * columns, dtable + read[token] * columns, columns);
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
#endif
}
