import TernCore
import TernGraph
import TernRuntime

/// The product of two matrices, or of `batch` pairs of them: m × k by k × n, plus a bias.
///
/// Devices with many threads compute it by tiles in local memory, see `matmul/tile_gemm.cl`, or on their
/// tensor cores where the user lets operands be rounded, see `matmul/tensor_gemm.cl`; those whose
/// cores are wide by blocks of registers, see `matmul/gemm.cl`. CLBlast is a candidate on all.
struct MatrixProduct {
  /// What is added; the kernels' BIAS.
  enum Bias: Int { case none, perColumn, perRow }

  var batch = 1
  let m: Int
  let n: Int
  let k: Int
  var transposesA = false
  var transposesB = false
  /// Whether all of the batch share one left matrix.
  var sharesA = false
  var bias = Bias.none
  /// The way to compute it, of ``methodNames(on:)``; the device's choice where `nil`.
  var methodName: String?

  /// How a product is computed.
  private struct Method {
    enum Kind: String {
      /// By CLBlast.
      case library = "clblast"
      /// Elements of A meet vectors of B's rows.
      case rows
      /// The same, for few rows of A: all of them meet stripes of B's rows.
      case thin
      /// Rows of A meet rows of Bᵀ.
      case dot
      /// Both operands are first copied into blocks.
      case packed
      /// By tiles in local memory.
      case tile
      /// On tensor cores.
      case tensor
    }

    let kind: Kind
    /// Rows and columns (of vectors) of the accumulators of a work-item.
    var rows = 1
    var columns = 1
    var vectorWidth = 1
    /// What a group computes, on tensor cores or without.
    var tensorTile: TensorTile?
    var tile: TileChoice?

    var name: String {
      if let tensorTile { return tensorTile.name }
      if let tile { return "\(kind) \(tile.name)" }
      return kind == .library ? kind.rawValue : "\(kind) \(rows)x\(columns)"
    }
  }

  /// The product in a line, as the tuner stores it.
  var description: String {
    "matmul \(batch)x\(m)x\(n)x\(k) \(transposesA ? "t" : "n")\(transposesB ? "t" : "n")"
      + (sharesA ? " shared" : "") + (bias == .none ? "" : " \(bias)")
  }

  /// The ways there are; the one to take untuned in front.
  private func methods(on device: OpenCLDevice) -> [Method] {
    let all =
      TensorTile.all(forRows: m, columns: n, count: batch, on: device).map {
        Method(kind: .tensor, tensorTile: $0)
      } + (device.architecture == .manyThreads ? tiles(on: device) : methods(device.architecture))
    let (description, hasLibrary) = (description, device.hasLibrary)
    return all.filter {
      $0.kind == .library ? hasLibrary : device.candidates.fits($0.name, description)
    }
  }

  /// Those for many threads.
  private func tiles(on device: OpenCLDevice) -> [Method] {
    // Any device has room for work-items that do not meet.
    let kind: Method.Kind = transposesB ? transposesA ? .packed : .dot : .rows
    return TileChoice.all(m, n, terms: k, count: batch, on: device).map {
      Method(kind: .tile, tile: $0)
    } + [
      Method(kind: .library), Method(kind: kind, rows: 4, columns: kind == .rows ? min(4, n) : 4),
    ]
  }

  /// Those for wide cores.
  private func methods(_ architecture: Architecture) -> [Method] {
    let library = Method(kind: .library)
    let width = architecture.vectorWidth
    let isWide = architecture.accumulators >= 24
    let packed = (isWide ? [(8, 2), (12, 2), (6, 4), (4, 2)] : [(4, 2), (6, 2), (2, 4)]).map {
      Method(kind: .packed, rows: $0.0, columns: $0.1, vectorWidth: width)
    }
    if transposesA && transposesB { return packed + [library] }
    let direct: [Method]
    if transposesB {
      let width = architecture.vectorWidth(upTo: k)
      direct = (isWide ? [(5, 4), (4, 4), (6, 3), (2, 4)] : [(3, 3), (2, 4)]).map {
        Method(kind: .dot, rows: $0.0, columns: $0.1, vectorWidth: width)
      }
    } else {
      let width = architecture.vectorWidth(upTo: n)
      // As many columns as leave the last block fullest; the most of those.
      let most = max(1, min(isWide ? 3 : 2, n / width))
      let columns = (1...most).reversed().min { left, right in
        func computed(_ columns: Int) -> Int {
          (n + columns * width - 1) / (columns * width) * columns
        }
        return computed(left) < computed(right)
      }!
      let rows = isWide || columns == 1 ? 8 : 4
      direct = [(rows, columns), (rows / 2, columns), (rows, 1)].filter {
        $0 == (rows, columns) || columns > 1 || $0.0 != rows
      }.map { Method(kind: .rows, rows: $0.0, columns: $0.1, vectorWidth: width) }
      // Narrow blocks of a large B touch a page for every row, and use little of it.
      if m <= 16, n >= 256, k >= 256 {
        let stripes = [32, 16].map {
          Method(kind: .thin, rows: m, columns: $0, vectorWidth: width)
        }
        return stripes + direct + packed + [library]
      }
    }
    // Copying pays for itself where rows of B are so short that a vector often reaches into the
    // next, or so long that each stands in a page of its own. Where rows of Bᵀ would meet those of A,
    // it also saves the sums over lanes.
    let isLarge =
      transposesB
      ? m >= 32 && n >= 32 && k >= 32 || isCheaperPacked(packed[0], over: direct[0])
      : m >= 128 && (n >= 1024 && k >= 32 || (32..<256).contains(n) && k >= 128)
    return (isLarge ? packed + direct : direct + packed) + [library]
  }

