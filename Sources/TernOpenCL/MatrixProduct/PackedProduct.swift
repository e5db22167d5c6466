import TernCore

/// Matrix products on wide cores of operands that their producers already stored in the order in which
/// the kernel reads them: `batch` times m × k by k × n.
///
/// A is [batch, ⌈m / ``rowsPerBlock``⌉, k, rowsPerBlock], B is
/// [batch, ⌈n / ``columnsPerBlock``⌉, k, columnsPerBlock]; what fills up a block is ignored.
struct PackedProduct: Sendable {
  let batch: Int
  let m: Int
  let n: Int
  let k: Int
  let rowsPerBlock: Int
  let columnsPerBlock: Int
  /// The vectors of a block's columns.
  private let columns: Int
  private let vectorWidth: Int

  /// - Parameter typicalN: what the blocks are chosen by, where products of several widths share A.
  init(
    batch: Int, m: Int, n: Int, k: Int, typicalN: Int? = nil, on architecture: Architecture
  ) {
    (self.batch, self.m, self.n, self.k) = (batch, m, n, k)
    vectorWidth = architecture.vectorWidth
    columns = (typicalN ?? n) <= vectorWidth ? 1 : 2
    rowsPerBlock = architecture.accumulators >= 24 ? (columns == 1 ? 12 : 8) : 4
    columnsPerBlock = columns * vectorWidth
  }

  var rowBlocks: Int { (m + rowsPerBlock - 1) / rowsPerBlock }
  var columnBlocks: Int { (n + columnsPerBlock - 1) / columnsPerBlock }
  /// Elements of the operands, of one product of the batch.
  var aCount: Int { rowBlocks * rowsPerBlock * k }
  var bCount: Int { columnBlocks * columnsPerBlock * k }

  /// The multiplications and additions done for one that was asked for.
  var waste: Double {
    Double(rowBlocks * rowsPerBlock * columnBlocks * columnsPerBlock) / Double(m * n)
  }

  /// Appends C [batch, m, n] ← A·B, or C ← C + A·B.
  func encode(
    _ a: View, _ b: View, into c: View, accumulates: Bool = false, _ encoder: StepEncoder
  ) throws {
    var defines = ["ROWS": rowsPerBlock, "COLUMNS": columns, "V": vectorWidth]
    if accumulates { defines["ACCUMULATE"] = 1 }
    try encoder.blocks(
      "gemm_packed", in: "matmul/gemm", count: batch * rowBlocks * columnBlocks,
      [
        .tensor(a), .tensor(b), .tensor(a), .tensor(c), .int(batch), .int(m), .int(n), .int(k),
        .int(0), .int(aCount), .int(bCount),
      ], defines: defines)
  }
}
