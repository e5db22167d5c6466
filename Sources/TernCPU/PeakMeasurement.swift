import TernRuntime

extension CPUDevice {
  /// A large matrix product by oneDNN, and STREAM's triad over all threads.
  func measurePeak() throws -> DevicePeak {
    context.threads.activate()
    return DevicePeak(gflops: try measureProduct(), gbs: try measureTriad())
  }

  private func measureProduct() throws -> Double {
    // Large enough for all threads, and no larger: a short run is more likely to have the processor
    // for itself.
    let n = 256 * Int(Double(context.threads.count).squareRoot().rounded(.up))
    let buffers = try (0..<3).map { _ in try CPUBuffer(byteCount: 4 * n * n) }
    let matrices = buffers.map { $0.address.bindMemory(to: Float.self, capacity: n * n) }
    for matrix in matrices { matrix.initialize(repeating: 1, count: n * n) }
    let seconds = withExtendedLifetime(buffers) {
      StepTimer.shortest(seconds: DevicePeak.measuringSeconds) {
        multiply(
          MatrixView(matrices[0], stride: n), MatrixView(matrices[1], stride: n), m: n, n: n, k: n,
          into: matrices[2], stride: n)
      }
    }
    return 2 * Double(n) * Double(n) * Double(n) / seconds / 1e9
  }

  private func measureTriad() throws -> Double {
    let count = DevicePeak.triadElementCount(beyond: info.cacheByteCount)
    let buffers = try (0..<3).map { _ in try CPUBuffer(byteCount: 4 * count) }
    let arrays = buffers.map { $0.address.bindMemory(to: Float.self, capacity: count) }
    let (a, b, y) = (UnsafePointer(arrays[0]), UnsafePointer(arrays[1]), arrays[2])
    // Touched by the threads that use them.
    let fill = context.threads.elementwise(count) { range in
      for array in arrays {
        (array + range.lowerBound).initialize(repeating: 1, count: range.count)
      }
    }
    let triad = context.threads.elementwise(count) { range in
      transform(range, a, b, to: y) { $0 + 3 * $1 }
    }
    return try withExtendedLifetime(buffers) {
      try fill()
      let seconds = try StepTimer.shortest(seconds: DevicePeak.measuringSeconds) { try triad() }
      return 12 * Double(count) / seconds / 1e9
    }
  }
}
