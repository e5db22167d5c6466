#include "../common/common.cl"

// Rows of a table: indices [n], table [rows, columns]. A work-item copies V neighbouring columns, at
// the right edge some of its neighbour's again.
__kernel void embedding(IN_INT(indices), IN(table), OUT(y), const int items, const int columns,
                        const int rows, DIVISOR(across)) {
  BIND_INT(indices);
  BIND(table);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= items) return;
  const int token = divided(i, across), column = (i - token * across.s0) * V;
  const int row = indices[token];
  const bool exists = row >= 0 && row < rows;
#ifdef WHOLE
  const int start = column;
#else
  const int start = min(column, columns - V);
#endif
  const VECTOR value = exists ? READ(table + row * columns + start) : (VECTOR)(NAN);
  y += token * columns + start;
  if (start == column) WRITE(value, y);
  else store_part(value, y, column - start, V);
}

// Adds what arrived at a token to the row of the table it read.
static inline void add_row(__global const float *dy, __global float *row, const int columns) {
  int i = MEMBER * V;
  for (; i + V <= columns; i += GROUP * V) WRITE(READ(row + i) + READ(dy + i), row + i);
  for (; i < columns; ++i) row[i] += dy[i];
}

#if GROUP > 1
// Of GROUP neighbouring tokens those that read the same row become one: the first of them keeps the row,
// the others have none (-1). Where there are others, what arrived at all of them is added up in order, at
// `sums`: at most GROUP / 2 rows for each group, the number of which is the token's slot. So no popular
// row has more to add up one by one than there are groups of tokens.
__kernel void embedding_merge(IN(dy), IN_INT(indices), OUT(sums), OUT_INT(owners), OUT_INT(slots),
                              const int n, const int columns, const int rows) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(sums);
  BIND_INT_OUT(owners);
  BIND_INT_OUT(slots);
  __local int read[GROUP], next[GROUP];
  const int first = ROW * GROUP, token = first + MEMBER;
  int row = token < n ? indices[token] : -1;
  if (row >= rows) row = -1;
  read[MEMBER] = row;
  barrier(CLK_LOCAL_MEM_FENCE);
  int after = -1;
  bool is_first = row >= 0;
  for (int other = 0; other < GROUP; ++other) {
    const bool is_same = read[other] == row;
    if (is_same && other < MEMBER) is_first = false;
    if (is_same && other > MEMBER && after < 0) after = other;
  }
  if (row < 0) after = -1;
  // Negative where the chain does not start here: the next, counted from -2 down.
  next[MEMBER] = is_first || after < 0 ? after : -2 - after;
  barrier(CLK_LOCAL_MEM_FENCE);
  int slot = -1, count = 0;
  for (int start = 0; start < GROUP; ++start) {
    // Alike for all: the first of several.
    if (next[start] < 0) continue;
    if (start == MEMBER) slot = ROW * (GROUP / 2) + count;
    __global float *sum = sums + (ROW * (GROUP / 2) + count) * columns;
    for (int i = MEMBER * V; i < columns; i += GROUP * V) {
      VECTOR total = READ(dy + (first + start) * columns + i);
      for (int at = next[start];;) {
        total += READ(dy + (first + at) * columns + i);
        if (next[at] == -1) break;
        at = -2 - next[at];
      }
      WRITE(total, sum + i);
    }
    ++count;
  }
  if (token < n) {
    owners[token] = is_first ? row : -1;
    slots[token] = slot;
  }
}
#endif

// Every row of the table sums what arrived where it was read, in order. A group has every row of one
// remainder by `groups`, a power of two: popular rows, often neighbours, spread. With -DMERGED the rows
// are those that embedding_merge left, and a token's sum is in its slot, if it has one.
__kernel void embedding_backward(IN(dy), IN_INT(indices), OUT(dtable), const int n,
                                 const int columns, const int rows, const int groups
#ifdef MERGED
                                 ,
                                 IN(sums), IN_INT(slots)
#endif
) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(dtable);
#ifdef MERGED
  BIND(sums);
  BIND_INT(slots);
#endif
  for (int row = ROW; row < rows; row += groups) {
    __global float *p = dtable + row * columns;
    int i = MEMBER * V;
    for (; i + V <= columns; i += GROUP * V) WRITE((VECTOR)(0.0f), p + i);
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
        __global const float *arriving = dy + (first + token) * columns;
#ifdef MERGED
        const int slot = slots[first + token];
        if (slot >= 0) arriving = sums + slot * columns;
#endif
        add_row(arriving, dtable + read[token] * columns, columns);
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
#endif
}
