import COpenCL
import TernCore
import TernRuntime

extension OpenCLDevice {
  /// Chains of multiply-adds in registers, and STREAM's triad; each in the best of several widths.
  package func measurePeak() throws -> DevicePeak {
    DevicePeak(gflops: try measureMultiplyAdds(), gbs: try measureTriad())
  }

  private static let widths = [16, 8, 4, 1]

  /// The best rate of several kernels: each is tried, the fastest of them measured.
  private func best(
    _ kernels: [(encoder: StepEncoder, amount: Double)]
  ) throws -> Double {
    func rate(_ kernel: (encoder: StepEncoder, amount: Double), seconds: Double) throws -> Double {
      kernel.amount / (try shortest(kernel.encoder, of: 3, seconds: seconds))
    }
    let rates = try kernels.map { try rate($0, seconds: 0) }
    let fastest = rates.indices.max { rates[$0] < rates[$1] }!
    return max(
      rates[fastest], try rate(kernels[fastest], seconds: DevicePeak.measuringSeconds))
  }

  private func shortest(
    _ encoder: StepEncoder, of repetitions: Int, seconds: Double = 0
  ) throws -> Double {
    let launches = try encoder.finish()
    return try StepTimer.shortest(of: repetitions, seconds: seconds) {
      for launch in launches { try launch.enqueue(computeQueue.handle) }
      try synchronize()
    }
  }

  private func measureMultiplyAdds() throws -> Double {
    let (groups, groupSize) =
      architecture == .manyThreads
      ? (32 * info.computeUnits, limits.group(upTo: 256)) : (4 * info.computeUnits, 1)
    let output = try OpenCLBuffer(context, byteCount: 4)
    let view = View(memory: output.handle, offset: 0, type: TensorType([1]))
    return try withExtendedLifetime(output) {
      try best(
        Self.widths.map { width in
          // Twelve chains of the widest vectors fill the registers of a processor, 16 floats suffice
          // a GPU.
          let chains = architecture == .manyThreads ? max(2, 16 / width) : 12
          func encoder(rounds: Int) throws -> StepEncoder {
            let encoder = StepEncoder(device: self, workspace: nil)
            try encoder.launch(
              "multiply_add", in: "benchmark/peak", groups: [groups], localSize: [groupSize],
              [.tensor(view), .int(rounds), .float(0.5), .float(1)],
              defines: ["V": width, "CHAINS": chains])
            return encoder
          }
          // As many rounds as take long enough to be timed.
          var rounds = 256
          while try shortest(encoder(rounds: rounds), of: 1) < 0.004, rounds < 1 << 24 {
            rounds *= 4
          }
          let flops = 2.0 * Double(width * chains * rounds) * Double(groups * groupSize)
          return (try encoder(rounds: rounds), flops / 1e9)
        })
    }
  }

  private func measureTriad() throws -> Double {
    // Less where the device has little memory.
    let count = min(
      DevicePeak.triadElementCount(
        beyond: info.cacheByteCount, atLeast: usesHostMemory ? 32 << 20 : 128 << 20),
      maximumAllocationByteCount / 16 / 1024 * 1024)
    let buffers = try (0..<3).map { _ in try OpenCLBuffer(context, byteCount: 4 * count) }
    let views = buffers.map {
      View(memory: $0.handle, offset: 0, type: TensorType([count]))
    }
    for buffer in buffers {
      var zero: Float = 0
      try check(
        clEnqueueFillBuffer(
          computeQueue.handle, buffer.handle, &zero, 4, 0, 4 * count, 0, nil, nil),
        "clEnqueueFillBuffer")
    }
    return try withExtendedLifetime(buffers) {
      try best(
        Self.widths.map { width in
          let encoder = StepEncoder(device: self, workspace: nil)
          try encoder.map(
            "triad", in: "benchmark/peak", count: count / width, groupSize: 256,
            [.tensor(views[0]), .tensor(views[1]), .tensor(views[2]), .float(3), .int(count)],
            defines: ["V": width])
          return (encoder, 12 * Double(count) / 1e9)
        })
    }
  }
}
