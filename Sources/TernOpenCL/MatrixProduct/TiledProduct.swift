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

  /// The floats that the parts of the results fill.
  var scratchCount: Int { choice.parts > 1 ? choice.parts * batch * m * n : 0 }

  func encode(
    _ a: Operand, _ b: Operand, into c: View, scratch: View?, _ epilogue: Epilogue = Epilogue(),
    _ encoder: StepEncoder
  ) throws {
    // Four floats are read at once where they start at multiples of 16 bytes.
    func width(_ x: Operand, _ rowLength: Int) -> Int {
      [x.view.offset, x.pitch, x.matrix, rowLength].allSatisfy { $0 % 4 == 0 } ? 4 : 1
    }
    let (tile, device) = (choice.tile, encoder.device)
    let isSplit = choice.parts > 1
    let target = isSplit ? scratch! : c
    let now = isSplit ? Epilogue() : epilogue
    try encoder.launch(
      "gemm_tile", in: "matmul/tile_gemm",
      groups: [tile.count(m, n), batch * choice.parts], localSize: [tile.groupSize, 1],
      [
        .tensor(a.view), .tensor(b.view), .tensor(now.bias?.view ?? a.view),
        .tensor(now.addend ?? a.view), .tensor(now.mask ?? a.view), .tensor(target), .int(m),
        .int(n), .int(k),
        .int(a.pitch), .int(b.pitch), .int(n), .int(a.matrix), .int(b.matrix), .int(m * n),
        .int(batch), .int(ProductTile.share(k, parts: choice.parts)),
        .int(now.flags(storesWide: n % 4 == 0 && target.offset % 4 == 0)),
      ],
      defines: tile.defines(on: device).merging([
        "LEFT_ALONG_TERMS": a.isTransposed ? 0 : 1, "RIGHT_ALONG_TERMS": b.isTransposed ? 1 : 0,
        "LEFT_WIDTH": width(a, a.isTransposed ? m : k),
        "RIGHT_WIDTH": width(b, b.isTransposed ? k : n),
      ]) { $1 }, options: tile.options(on: device))
    if isSplit {
      try encoder.sumParts(
        target, into: c, parts: choice.parts, inner: epilogue.bias?.kind == .perRow ? n : 1,
        epilogue)
    }
  }
}