  /// Whether a short product of rows by rows is quicker by packed blocks: a sum over the lanes of a vector
  /// takes as long as half a dozen multiplications, for each result.
  private func isCheaperPacked(_ packed: Method, over dot: Method) -> Bool {
    let laneSum = 6
    let blockColumns = packed.columns * packed.vectorWidth
    let rows = (m + packed.rows - 1) / packed.rows * packed.rows
    let vectors = (n + blockColumns - 1) / blockColumns * packed.columns
    let whole = (k + dot.vectorWidth - 1) / dot.vectorWidth
    return k < 64 && rows * vectors * k + (m + n) * k < m * n * (whole + laneSum)
  }

  /// The names of all ways to compute the product.
  func methodNames(on device: OpenCLDevice) -> [String] {
    methods(on: device).map(\.name)
  }

  func candidateProblem(on device: OpenCLDevice) -> CandidateProblem {
    candidateProblem(methods(on: device), on: device)
  }

  private func candidateProblem(_ methods: [Method], on device: OpenCLDevice) -> CandidateProblem {
    let operations = 2 * Double(batch * m * n) * Double(k)
    return CandidateProblem(
      description,
      methods.map {
        Candidate(
          $0.name, cost: operationsPerTerm(of: $0, device) * operations,
          workspaceByteCount: workspaceByteCount(of: $0))
      }, untuned: methods[0].name)
  }

  /// The floats of B that stay in the cache while other operands pass by.
  private static let cachedCount = 1 << 17

  private func method(on device: OpenCLDevice) -> Method {
    let methods = methods(on: device)
    if let methodName, let method = methods.first(where: { $0.name == methodName }) {
      return method
    }
    let choice = device.candidates.choice(of: candidateProblem(methods, on: device))
    return methods.first { $0.name == choice.name }!
  }

  /// The elements of both packed operands.
  private func packedCounts(_ block: Method) -> (a: Int, b: Int) {
    let width = block.columns * block.vectorWidth
    return (
      (sharesA ? 1 : batch) * ((m + block.rows - 1) / block.rows * block.rows) * k,
      batch * ((n + width - 1) / width * width) * k
    )
  }

  func workspaceByteCount(on device: OpenCLDevice) -> Int {
    workspaceByteCount(of: method(on: device))
  }

  private func workspaceByteCount(of method: Method) -> Int {
    switch method.kind {
    case .packed:
      let counts = packedCounts(method)
      return 4 * (counts.a + counts.b)
    case .tile: return 4 * tiled(method.tile!).scratchCount
    case .library, .rows, .thin, .dot, .tensor: return 0
    }
  }

  func encode(_ a: View, _ b: View, bias vector: View? = nil, into c: View, _ encoder: StepEncoder)
    throws
  {
    let method = method(on: encoder.device)
    if encoder.implementation == nil { encoder.implementation = method.name }
    // Who names a method has others in its place.
    guard methodName == nil else { return try encode(method, a, b, vector, into: c, encoder) }
    try encoder.choosing(
      method.name, of: description, isOnly: methods(on: encoder.device).count == 1
    ) { try encode(method, a, b, vector, into: c, encoder) }
  }

