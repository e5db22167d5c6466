#include "../common/common.cl"

// Rows of a table: indices [n], table [rows, columns].

__kernel void embedding(IN_INT(indices), IN(table), OUT(y), const int n, const int columns,
                        const int rows) {
  BIND_INT(indices);
  BIND(table);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= n * columns) return;
  const int row = indices[i / columns];
  y[i] = row >= 0 && row < rows ? table[row * columns + i % columns] : NAN;
}

// Every element of the table sums what arrived where its row was read, in order.
__kernel void embedding_backward(IN(dy), IN_INT(indices), OUT(dtable), const int n,
                                 const int columns, const int rows) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(dtable);
  const int i = get_global_id(0);
  if (i >= rows * columns) return;
  const int row = i / columns, column = i % columns;
  float sum = 0;
  for (int j = 0; j < n; ++j) {
    if (indices[j] == row) sum += dy[j * columns + column];
  }
  dtable[i] = sum;
}
