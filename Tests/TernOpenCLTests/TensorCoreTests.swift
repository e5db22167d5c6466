import Foundation
import TernCore
import TernGraph
import TernOpenCL
import TernRuntime
import Testing

extension Precision {
  /// A float32 as tensor cores take it: ties away from zero in TF32, to even in BF16.
  func rounded(_ x: Float) -> Float {
    switch self {
    case .fp32: x
    case .tf32: Float(bitPattern: (x.bitPattern + 0x1000) & 0xFFFF_E000)
    case .bf16:
      Float(bitPattern: (x.bitPattern + 0x7FFF + (x.bitPattern >> 16 & 1)) & 0xFFFF_0000)
    case .fp16: HalfPrecision.float(HalfPrecision.bits(x))
    }
  }
}

@Suite struct TensorCoreProbeTests {
  private func probe(_ vendor: String, _ major: Int, _ minor: Int) -> TensorCores {
    TensorCores(
      vendor: vendor, extensions: "cl_khr_icd cl_nv_device_attribute_query cl_khr_fp64"
    ) { (major, minor) }
  }

  @Test func ampereAndLaterHaveThem() {
    for (major, minor) in [(8, 0), (8, 9), (12, 0)] {
      #expect(probe("NVIDIA Corporation", major, minor) == .nvidia)
    }
  }

  @Test func earlierOnesAndOtherVendorsHaveNone() {
    #expect(
      probe("NVIDIA Corporation", 7, 5)
        == .none(reason: "its compute capability is 7.5, 8.0 is needed"))
    #expect(
      probe("Advanced Micro Devices, Inc.", 9, 0) == .none(reason: "its driver is not NVIDIA's"))
  }

  @Test func capabilityIsAskedForOnlyWhereTheDriverKnowsTheQuestion() {
    let cores = TensorCores(
      vendor: "NVIDIA Corporation", extensions: "cl_nv_device_attribute_query_2 cl_khr_icd"
    ) {
      Issue.record("asked")
      return (8, 0)
    }
    #expect(cores == .none(reason: "its driver is not NVIDIA's"))
  }
}

