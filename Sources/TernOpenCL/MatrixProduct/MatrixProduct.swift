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
  /// Whether the rows of the left matrix are summed as well, where it lies transposed and is the only one.
  var sumsRows = false
  /// What the matrices that are multiplied are stored in.
  var dataType = DataType.float32
  /// The way to compute it, of ``methodNames(on:)``; the device's choice where `nil`.
  var methodName: String?

  /// The product in a line, as the tuner stores it.
  var description: String {
    "matmul \(batch)x\(m)x\(n)x\(k) \(transposesA ? "t" : "n")\(transposesB ? "t" : "n")"
      + (sharesA ? " shared" : "") + (bias == .none ? "" : " \(bias)")
      + (dataType == .float32 ? "" : " \(dataType)")
  }

  /// The ways there are; the one to take untuned in front.
  private func methods(on device: OpenCLDevice) -> [ProductMethod] {
    let all =
      TensorTile.all(forRows: m, columns: n, count: batch, dataType, on: device).map {
        ProductMethod(kind: .tensor, tensorTile: $0)
      }
      + (device.architecture == .manyThreads
        ? tiles(on: device) : methods(device.architecture, units: device.multiprocessors))
    let (description, hasLibrary) = (description, device.hasLibrary && dataType == .float32)
    return all.filter {
      $0.kind == .library ? hasLibrary : device.candidates.fits($0.name, description)
    }
  }

  /// Those for many threads.
  private func tiles(on device: OpenCLDevice) -> [ProductMethod] {
    // Any device has room for work-items that do not meet.
    let kind: ProductMethod.Kind = transposesB ? transposesA ? .packed : .dot : .rows
    return TileChoice.all(m, n, terms: k, count: batch, on: device).map {
      ProductMethod(kind: .tile, tile: $0)
    } + [
      ProductMethod(kind: .library),
      ProductMethod(kind: kind, rows: 4, columns: kind == .rows ? min(4, n) : 4),
    ]
  }

  /// The names of all ways to compute the product.
  func methodNames(on device: OpenCLDevice) -> [String] {
    methods(on: device).map(\.name)
  }

  func candidateProblem(on device: OpenCLDevice) -> CandidateProblem {
    candidateProblem(methods(on: device), on: device)
  }

  private func candidateProblem(_ methods: [ProductMethod], on device: OpenCLDevice)
    -> CandidateProblem
  {
    let operations = 2 * Double(batch * m * n) * Double(k)
    return CandidateProblem(
      description,
      methods.map {
        Candidate(
          $0.name, cost: operationsPerTerm(of: $0, device) * operations,
          workspaceByteCount: workspaceByteCount(of: $0, on: device))
      }, untuned: methods[0].name)
  }

  private func method(on device: OpenCLDevice) -> ProductMethod {
    let methods = methods(on: device)
    if let methodName, let method = methods.first(where: { $0.name == methodName }) {
      return method
    }
    let choice = device.candidates.choice(of: candidateProblem(methods, on: device))
    return methods.first { $0.name == choice.name }!
  }

  /// The elements of both packed operands.
  private func packedCounts(_ block: ProductMethod) -> (a: Int, b: Int) {
    let width = block.columns * block.vectorWidth
    return (
      (sharesA ? 1 : batch) * ((m + block.rows - 1) / block.rows * block.rows) * k,
      batch * ((n + width - 1) / width * width) * k
    )
  }

  /// What sums rows where the product's kernel does not.
  private static let columnSum = Operations.Reduce(.sum, axes: [0], keepsAxes: false)

  func workspaceByteCount(on device: OpenCLDevice) -> Int {
    let method = method(on: device)
    let own = workspaceByteCount(of: method, on: device)
    guard sumsRows, !sumsRowsInTiles(method, on: device) else { return own }
    // The sums come after the product, in the same memory.
    return max(
      own,
      Self.columnSum.workspaceByteCount(
        inputs: [TensorType([k, m])], outputs: [TensorType([m])], on: device))
  }

  /// Whether a tile sums the rows as they pass: an addition for eight multiply-adds, each the time of two
  /// operations. The other way is a launch that reads the left matrix once more.
  private func sumsRowsInTiles(_ method: ProductMethod, on device: OpenCLDevice) -> Bool {
    let architecture = device.architecture
    let inTiles = Double(m) * Double(k) * Double(n) / 8 * 2
    let apart = Double(m) * Double(k) * 4 * architecture.operationsPerByte
    return method.kind == .tile && inTiles < apart + architecture.operationsPerLaunch
  }

  private func workspaceByteCount(of method: ProductMethod, on device: OpenCLDevice) -> Int {
    switch method.kind {
    case .packed:
      let counts = packedCounts(method)
      return 4 * (counts.a + counts.b)
    case .tile: return 4 * tiled(method, on: device).scratchCount
    case .library, .rows, .thin, .dot, .tensor: return 0
    }
  }

  /// - Parameters:
  ///   - rowSums: what the sums of the left matrix's rows become.
  ///   - epilogue: what else is done to results, without the bias.
  func encode(
    _ a: View, _ b: View, bias vector: View? = nil, into c: View, rowSums: View? = nil,
    with epilogue: Epilogue = Epilogue(), _ encoder: StepEncoder
  ) throws {
    precondition((rowSums != nil) == sumsRows)
    let method = method(on: encoder.device)
    if encoder.implementation == nil { encoder.implementation = method.name }
    // Who names a method has others in its place.
    guard methodName == nil else {
      return try encode(method, a, b, vector, into: c, rowSums, epilogue, encoder)
    }
    try encoder.choosing(
      method.name, of: description, isOnly: methods(on: encoder.device).count == 1
    ) { try encode(method, a, b, vector, into: c, rowSums, epilogue, encoder) }
  }

  private func encode(
    _ method: ProductMethod, _ a: View, _ b: View, _ vector: View?, into c: View,
    _ rowSums: View?, _ epilogue: Epilogue, _ encoder: StepEncoder
  ) throws {
    let sumsInTiles = sumsRowsInTiles(method, on: encoder.device)
    guard method.kind == .tile || !epilogue.goesOn, rowSums == nil || sumsInTiles else {
      let finished = method.kind == .tile
      try encode(
        method, a, b, vector, into: c, nil, finished ? epilogue : Epilogue(), encoder)
      if let rowSums { try Self.columnSum.encode([a], [rowSums], in: encoder) }
      return finished ? () : try encoder.finish(c, epilogue)
    }
    let (block, width) = (method, method.vectorWidth)
    let sizes: [Argument] = [
      .int(batch), .int(m), .int(n), .int(k), .int(goesAcross ? 1 : 0),
    ]
    var defines = ["ROWS": block.rows, "COLUMNS": block.columns, "BIAS": bias.rawValue]
    func launch(
      _ name: String, _ a: View, _ b: View, columns: Int, vectorWidth: Int,
      _ distances: [Argument]
    ) throws {
      defines["V"] = vectorWidth
      try encoder.map(
        name, in: "matmul/gemm",
        count: batch * ((m + block.rows - 1) / block.rows) * ((n + columns - 1) / columns),
        groupSize: encoder.architecture.blockGroup,
        [.tensor(a), .tensor(b), .tensor(vector, or: a), .tensor(c)] + sizes + distances,
        defines: defines)
    }
    let aDistance = sharesA ? 0 : m * k
    switch method.kind {
    case .tensor:
      try encode(method.tensorTile!, a, b, vector, into: c, encoder)
    case .tile:
      let product = tiled(method, on: encoder.device)
      let kind: Epilogue.Bias = bias == .perRow ? .perRow : .perColumn
      try product.encode(
        .init(
          view: a, isTransposed: transposesA, pitch: transposesA ? m : k, matrix: aDistance),
        .init(view: b, isTransposed: transposesB, pitch: transposesB ? k : n, matrix: k * n),
        into: c, rowSums: rowSums,
        scratch: product.scratchCount > 0 ? encoder.scratch(0, count: product.scratchCount) : nil,
        epilogue.adding(vector, kind), encoder)
    case .library:
      try encodeLibrary(a, b, vector, into: c, encoder)
    case .rows:
      try launch(
        "gemm_rows", a, b, columns: block.columns * width, vectorWidth: width,
        [
          .int(aDistance), .int(k * n), .int(transposesA ? 1 : k), .int(transposesA ? m : 1),
        ])
    case .thin:
      try encodeThin(method, a, b, vector, into: c, encoder)
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

  private func encodeThin(
    _ method: ProductMethod, _ a: View, _ b: View, _ vector: View?, into c: View,
    _ encoder: StepEncoder
  ) throws {
    let isTransposed = method.isTransposed
    // Few rows, and the matrix that lies along its rows: of B and A where columns are few.
    let (few, long) = isTransposed ? (b, a) : (a, b)
    let (rows, length) = isTransposed ? (n, m) : (m, n)
    let lieAlongTerms = isTransposed ? transposesB : !transposesA
    let biases: [Bias: Bias] = [.perRow: .perColumn, .perColumn: .perRow]
    let bias = isTransposed ? biases[bias] ?? .none : bias
    let stripe = method.columns * method.vectorWidth
    var defines = [
      "ROWS": rows, "COLUMNS": 1, "STRIPE": method.columns, "V": method.vectorWidth,
      "BIAS": bias.rawValue,
    ]
    if isTransposed { defines["TRANSPOSED"] = 1 }
    try encoder.map(
      "gemm_thin", in: "matmul/gemm", count: batch * ((length + stripe - 1) / stripe),
      // Stripes are few and each is much work.
      groupSize: 1,
      [
        .tensor(few), .tensor(long), .tensor(vector, or: a), .tensor(c), .int(batch), .int(rows),
        .int(length), .int(k), .int(1), .int(!isTransposed && sharesA ? 0 : rows * k),
        .int(isTransposed && sharesA ? 0 : length * k), .int(lieAlongTerms ? k : 1),
        .int(lieAlongTerms ? 1 : rows),
      ], defines: defines)
  }

  private func tiled(_ method: ProductMethod, on device: OpenCLDevice) -> TiledProduct {
    TiledProduct(
      batch: batch, m: m, n: n, k: k, choice: method.tile!,
      sumsRows: sumsRows && sumsRowsInTiles(method, on: device))
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

  private func operationsPerTerm(of method: ProductMethod, _ device: OpenCLDevice) -> Double {
    switch method.kind {
    case .library: return device.architecture.libraryProductCost
    case .tensor: return TensorTile.cost * method.tensorTile!.waste(m, n)
    case .tile: return method.tile!.operations / (2 * Double(batch * m * n) * Double(k))
    case .rows, .thin, .dot, .packed:
      // Of no use where work-items beside each other should read what lies beside each other.
      if device.architecture == .manyThreads { return 8 }
      return wideCoreCost(of: method, device.architecture, units: device.multiprocessors)
        / (2 * Double(batch * m * n) * Double(k))
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
        .tensor(a), .tensor(b), .tensor(vector, or: a), .tensor(c), .int(m), .int(n), .int(k),
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
