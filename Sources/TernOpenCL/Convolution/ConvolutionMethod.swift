import TernCore
import TernGraph
import TernRuntime

/// A way to compute one pass of a convolution, with the parameters of its kernels chosen.
protocol ConvolutionMethod: Sendable {
  static var algorithm: ConvolutionAlgorithm { get }

  /// The ways this algorithm can compute a problem, the one to take untuned in front; none where it
  /// cannot.
  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self]

  /// The kernels' parameters, such as `8x2`; what tells candidates apart.
  var parameters: String { get }

  /// Scratch memory, in bytes.
  var workspaceByteCount: Int { get }

  /// The arithmetic that the pass costs, and what it moves; see ``ConvolutionCost``.
  var cost: ConvolutionCost { get }

  /// Whether the kernels take the epilogue along.
  var finishes: Bool { get }

  /// Whether the kernels of the weight's gradient give that of a bias as well.
  var sumsGradient: Bool { get }

  /// Appends the launches.
  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws
}

extension ConvolutionMethod {
  var finishes: Bool { false }
  var sumsGradient: Bool { false }

  /// What runs, as profiles, benchmarks and the tuner name it: `winograd 4x4`.
  var name: String {
    parameters.isEmpty ? Self.algorithm.rawValue : "\(Self.algorithm.rawValue) \(parameters)"
  }
}

/// What a pass costs, as far as that is known without running it.
struct ConvolutionCost {
  /// Multiplications and additions, counted at the speed of the device's best kernels.
  var flops: Double
  /// Bytes to and from memory, copies included.
  var bytes: Double

  /// The cost in operations: how many of them a device does while it moves a byte is its balance.
  func operations(_ architecture: Architecture) -> Double {
    flops + architecture.operationsPerByte * bytes
  }
}

extension ConvolutionProblem {
  private static let methods: [any ConvolutionMethod.Type] = [
    PointwiseConvolution.self, DepthwiseConvolution.self, DirectConvolution.self,
    WinogradConvolution.self, TileWinograd.self, TensorConvolution.self, TileConvolution.self,
    TileConvolutionWeight.self, PanelConvolution.self,
    Im2colConvolution.self,
  ]

  /// Every way a device has for the problem, but those that turned out not to fit. Never empty: sums
  /// over the window take any shape and no more than a work-item at a time.
  func candidates(on device: OpenCLDevice) -> [any ConvolutionMethod] {
    func candidates<Method: ConvolutionMethod>(_: Method.Type) -> [any ConvolutionMethod] {
      Method.candidates(for: self, on: device)
    }
    let (all, description) = (Self.methods.flatMap { candidates($0) }, description)
    let fitting = all.filter { device.candidates.fits($0.name, description) }
    // Scratch memory is one buffer.
    let small = fitting.filter { $0.workspaceByteCount <= device.limits.allocationByteCount }
    return small.isEmpty ? fitting : small
  }

  /// Appends the launches of the way that the device computes the problem.
  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let device = encoder.device
    let method = method(on: device)
    encoder.implementation = method.name
    try encoder.choosing(
      method.name, of: description, isOnly: candidates(on: device).count == 1
    ) {
      var operands = operands
      let bias = operands.bias
      // A kernel that knows nothing of a bias's gradient would add it as a bias.
      if pass == .backwardWeight, !method.sumsGradient { operands.bias = nil }
      try method.encode(operands, encoder)
      if pass == .backwardWeight {
        guard sumsGradient, !method.sumsGradient, let bias else { return }
        try Self.biasSum.encode([operands.output], [bias], in: encoder)
      } else if !method.finishes {
        try encoder.finish(
          pass == .forward ? operands.output : operands.input, operands.epilogue)
      }
    }
  }

  private static let biasSum = Operations.Reduce(.sum, axes: [0, 2, 3], keepsAxes: false)

  /// The scratch memory of the pass, in bytes.
  func workspaceByteCount(on device: OpenCLDevice) -> Int {
    let method = method(on: device)
    guard sumsGradient, !method.sumsGradient else { return method.workspaceByteCount }
    // The gradient is summed after the weight's, in the same memory.
    return max(
      method.workspaceByteCount,
      Self.biasSum.workspaceByteCount(
        inputs: [TensorType(geometry.outputShape)], outputs: [TensorType([geometry.outChannels])],
        on: device))
  }

  /// The ways to choose among: those of the algorithm that the user asked for, where the device has it.
  private func methods(on device: OpenCLDevice) -> [any ConvolutionMethod] {
    let all = candidates(on: device)
    let wanted = device.options.algorithm.map { algorithm in
      all.filter { type(of: $0).algorithm == algorithm }
    }
    return wanted.flatMap { $0.isEmpty ? nil : $0 } ?? all
  }

  private func candidateProblem(
    _ methods: [any ConvolutionMethod], _ architecture: Architecture
  ) -> CandidateProblem {
    func cost(_ method: any ConvolutionMethod) -> Double { method.cost.operations(architecture) }
    // The first candidate of a method stands for it; an algorithm may have several methods.
    var kinds: Set<ObjectIdentifier> = []
    let firsts = methods.filter { kinds.insert(ObjectIdentifier(type(of: $0))).inserted }
    return CandidateProblem(
      description,
      methods.map {
        Candidate($0.name, cost: cost($0), workspaceByteCount: $0.workspaceByteCount)
      }, untuned: firsts.min { cost($0) < cost($1) }!.name)
  }

  func candidateProblem(on device: OpenCLDevice) -> CandidateProblem {
    candidateProblem(methods(on: device), device.architecture)
  }

  /// The way the device computes the problem.
  func method(on device: OpenCLDevice) -> any ConvolutionMethod {
    let methods = methods(on: device)
    let choice = device.candidates.choice(of: candidateProblem(methods, device.architecture))
    return methods.first { $0.name == choice.name }!
  }
}