/// The kernels with the functions of `matmul/tensor_core.cl` emulated.
@Suite(.enabled(if: openCLDevice != nil)) struct TensorCoreTests {
  struct Product: Sendable {
    var batch = 1
    let m: Int
    let n: Int
    let k: Int
    var transposesA = false
    var transposesB = false
  }

  // Aligned rows and not, more tiles than one either way, fewer terms than an instruction has.
  static let products = [
    Product(batch: 3, m: 37, n: 29, k: 53),
    Product(m: 68, n: 132, k: 40),
    Product(m: 131, n: 67, k: 20, transposesA: true),
    Product(batch: 2, m: 72, n: 40, k: 36, transposesB: true),
    Product(m: 33, n: 65, k: 17, transposesA: true, transposesB: true),
    Product(m: 1, n: 1, k: 3),
  ]

  @Test(arguments: [Precision.tf32, .bf16]) func operandsAreRoundedAndSumsAreNot(
    _ precision: Precision
  ) throws {
    let device = try open(DeviceOptions(precision: precision), "emulated-tensor-cores")
    for product in Self.products { try check(product, precision, on: device) }
  }

  /// What operands are stored in: numbers of 16 bits where those are multiplied.
  private func type(_ shape: Shape, _ precision: Precision) -> TensorType {
    TensorType(shape, precision == .bf16 ? .bfloat16 : .float32)
  }

  private func check(_ p: Product, _ precision: Precision, on device: OpenCLDevice) throws {
    let generator = Philox(seed: 3, stream: .data)
    let a = generator.normals(p.batch * p.m * p.k, 0)
    let b = generator.normals(p.batch * p.k * p.n, 1)
    let builder = GraphBuilder()
    let x = try builder.input(
      "a", type(p.transposesA ? [p.batch, p.k, p.m] : [p.batch, p.m, p.k], precision))
    let y = try builder.input(
      "b", type(p.transposesB ? [p.batch, p.n, p.k] : [p.batch, p.k, p.n], precision))
    let z = try builder.apply(
      Operations.MatMul(
        transposesA: p.transposesA, transposesB: p.transposesB, result: .float32), [x, y])[0]
    builder.output("c", z)
    let executable = try Session(device: device).compile(builder.graph)
    let result = try executable.run([
      "a": HostTensor(x.shape, a).cast(to: x.type.dataType),
      "b": HostTensor(y.shape, b).cast(to: y.type.dataType),
    ])
    #expect(executable.bound.implementations.allSatisfy { $0.hasPrefix(precision.rawValue) })

    let (left, right) = (a.map(precision.rounded), b.map(precision.rounded))
    var largest = 0.0
    var expected: [Double] = []
    for matrix in 0..<p.batch {
      for i in 0..<p.m {
        for j in 0..<p.n {
          var sum = 0.0
          for q in 0..<p.k {
            let at = matrix * p.m * p.k + (p.transposesA ? q * p.m + i : i * p.k + q)
            let other = matrix * p.k * p.n + (p.transposesB ? j * p.k + q : q * p.n + j)
            sum += Double(left[at]) * Double(right[other])
          }
          expected.append(sum)
          largest = max(largest, abs(sum))
        }
      }
    }
    let floats = try #require(result["c"]).floats
    try #require(floats.count == expected.count)
    let error = zip(floats, expected).map { abs(Double($0) - $1) }.max()!
    #expect(error <= 2e-6 * largest, "\(p)")
  }

  @Test(arguments: [Precision.tf32, .bf16]) func everyTileComputesTheSame(
    _ precision: Precision
  ) throws {
    try withTemporaryCache { cache in
      let device = try open(
        DeviceOptions(precision: precision), "emulated-tensor-cores", cache: cache)
      let builder = GraphBuilder()
      let x = try builder.input("x", type([140, 36], precision))
      let w = try builder.input("w", type([133, 36], precision))
      let b = try builder.input("b", [133])
      let linear = try x.linear(weight: w, bias: b)
      builder.output("y", linear)
      let generator = Philox(seed: 5, stream: .data)
      let inputs = [
        "x": HostTensor(x.shape, generator.normals(140 * 36, 0)).cast(to: x.type.dataType),
        "w": HostTensor(w.shape, generator.normals(133 * 36, 1)).cast(to: w.type.dataType),
        "b": HostTensor(b.shape, generator.normals(133, 2)),
      ]
      let problem = try #require(
        try device.candidateProblem(
          of: builder.graph.nodes[0].operation, inputs: [x.type, w.type, b.type]))
      let tiles = problem.candidates.map(\.name).filter { $0.hasPrefix(precision.rawValue) }
      #expect(tiles.count == 3)
      let results = try tiles.map { tile in
        device.candidates.tuning.force(problem.description, tile)
        let executable = try Session(device: device).compile(builder.graph)
        #expect(executable.bound.implementations == [tile])
        return try executable.run(inputs)
      }
      // Terms are summed in the same order, whatever the tile.
      for result in results.dropFirst() { #expect(result == results[0]) }
    }
  }

  @Test(arguments: [Precision.tf32, .bf16]) func convolutionsAgreeWithTheReference(
    _ precision: Precision
  ) throws {
    // Operands that rounding leaves as they are: the reference multiplies the same numbers.
    let cases: [(ConvolutionAlgorithm, ConvolutionExperiment, passes: Int)] = [
      (
        .gemm,
        try ConvolutionExperiment(
          [2, 20, 9, 7], weight: [33, 20, 1, 1], stride: [2, 1], rounding: precision.rounded), 2
      ),
      (
        .implicitGEMM,
        try ConvolutionExperiment(
          [3, 6, 9, 11], weight: [20, 6, 3, 2], stride: [2, 1], padding: [1, 1],
          rounding: precision.rounded), 3
      ),
      (
        .implicitGEMM,
        try ConvolutionExperiment(
          [2, 8, 7, 7], weight: [12, 4, 3, 3], padding: [2, 0], dilation: [2, 1], groups: 2,
          rounding: precision.rounded), 3
      ),
    ]
    for (algorithm, experiment, passes) in cases {
      try withTemporaryCache { cache in
        let device = try open(
          DeviceOptions(algorithm: algorithm, precision: precision), "emulated-tensor-cores",
          cache: cache)
        let prefix = "\(algorithm.rawValue) \(precision.rawValue)"
        // Costs would take a processor's own kernels where its vectors are short.
        let graph = try Session(device: device).plan(experiment.graph).graph
        for node in graph.nodes {
          let problem = try device.candidateProblem(
            of: node.operation, inputs: graph.types(node.inputs))
          let tile = problem?.candidates.first { $0.name.hasPrefix(prefix) }
          if let problem, let tile {
            device.candidates.tuning.force(problem.description, tile.name)
          }
        }
        // In bf16 the results are rounded, too.
        #expect(try experiment.error(on: device) <= (precision == .bf16 ? 0x1p-8 : 2e-5))
        let tensor = try experiment.implementations(on: device).filter { $0.hasPrefix(prefix) }
        #expect(tensor.count == passes)
        #expect(try experiment.run(on: device) == experiment.run(on: device))
      }
    }
  }

  @Test func withoutThePrecisionNothingIsRounded() throws {
    let device = try open(DeviceOptions(), "emulated-tensor-cores")
    let experiment = try ConvolutionExperiment([2, 8, 6, 6], weight: [12, 8, 1, 1])
    #expect(try experiment.error(on: device) <= 2e-6)
    #expect(
      try !experiment.implementations(on: device).contains {
        $0.contains("tf32") || $0.contains("bf16")
      })
  }

  @Test func aDeviceWithoutThemSaysSo() throws {
    let info = try #require(openCLDevice)
    guard info.name.contains("pthread") || info.name.contains("cpu") else { return }
    #expect {
      try open(DeviceOptions(precision: .tf32))
    } throws: { error in
      let error = error as? TernError
      return error?.kind == .deviceUnavailable && error?.message.contains("tf32") == true
    }
  }
}
