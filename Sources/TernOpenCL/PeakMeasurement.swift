import COpenCL
import TernCore
import TernRuntime

extension OpenCLDevice {
  /// Chains of multiply-adds in registers, and STREAM's triad; each in the best of several widths.
  public func measurePeak() throws -> DevicePeak {
    let widths = [16, 8, 4, 1]
    return DevicePeak(
      gflops: try widths.map(measureMultiplyAdds).max()!,
      gbs: try measureTriad(widths: widths))
  }

  private func run(_ encoder: StepEncoder, repetitions: Int) throws -> Double {
    try DevicePeak.shortest(of: repetitions) {
      for launch in encoder.launches { try launch.enqueue(computeQueue.handle) }
      try synchronize()
    }
  }

  private func measureMultiplyAdds(width: Int) throws -> Double {
    // Twelve chains of the widest vectors fill the registers of a processor, 16 floats suffice a GPU.
    let chains = architecture == .manyThreads ? max(2, 16 / width) : 12
    let (groups, groupSize) =
      architecture == .manyThreads
      ? (32 * info.computeUnits, 256) : (4 * info.computeUnits, 1)
    let output = try OpenCLBuffer(context, byteCount: 4)
    let view = View(memory: output.handle, offset: 0, type: TensorType([1]))
    func seconds(rounds: Int, repetitions: Int) throws -> Double {
      let encoder = StepEncoder(device: self, workspace: nil)
      try encoder.launch(
        "multiply_add", in: "benchmark/peak", groups: [groups], localSize: [groupSize],
        [.tensor(view), .int(rounds), .float(0.5), .float(1)],
        defines: ["V": width, "CHAINS": chains])
      return try withExtendedLifetime(output) { try run(encoder, repetitions: repetitions) }
    }
    // As many rounds as take long enough to be timed.
    var rounds = 256
    while try seconds(rounds: rounds, repetitions: 1) < 0.01, rounds < 1 << 24 { rounds *= 4 }
    let flops = 2.0 * Double(width * chains * rounds) * Double(groups * groupSize)
    return flops / (try seconds(rounds: rounds, repetitions: 5)) / 1e9
  }

  private func measureTriad(widths: [Int]) throws -> Double {
    // 128 MiB each: more than caches hold; less where the device has little memory.
    let count = min(32 << 20, maximumAllocationByteCount / 16) / 1024 * 1024
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
    let rates = try widths.map { width in
      let encoder = StepEncoder(device: self, workspace: nil)
      try encoder.map(
        "triad", in: "benchmark/peak", count: count / width, groupSize: 256,
        [.tensor(views[0]), .tensor(views[1]), .tensor(views[2]), .float(3), .int(count)],
        defines: ["V": width])
      return 12 * Double(count) / (try run(encoder, repetitions: 5)) / 1e9
    }
    return withExtendedLifetime(buffers) { rates.max()! }
  }
}
