/// Ways to compute a product on processors, and what they cost there.
extension MatrixProduct {
  /// Those for wide cores, the cheapest in front.
  func methods(_ architecture: Architecture, units: Int) -> [ProductMethod] {
    let width = architecture.vectorWidth
    let isWide = architecture.accumulators >= 24
    let packed = (isWide ? [(8, 2), (12, 2), (6, 4), (4, 2)] : [(4, 2), (6, 2), (2, 4)]).map {
      ProductMethod(kind: .packed, rows: $0.0, columns: $0.1, vectorWidth: width)
    }
    let all =
      thin(architecture) + direct(architecture) + packed + [ProductMethod(kind: .library)]
    // Equal ones stay in this order.
    return all.map { ($0, wideCoreCost(of: $0, architecture, units: units)) }.enumerated().sorted {
      ($0.element.1, $0.offset) < ($1.element.1, $1.offset)
    }.map(\.element.0)
  }

  /// Sums in registers of operands as they are.
  private func direct(_ architecture: Architecture) -> [ProductMethod] {
    let isWide = architecture.accumulators >= 24
    if transposesB {
      if transposesA { return [] }
      let width = architecture.vectorWidth(upTo: k)
      return (isWide ? [(5, 4), (4, 4), (6, 3), (2, 4)] : [(3, 3), (2, 4)]).map {
        ProductMethod(kind: .dot, rows: $0.0, columns: $0.1, vectorWidth: width)
      }
    }
    let width = architecture.vectorWidth(upTo: n)
    let most = max(1, min(isWide ? 3 : 2, n / width))
    return (1...most).reversed().flatMap { columns in
      let rows = isWide || columns == 1 ? 8 : 4
      return (columns == most ? [rows, rows / 2] : [rows]).map {
        ProductMethod(kind: .rows, rows: $0, columns: columns, vectorWidth: width)
      }
    }
  }

  /// All sums of a stripe in the cache: where one operand has so few rows that their factors are registers,
  /// and the other lies along its rows.
  private func thin(_ architecture: Architecture) -> [ProductMethod] {
    let most = 16
    let width = architecture.vectorWidth
    func stripes(_ rows: Int, isTransposed: Bool) -> [ProductMethod] {
      [32, 16].map {
        ProductMethod(
          kind: .thin, rows: rows, columns: $0, vectorWidth: width, isTransposed: isTransposed)
      }
    }
    if !transposesB, m <= most, n >= width { return stripes(m, isTransposed: false) }
    if transposesA, n <= most, m >= width { return stripes(n, isTransposed: true) }
    return []
  }

  /// The operations of a product, in those of the device's best kernels, that take as long: multiplications
  /// of vectors, and beside them what moves through memory where that takes longer.
  ///
  /// The numbers are times on processors of 2.5 to 3 GHz with vectors of 16, in multiplications and additions
  /// of a vector; what they are of is done by the same few instructions everywhere.
  func wideCoreCost(
    of method: ProductMethod, _ architecture: Architecture, units: Int
  ) -> Double {
    if method.kind == .library {
      // It computes whole tiles.
      func whole(_ extent: Int) -> Double {
        Double((extent + Self.libraryTile - 1) / Self.libraryTile * Self.libraryTile)
      }
      let operations = 2 * whole(m) * whole(n) * whole(k)
      return Double(batch)
        * max(
          architecture.libraryProductCost * operations, architecture.operationsPerByte * leastBytes)
    }
    let work = WideCoreWork(self, method)
    // The unit that has the most groups of work-items keeps the others waiting.
    let groups = max(1, Double(batch) * work.groups(of: architecture.blockGroup))
    let waiting = (groups / Double(units)).rounded(.up) * Double(units) / groups
    let perVector = 2 * Double(architecture.vectorWidth)
    let arithmetic = WideCoreWork.ofBestKernels * perVector * work.vectors * waiting
    return Double(batch) * max(arithmetic, architecture.operationsPerByte * work.bytes)
  }

  /// What one product reads and writes at least.
  fileprivate var leastBytes: Double { 4 * Double(m * k + k * n + m * n) }

  /// The rows, columns and terms that CLBlast computes together.
  private static let libraryTile = 32

  /// Whether blocks beside each other are computed one after the other: they share rows of A, and all of B
  /// stays in the cache.
  var goesAcross: Bool { k * n <= WideCoreWork.Cache.floats / 2 }
}

/// What one product of a ``MatrixProduct`` takes on a processor.
private struct WideCoreWork {
  /// Multiplications and additions of a vector, or what takes as long.
  private(set) var vectors = 0.0
  /// What is read from beyond the cache, and written.
  private(set) var bytes: Double
  private var items: Double
  /// Whether a work-item is a group by itself.
  private var isMuch = false

