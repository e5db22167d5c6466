import TernCore
import TernGraph

/// The product of two matrices, or of `batch` pairs of them: m × k by k × n, plus a bias.
///
/// Devices with many threads leave it to CLBlast. Where cores are wide, kernels of this package are
/// several times faster than CLBlast's; see `matmul/gemm.cl`.
struct MatrixProduct {
  enum Bias { case none, perColumn, perRow }

  var batch = 1
  let m: Int
  let n: Int
  let k: Int
  var transposesA = false
  var transposesB = false
  /// Whether all of the batch share one left matrix.
  var sharesA = false
  var bias = Bias.none

  private enum Method {
    case library
    /// Elements of A meet vectors of B's rows.
    case rows(vectorWidth: Int)
    /// Rows of A meet rows of Bᵀ.
    case dot(vectorWidth: Int)
    /// Both operands are first copied into blocks.
    case packed
  }

  private func method(_ architecture: Architecture) -> Method {
    if architecture == .manyThreads { return .library }
    if transposesA && transposesB || min(m, n) >= 128 && k >= 32 { return .packed }
    return transposesB
      ? .dot(vectorWidth: architecture.vectorWidth(upTo: k))
      : .rows(vectorWidth: architecture.vectorWidth(upTo: n))
  }

  /// Rows and columns (of vectors) of the accumulators of a work-item.
  private func block(_ architecture: Architecture, method: Method) -> (rows: Int, columns: Int) {
    let isWide = architecture.accumulators >= 24
    switch method {
    case .library: return (1, 1)
    case .dot: return isWide ? (5, 4) : (3, 3)
    case .packed: return isWide ? (8, 2) : (4, 2)
    case .rows(let width):
      let columns = max(1, min(isWide ? 3 : 2, n / width))
      return (isWide ? 8 : columns == 1 ? 8 : 4, columns)
    }
  }

  /// The elements of both packed operands.
  private func packedCounts(_ architecture: Architecture) -> (a: Int, b: Int) {
    let block = block(architecture, method: .packed)
    let width = block.columns * architecture.vectorWidth
    return (
      (sharesA ? 1 : batch) * ((m + block.rows - 1) / block.rows * block.rows) * k,
      batch * ((n + width - 1) / width * width) * k
    )
  }

  func workspaceByteCount(on device: OpenCLDevice) -> Int {
    guard case .packed = method(device.architecture) else { return 0 }
    let counts = packedCounts(device.architecture)
    return 4 * (counts.a + counts.b)
  }

  func encode(_ a: View, _ b: View, bias vector: View? = nil, into c: View, _ encoder: StepEncoder)
    throws
  {
    let architecture = encoder.architecture
    let method = method(architecture)
    let block = block(architecture, method: method)
    let sizes: [Argument] = [.int(batch), .int(m), .int(n), .int(k)]
    var defines = ["ROWS": block.rows, "COLUMNS": block.columns]
    switch bias {
    case .none: break
    case .perColumn: defines["BIAS"] = 1
    case .perRow: defines["BIAS"] = 2
    }
    func launch(
      _ name: String, _ a: View, _ b: View, columns: Int, vectorWidth: Int,
      _ distances: [Argument]
    ) throws {
      defines["V"] = vectorWidth
      try encoder.blocks(
        name, in: "matmul/gemm",
        count: batch * ((m + block.rows - 1) / block.rows) * ((n + columns - 1) / columns),
        [.tensor(a), .tensor(b), .tensor(vector ?? a), .tensor(c)] + sizes + distances,
        defines: defines)
    }
    let aDistance = sharesA ? 0 : m * k
    switch method {
    case .library:
      try encodeLibrary(a, b, vector, into: c, encoder)
    case .rows(let width):
      try launch(
        "gemm_rows", a, b, columns: block.columns * width, vectorWidth: width,
        [
          .int(aDistance), .int(k * n), .int(transposesA ? 1 : k), .int(transposesA ? m : 1),
        ])
    case .dot(let width):
      try launch(
        "gemm_dot", a, b, columns: block.columns, vectorWidth: width,
        [.int(aDistance), .int(k * n)])
    case .packed:
      let counts = packedCounts(architecture)
      let packedA = encoder.scratch(0, count: counts.a)
      let packedB = encoder.scratch(counts.a, count: counts.b)
      let width = block.columns * architecture.vectorWidth
      try pack(
        a, into: packedA, batch: sharesA ? 1 : batch, count: m, width: block.rows,
        runsAlongSum: !transposesA, encoder)
      try pack(
        b, into: packedB, batch: batch, count: n, width: width, runsAlongSum: transposesB, encoder)
      try launch(
        "gemm_packed", packedA, packedB, columns: width, vectorWidth: architecture.vectorWidth,
        [.int(sharesA ? 0 : counts.a / batch), .int(counts.b / batch)])
    }
  }

  /// - Parameter runsAlongSum: whether neighbours in memory are neighbours along the summed axis.
  private func pack(
    _ x: View, into y: View, batch: Int, count: Int, width: Int, runsAlongSum: Bool,
    _ encoder: StepEncoder
  ) throws {
    // The steps a work-item packs; the kernel's TILE.
    let tile = 16
    try encoder.blocks(
      "gemm_pack", in: "matmul/gemm",
      count: batch * ((count + width - 1) / width) * ((k + tile - 1) / tile),
      [
        .tensor(x), .tensor(y), .int(batch), .int(count), .int(k), .int(width), .int(count * k),
        .int(runsAlongSum ? k : 1), .int(runsAlongSum ? 1 : count),
      ], defines: ["TILE": tile])
  }

  private func encodeLibrary(
    _ a: View, _ b: View, _ vector: View?, into c: View, _ encoder: StepEncoder
  ) throws {
    if let vector {
      // The bias first; the product is added to it.
      try encoder.stridedCopy(
        [batch, m, n], from: vector, strides: bias == .perRow ? [0, 1, 0] : [0, 0, 1], to: c,
        strides: [m * n, n, 1], operation: "matmul")
    }
    encoder.append(
      try GemmLaunch(
        .init(view: a, isTransposed: transposesA, rowLength: transposesA ? m : k),
        .init(view: b, isTransposed: transposesB, rowLength: transposesB ? k : n), into: c,
        size: (batch, m, n, k), sharesA: sharesA, beta: vector == nil ? 0 : 1,
        device: encoder.device))
  }
}
