import TernCore
import TernGraph
import TernRuntime

extension CPUDevice {
  /// A large matrix product by oneDNN, of what the device multiplies, and STREAM's triad over all threads.
  func measurePeak() throws -> DevicePeak {
    try context.threads.activate()
    return DevicePeak(gflops: try measureProduct(), gbs: try measureTriad())
  }

  private func measureProduct() throws -> Double {
    // Large enough for all threads, and no larger: a short run is more likely to have the processor
    // for itself.
    let n = 256 * Int(Double(context.threads.count).squareRoot().rounded(.up))
    let matrix = Operand(
      TensorType([n, n], storesAllByAutocast ? .float32 : autocastType ?? .float32))
    let product = try Operations.MatMul().lower(
      Signature(inputs: [matrix, matrix], outputs: [matrix]), context)
    let buffers = try (0..<3).map { _ in
      try CPUBuffer(byteCount: matrix.type.byteCount, isZero: true)
    }
    let workspace = try CPUBuffer(byteCount: product.workspaceByteCount)
    let step = try product.bind(
      Addresses(
        inputs: [buffers[0].address, buffers[1].address], outputs: [buffers[2].address],
        workspace: workspace.address))
    let seconds = try withExtendedLifetime((buffers, workspace)) {
      try StepTimer.shortest(seconds: DevicePeak.measuringSeconds) { try step() }
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