  private func encode(
    _ method: Method, _ a: View, _ b: View, _ vector: View?, into c: View, _ encoder: StepEncoder
  ) throws {
    let (block, width) = (method, method.vectorWidth)
    let sizes: [Argument] = [.int(batch), .int(m), .int(n), .int(k)]
    var defines = ["ROWS": block.rows, "COLUMNS": block.columns, "BIAS": bias.rawValue]
    func launch(
      _ name: String, _ a: View, _ b: View, columns: Int, vectorWidth: Int,
      _ distances: [Argument]
    ) throws {
      defines["V"] = vectorWidth
      try encoder.map(
        name, in: "matmul/gemm",
        count: batch * ((m + block.rows - 1) / block.rows) * ((n + columns - 1) / columns),
        // Stripes are few and each is much work.
        groupSize: method.kind == .thin ? 1 : encoder.architecture.blockGroup,
        [.tensor(a), .tensor(b), .tensor(vector ?? a), .tensor(c)] + sizes + distances,
        defines: defines)
    }
    let aDistance = sharesA ? 0 : m * k
    switch method.kind {
    case .tensor:
      try encode(method.tensorTile!, a, b, vector, into: c, encoder)
    case .tile:
      let product = tiled(method.tile!)
      let kind: Epilogue.Bias = bias == .perRow ? .perRow : .perColumn
      try product.encode(
        .init(
          view: a, isTransposed: transposesA, pitch: transposesA ? m : k, matrix: aDistance),
        .init(view: b, isTransposed: transposesB, pitch: transposesB ? k : n, matrix: k * n),
        into: c,
        scratch: product.scratchCount > 0 ? encoder.scratch(0, count: product.scratchCount) : nil,
        Epilogue(bias: vector.map { ($0, kind) }), encoder)
    case .library:
      try encodeLibrary(a, b, vector, into: c, encoder)
    case .rows, .thin:
      if method.kind == .thin {
        defines["STRIPE"] = block.columns
      } else if k * n <= Self.cachedCount {
        defines["ACROSS"] = 1
      }
      try launch(
        method.kind == .thin ? "gemm_thin" : "gemm_rows", a, b, columns: block.columns * width,
        vectorWidth: width,
        [
          .int(aDistance), .int(k * n), .int(transposesA ? 1 : k), .int(transposesA ? m : 1),
        ])
    case .dot:
      try launch(
        "gemm_dot", a, b, columns: block.columns, vectorWidth: width,
        [.int(aDistance), .int(k * n)])
    case .packed:
      let counts = packedCounts(method)
      let packedA = encoder.scratch(0, count: counts.a)
      let packedB = encoder.scratch(counts.a, count: counts.b)
      let blockWidth = block.columns * width
      try pack(
        a, into: packedA, batch: sharesA ? 1 : batch, count: m, width: block.rows,
        runsAlongSum: !transposesA, encoder)
      try pack(
        b, into: packedB, batch: batch, count: n, width: blockWidth, runsAlongSum: transposesB,
        encoder)
      try launch(
        "gemm_packed", packedA, packedB, columns: blockWidth, vectorWidth: width,
        [.int(sharesA ? 0 : counts.a / batch), .int(counts.b / batch)])
    }
  }

  private func tiled(_ choice: TileChoice) -> TiledProduct {
    TiledProduct(batch: batch, m: m, n: n, k: k, choice: choice)
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

  /// The operations that a multiplication and addition of the product costs, in those of the
  /// device's best kernels.
  func operationsPerTerm(_ device: OpenCLDevice) -> Double {
    operationsPerTerm(of: method(on: device), device)
  }

  private func operationsPerTerm(of method: Method, _ device: OpenCLDevice) -> Double {
    switch method.kind {
    case .library: return device.architecture.libraryProductCost
    case .tensor: return TensorTile.cost * method.tensorTile!.waste(m, n)
    case .tile: return method.tile!.operations / (2 * Double(batch * m * n) * Double(k))
    case .rows, .thin, .dot, .packed:
      // Of no use where work-items beside each other should read what lies beside each other.
      if device.architecture == .manyThreads { return 8 }
      // What a block has beyond the edge is computed as well.
      let rows = (m + method.rows - 1) / method.rows * method.rows
      let width = method.kind == .dot ? method.columns : method.columns * method.vectorWidth
      let columns = (n + width - 1) / width * width
      return 1.2 * Double(rows * columns) / Double(m * n)
    }
  }

  private func encode(
    _ tile: TensorTile, _ a: View, _ b: View, _ vector: View?, into c: View,
    _ encoder: StepEncoder
  ) throws {
    // A copy of four floats is one of 16 bytes, and starts at a multiple of them.
    func copyWidth(_ x: View, rowLength: Int) -> Int {
      x.offset % 4 == 0 && rowLength % 4 == 0 ? 4 : 1
    }
    try encoder.launch(
      "gemm_tensor", in: "matmul/tensor_gemm", groups: [batch * tile.count(m, n)],
      localSize: [tile.groupSize],
      [
        .tensor(a), .tensor(b), .tensor(vector ?? a), .tensor(c), .int(m), .int(n), .int(k),
        .int(sharesA ? 0 : m * k), .int(k * n),
      ],
      defines: tile.defines.merging([
        "LEFT_ALONG_TERMS": transposesA ? 0 : 1, "RIGHT_ALONG_TERMS": transposesB ? 1 : 0,
        "LEFT_WIDTH": copyWidth(a, rowLength: transposesA ? m : k),
        "RIGHT_WIDTH": copyWidth(b, rowLength: transposesB ? k : n),
        "BIAS": bias.rawValue,
      ]) { $1 })
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
    encoder.library(
      .init(view: a, isTransposed: transposesA, rowLength: transposesA ? m : k),
      .init(view: b, isTransposed: transposesB, rowLength: transposesB ? k : n), into: c,
      size: (batch, m, n, k), sharesA: sharesA, beta: vector == nil ? 0 : 1)
  }
}
