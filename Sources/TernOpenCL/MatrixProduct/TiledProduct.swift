/// Products of matrices by tiles, `batch` times m × k by k × n, see `matmul/tile_gemm.cl`: C is
/// [batch, m, n], and so are the operands unless they say otherwise.
struct TiledProduct {
  /// An operand as it is stored.
  struct Operand {
    let view: View
    let isTransposed: Bool
    /// From one of its rows to the next, and from one matrix to the next, 0 where all share one.
    let pitch: Int
    let matrix: Int
  }

  let batch: Int
  let m: Int
  let n: Int
  let k: Int
  let choice: TileChoice
  /// Whether the rows of A are summed as well; of one pair of matrices.
  var sumsRows = false

  /// From one part of the results to the next.
  private var apart: Int { ProductTile.apart(batch * m * n, sumsRows ? m : 0) }
  /// The floats that the parts of the results fill.
  var scratchCount: Int { choice.parts > 1 ? choice.parts * apart : 0 }

  /// - Parameter rowSums: what the sums of A's rows become, where they are wanted.
  func encode(
    _ a: Operand, _ b: Operand, into c: View, rowSums: View? = nil, scratch: View?,
    _ epilogue: Epilogue = Epilogue(), _ encoder: StepEncoder
  ) throws {
    precondition(rowSums == nil || batch == 1 && sumsRows)
    // Four floats are read at once where they start at multiples of 16 bytes.
    func width(_ x: Operand, _ rowLength: Int) -> Int {
      [x.view.offset, x.pitch, x.matrix, rowLength].allSatisfy { $0 % 4 == 0 } ? 4 : 1
    }
    let (tile, device) = (choice.tile, encoder.device)
    let isSplit = choice.parts > 1
    let target = isSplit ? scratch! : c
    let now = isSplit ? Epilogue() : epilogue
    let sums = isSplit ? scratch!.moved(by: batch * m * n) : rowSums
    let matrix = isSplit && sumsRows ? apart : m * n
    try encoder.launch(
      "gemm_tile", in: "matmul/tile_gemm",
      groups: [tile.count(m, n), batch * choice.parts], localSize: [tile.groupSize, 1],
      [
        .tensor(a.view), .tensor(b.view), .tensor(now.bias?.view, or: a.view),
        .tensor(now.addend, or: a.view), .tensor(now.mask, or: a.view), .tensor(target),
        .tensor(sums, or: c), .int(m), .int(n), .int(k),
        .int(a.pitch), .int(b.pitch), .int(n), .int(a.matrix), .int(b.matrix), .int(matrix),
        .int(batch), .int(ProductTile.share(k, parts: choice.parts)),
        .int(now.flags(storesWide: n % 4 == 0 && target.offset % 4 == 0)),
      ],
      defines: tile.defines(on: device).merging([
        "LEFT_ALONG_TERMS": a.isTransposed ? 0 : 1, "RIGHT_ALONG_TERMS": b.isTransposed ? 1 : 0,
        "LEFT_WIDTH": width(a, a.isTransposed ? m : k),
        "RIGHT_WIDTH": width(b, b.isTransposed ? k : n), "ROW_SUMS": rowSums == nil ? 0 : 1,
      ]) { $1 }, options: tile.options(on: device))
    if isSplit {
      try encoder.sumParts(
        target, into: c, rowSums, parts: choice.parts, apart: apart,
        inner: epilogue.bias?.kind == .perRow ? n : 1, epilogue)
    }
  }
}