  /// What the products' kernels take where the best ones take 1.
  static let ofBestKernels = 1.2

  /// A core's own cache: the least of what processors with wide vectors have.
  enum Cache {
    static let floats = 1 << 18
    static let lineFloats = 16
    static let ways = 16
    static let sets = floats / lineFloats / ways
    static let pageFloats = 1024
    /// The pages whose places a core remembers.
    static let pages = 1536
  }

  /// A number or a vector loaded; multiplications hide it where there are enough.
  private static let load = 1.6
  /// What loads from rows that lie apart take, where those from a block take 1.
  private static let inPlace = 1.15
  /// A line that is in no cache near, or whose page is not known.
  private static let farLine = 40.0
  /// The lanes of a sum added up, and stored.
  private static let laneSum = 15.0
  /// A number copied into a block.
  private static let packedElement = 4.0
  /// Another kernel's start.
  private static let launch = 40_000.0
  /// A multiplication whose sum is loaded and stored again.
  private static let sumInCache = 1.5
  /// In the time that memory takes to begin a row elsewhere it moves so many bytes.
  private static let rowStart = 1024.0

  init(_ product: MatrixProduct, _ method: ProductMethod) {
    let (m, n, k) = (product.m, product.n, product.k)
    bytes = product.leastBytes
    func blocks(_ extent: Int, _ size: Int) -> Double { Double((extent + size - 1) / size) }
    // Operands of a row of blocks are loaded once for all of them, or a vector at a time for each.
    let width = method.kind == .dot ? method.columns : method.columns * method.vectorWidth
    let (down, across) = (blocks(m, method.rows), blocks(n, width))
    let (rows, columns) = (Double(method.rows), Double(method.columns))
    let terms = Double(k)
    let perTerm = max(rows * columns, Self.load * (rows + columns))
    items = down * across
    // A is gone through anew for each column of blocks.
    if !product.goesAcross, m * k > Cache.floats { bytes += 4 * Double(m * k) * (across - 1) }
    switch method.kind {
    case .rows:
      vectors = Self.inPlace * down * across * terms * perTerm
      let b = Walk(steps: k, stride: n, of: k * n)
      let a = product.transposesA ? Walk(steps: k, stride: m, of: k * m) : nil
      let knowsPages = b.pages + (a?.pages ?? 0) <= Cache.pages
      vectors += Self.farLine * b.farLines(knowsPages, first: across, all: down * across)
      vectors += Self.farLine * (a?.farLines(knowsPages, first: down, all: down * across) ?? 0)
    case .dot:
      vectors =
        down * across * rows * columns * (blocks(k, method.vectorWidth) + Self.laneSum)
    case .packed:
      vectors = down * across * terms * perTerm
      let copied = Double(m * k) / Double(product.sharesA ? product.batch : 1) + Double(n * k)
      vectors += Self.packedElement * copied + 2 * Self.launch / Double(product.batch)
    case .thin:
      let length = blocks(method.isTransposed ? m : n, method.vectorWidth)
      vectors = rows * length * terms * Self.sumInCache
      items = blocks(method.isTransposed ? m : n, width)
      bytes = product.leastBytes + Self.rowStart * terms * items
      isMuch = true
    case .library, .tile, .tensor: preconditionFailure("no way of wide cores")
    }
  }

  func groups(of size: Int) -> Double { isMuch ? items : (items / Double(size)).rounded(.up) }

  /// Reading a matrix of rows of `stride` floats downwards, a few neighbours of each row.
  private struct Walk {
    let steps: Int
    let stride: Int
    let of: Int

    var pages: Int { steps * min(stride, Cache.pageFloats) / Cache.pageFloats }

    /// Whether the lines of a walk find place beside each other: strides of powers of two fall into few
    /// sets.
    private var linesStay: Bool {
      guard stride % Cache.lineFloats == 0 else { return true }
      var (a, b) = (stride / Cache.lineFloats, Cache.sets)
      while b > 0 { (a, b) = (b, a % b) }
      return steps <= Cache.sets / a * Cache.ways
    }

    /// The lines that come from afar, where the same are read in `first` of `all` walks for the first time.
    func farLines(_ knowsPages: Bool, first: Double, all: Double) -> Double {
      if !knowsPages || !linesStay { return all * Double(steps) }
      // What is read ahead ends with a page.
      return of > Cache.floats && 2 * stride > Cache.pageFloats ? first * Double(steps) : 0
    }
  }
}
