import TernCore
import TernRuntime

/// A tile of a matrix product that a work-group computes on tensor cores; see `matmul/tensor_tile.cl`.
struct TensorTile: Hashable, Sendable {
  let precision: Precision
  let isEmulated: Bool
  let rows: Int
  let columns: Int
  /// Of the tile, what one warp computes.
  private let warpRows: Int
  private let warpColumns = 32

  /// The terms of a product that are multiplied at a time; the kernels' DEPTH.
  static let depth = 16

  /// The tiles that a device has room for, large ones first: they read operands less often. None where
  /// it multiplies in float32.
  ///
  /// - Parameter type: what operands are stored in: float32 that TF32 is made of, or bfloat16.
  static func all(_ type: DataType, on device: OpenCLDevice) -> [TensorTile] {
    guard device.multipliesOnTensorCores, type == device.tensorCoreType else { return [] }
    return [(128, 128, 64), (128, 64, 64), (64, 64, 32)].map {
      TensorTile(
        precision: device.precision, isEmulated: device.tensorCores == .emulated, rows: $0.0,
        columns: $0.1, warpRows: $0.2)
    }.filter {
      $0.localByteCount < device.limits.localByteCount && $0.groupSize <= device.limits.groupSize
    }
  }

  /// The same, in the order in which they suit a product of so many rows and columns, `count` times.
  static func all(
    forRows m: Int, columns n: Int, count: Int, _ type: DataType, on device: OpenCLDevice
  ) -> [TensorTile] {
    let all = all(type, on: device)
    // A large tile is no gain where it leaves compute units idle, or most of it is beyond the edge.
    let suited = all.first {
      $0.waste(m, n) <= 1.25 && count * $0.count(m, n) >= 2 * device.multiprocessors
    }
    let first = suited ?? all.min { $0.waste(m, n) < $1.waste(m, n) }
    return (first.map { [$0] } ?? []) + all.filter { $0 != first }
  }

  /// The work-items of a group.
  var groupSize: Int { 32 * (rows / warpRows) * (columns / warpColumns) }

  var name: String { "\(precision.rawValue) \(rows)x\(columns)" }

  /// The tiles of an m × n matrix.
  func count(_ m: Int, _ n: Int) -> Int {
    (m + rows - 1) / rows * ((n + columns - 1) / columns)
  }

  /// The multiplications and additions done for one that was asked for.
  func waste(_ m: Int, _ n: Int) -> Double {
    Double(count(m, n) * rows * columns) / Double(m * n)
  }

  /// The most local memory that a kernel takes: both operands' tiles in two stages, and what the
  /// emulation has beside them.
  private var localByteCount: Int {
    let (pitch, step) = precision == .tf32 ? (Self.depth + 4, 8) : (Self.depth + 8, 16)
    return 4 * (2 * (rows + columns) * pitch + (isEmulated ? groupSize / 32 * 24 * step : 0))
  }

  /// What the kernels are specialised by.
  var defines: [String: Int] {
    [
      "PRECISION": precision == .tf32 ? 1 : 2, "EMULATED": isEmulated ? 1 : 0, "TILE_ROWS": rows,
      "TILE_COLUMNS": columns, "WARP_ROWS": warpRows, "WARP_COLUMNS": warpColumns,
    ]
  }

  /// What a multiplication and addition costs, in those of the device's float32 kernels: tensor cores
  /// do at least four times as many, but reading the operands does not become faster.
  static let cost = 0.3
}
