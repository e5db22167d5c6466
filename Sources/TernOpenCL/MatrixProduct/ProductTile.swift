import COpenCL
import TernCore

/// The tile of a float32 matrix product that a work-group computes where threads are many; see
/// `matmul/tile.cl`.
struct ProductTile: Hashable, Sendable {
  let rows: Int
  let columns: Int

  /// The terms of a product that are multiplied at a time; the kernels' DEPTH.
  static let depth = 8

  static let all = [(128, 128), (64, 128), (128, 64), (64, 64), (32, 128)].map {
    ProductTile(rows: $0.0, columns: $0.1)
  }

  /// Those that a device has room for.
  static func all(on device: OpenCLDevice) -> [ProductTile] {
    all.filter {
      $0.groupSize <= device.limits.groupSize
        && $0.localByteCount <= device.limits.localByteCount
    }
  }

  /// The work-items of a group: each holds 8 × 8 sums.
  var groupSize: Int { rows * columns / 64 }

  var name: String { "\(rows)x\(columns)" }

  /// The most local memory that a kernel takes: both operands in two stages, and a table of taps.
  private var localByteCount: Int {
    16 * (2 * Self.depth * (rows / 4 + columns / 4 + 1) + columns / 2 + 1)
  }

  /// The tiles of a matrix.
  func count(_ m: Int, _ n: Int) -> Int {
    (m + rows - 1) / rows * ((n + columns - 1) / columns)
  }

  /// The multiplications and additions among all instructions: the fewer results a tile has, the more
  /// often operands are read. Counted in what compilers make of the kernels.
  private var share: Double {
    switch rows * columns {
    case 128 * 128: 0.85
    case 64 * 128: 0.82
    default: 0.79
    }
  }

  /// The work-items that keep a compute unit busy: so many of 128 registers fit into 65,536.
  private static let residentCount = 512

  /// What a product costs, in operations of a device all of whose units are busy: that of the unit
  /// which has the most tiles.
  func operations(_ m: Int, _ n: Int, terms: Int, count: Int, parts: Int, on device: OpenCLDevice)
    -> Double
  {
    let units = max(1, device.multiprocessors)
    let perUnit = (self.count(m, n) * count * parts + units - 1) / units
    // A unit that has little to do waits for memory.
    let resident = Double(min(Self.residentCount, perUnit * groupSize))
    let speed = share * (0.4 + 0.6 * resident / Double(Self.residentCount))
    let depth = Self.share(terms, parts: parts)
    return 2 * Double(perUnit * units) * Double(rows * columns) * Double(depth) / speed
  }

  /// The terms that each of so many parts sums.
  static func share(_ terms: Int, parts: Int) -> Int {
    let part = (terms + parts - 1) / parts
    return max(depth, (part + depth - 1) / depth * depth)
  }

  /// How far apart lie parts of results and of the sums of rows behind them: vectors of four start whole.
  static func apart(_ results: Int, _ rowSums: Int) -> Int {
    rowSums == 0 ? results : (results + rowSums + 3) / 4 * 4
  }

  /// What the kernels are specialised by.
  func defines(on device: OpenCLDevice) -> [String: Int] {
    ["TILE_ROWS": rows, "TILE_COLUMNS": columns, "UNROLL_D": unrolledTerms(on: device)]
  }

  /// The terms that the inner loop lays out one after the other: as many as there are registers for, by
  /// what compilers make of the kernels.
  private func unrolledTerms(on device: OpenCLDevice) -> Int {
    if device.isNVIDIA {
      return switch groupSize {
      case 256: 2
      case 128: 8
      default: 4
      }
    }
    guard device.architecture == .manyThreads && device.info.kind == .gpu else { return 1 }
    return rows == 32 ? 4 : 8
  }

  /// NVIDIA's compiler is told how many registers a work-item may take, so that enough of them run on a
  /// multiprocessor: two groups of 256. The work-items of smaller tiles load more each and would spill:
  /// with theirs, three groups of 128 or six of 64 fit.
  func options(on device: OpenCLDevice) -> String {
    device.isNVIDIA && device.hasExtension("cl_nv_compiler_options")
      ? "-cl-nv-maxrregcount=\(groupSize >= 256 ? 128 : 168)" : ""
  }
}

/// A tile, and into how many parts the terms are cut, which groups sum each for itself.
struct TileChoice: Hashable, Sendable {
  let tile: ProductTile
  var parts = 1
  /// In operations of the device's best kernels.
  var operations = 0.0

  var name: String { tile.name + (parts > 1 ? "/\(parts)" : "") }

  /// Into how many parts terms may be cut.
  private static let divisions = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
  /// The terms that a part has at least.
  private static let fewestTerms = 64

  /// What a device can do for `count` products m × terms by terms × n, the best by estimate in front: for
  /// each tile the best number of parts.
  static func all(_ m: Int, _ n: Int, terms: Int, count: Int, on device: OpenCLDevice)
    -> [TileChoice]
  {
    let choices = ProductTile.all(on: device).map { tile in
      let divided = divisions.filter {
        $0 == 1
          || terms / $0 >= fewestTerms && ($0 - 1) * ProductTile.share(terms, parts: $0) < terms
      }
      return divided.map { parts in
        // Parts are written, read and added up.
        let bytes = parts == 1 ? 0 : 8 * Double(parts * count) * Double(m * n)
        return TileChoice(
          tile: tile, parts: parts,
          operations: tile.operations(m, n, terms: terms, count: count, parts: parts, on: device)
            + device.architecture.operationsPerByte * bytes)
      }.min { $0.operations < $1.operations }!
    }
    return choices.enumerated().sorted {
      ($0.element.operations, $0.offset) < ($1.element.operations, $1.offset)
    }.map(\.element)
  }
}
