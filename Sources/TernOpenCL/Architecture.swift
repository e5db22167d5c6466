import COpenCL

/// How a device wants its work cut. Drivers report any vendor for a CPU, so the device's type decides.
package enum Architecture: Hashable, Sendable {
  /// Few cores with wide vectors: a work-item does much, with vectors of its own.
  case wideCores(vectorWidth: Int)
  /// Thousands of threads: a work-item does little, and its neighbours do what lies beside it.
  case manyThreads

  /// The architecture of a device by its type.
  init(_ device: CLDevice) {
    self =
      device.isCPU && !device.isGPU
      ? .wideCores(vectorWidth: device.nativeVectorWidth) : .manyThreads
  }

  /// The floats of a vector register in kernels that work on blocks.
  var vectorWidth: Int {
    switch self {
    case .wideCores(let width): width
    case .manyThreads: 1
    }
  }

  /// The floats a work-item handles at once where every element is computed alike.
  var elementwiseWidth: Int {
    switch self {
    case .wideCores(let width): width
    case .manyThreads: 4
    }
  }

  /// The widest vectors that are not longer than `extent`.
  func vectorWidth(upTo extent: Int) -> Int {
    [16, 8, 4].first { $0 <= min(vectorWidth, extent) } ?? 1
  }

  /// The accumulators of a block that fit the registers, its operands beside them. Processors with
  /// 512-bit vectors have 32 registers, others 16.
  var accumulators: Int { vectorWidth == 16 ? 24 : 12 }

  /// Multiplications and additions that take as long as moving a byte, about.
  var operationsPerByte: Double {
    switch self {
    case .wideCores: 8
    case .manyThreads: 15
    }
  }

  /// Multiplications and additions that take as long as a launch more, about: of a GPU 5 µs at 20·10¹² a second, of
  /// a processor 10 µs at 10¹¹.
  var operationsPerLaunch: Double {
    switch self {
    case .wideCores: 1e6
    case .manyThreads: 1e8
    }
  }

  /// How many times the least estimate a way may cost by its own for the tuner to try it.
  /// Compilers for processors take seconds for what is then an order of magnitude slower.
  var tuningMargin: Double {
    switch self {
    case .wideCores: 4
    case .manyThreads: 16
    }
  }

  /// What CLBlast's matrix products cost, in operations of the device's best kernels.
  var libraryProductCost: Double {
    switch self {
    case .wideCores: 5
    // Its kernels for unknown devices sum 4 × 2 products where ours sum 8 × 8.
    case .manyThreads: 3.5
    }
  }

  /// What sums over windows cost, in operations of the device's best kernels: a vector of wide cores
  /// meets many taps, a thread loads both factors of each product.
  ///
  /// - Parameter isShort: whether a vector that was loaded has little to do, or ends in a sum over lanes.
  func windowSumCost(isShort: Bool) -> Double {
    switch self {
    case .wideCores: isShort ? 3 : 1.4
    case .manyThreads: isShort ? 10 : 4
    }
  }

  /// The tile of a matrix that is transposed at once: by one work-item in registers, or by a
  /// work-group in local memory.
  var transposedTile: (side: Int, items: Int, groupSize: Int) {
    switch self {
    case .wideCores(let width): (width, 1, 16)
    case .manyThreads: (32, 256, 256)
    }
  }

  /// The work-items that share a row.
  var rowGroup: Int {
    switch self {
    case .wideCores: 1
    case .manyThreads: 128
    }
  }

  /// The work-items of a group where each does much.
  var blockGroup: Int {
    switch self {
    case .wideCores: 4
    case .manyThreads: 64
    }
  }

  /// The work-items that keep the device busy.
  func busyItemCount(multiprocessors: Int) -> Int {
    switch self {
    case .wideCores: 16 * multiprocessors
    case .manyThreads: 512 * multiprocessors
    }
  }

  /// The block of accumulators, rows × columns, that covers an area of results at the least cost: a
  /// multiplication for each accumulator, a load for each row and column, and two of either at once.
  func cheapestBlock(
    covering rows: Int, _ columns: Int, atMost maximumRows: Int, _ maximumColumns: Int
  ) -> (rows: Int, columns: Int) {
    var best = (cost: Int.max, rows: 1, columns: 1)
    for height in 1...min(rows, maximumRows, accumulators) {
      for width in 1...min(columns, maximumColumns, accumulators / height) {
        let blocks = (rows + height - 1) / height * ((columns + width - 1) / width)
        // Two more for the loop around them.
        let cost = blocks * (max(height * width, height + width) + 2)
        if cost < best.cost { best = (cost, height, width) }
      }
    }
    return (best.rows, best.columns)
  }
}
