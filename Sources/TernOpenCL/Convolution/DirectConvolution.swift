import TernGraph
import TernRuntime

/// A convolution that sums over its window: where threads are many on its tensors as they are, see
/// `convolution/direct_threads.cl` and `direct_weight_threads.cl`; else on planes copied so that vectors of
/// neighbours meet each tap, see `convolution/planes.cl` and `planes_backward_weight.cl`.
struct DirectConvolution: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.direct

  private enum Planes {
    case sums(PlaneConvolution)
    case weights(PlaneConvolutionBackwardWeight)
    case columns(ColumnConvolution)
    case columnWeights(ColumnConvolutionWeight)
  }

  private let problem: ConvolutionProblem
  private let planes: Planes
  let parameters: String
  let workspaceByteCount: Int
  private let architecture: Architecture

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    switch problem.pass {
    case .forward, .backwardInput:
      if device.architecture == .manyThreads, let convolution = ColumnConvolution(problem) {
        return [
          Self(
            problem: problem, planes: .columns(convolution), parameters: "", workspaceByteCount: 0,
            architecture: device.architecture)
        ]
      }
      let convolution =
        problem.pass == .forward
        ? PlaneConvolution(forward: problem.geometry)
        : PlaneConvolution(backwardInput: problem.geometry)
      return [
        Self(
          problem: problem, planes: .sums(convolution), parameters: "",
          workspaceByteCount: convolution.workspaceByteCount(on: device),
          architecture: device.architecture)
      ]
    case .backwardWeight:
      if let convolution = ColumnConvolutionWeight(problem, on: device) {
        return [
          Self(
            problem: problem, planes: .columnWeights(convolution), parameters: "",
            workspaceByteCount: convolution.workspaceByteCount,
            architecture: device.architecture)
        ]
      }
      let convolution = PlaneConvolutionBackwardWeight(problem.geometry, on: device)
      return [
        Self(
          problem: problem, planes: .weights(convolution), parameters: "",
          workspaceByteCount: convolution.workspaceByteCount,
          architecture: device.architecture)
      ]
    }
  }

  var cost: ConvolutionCost {
    // One tap gives a loaded vector little to do; sums over positions end with a sum over lanes.
    let factor = architecture.windowSumCost(
      isShort: problem.pass == .backwardWeight || problem.taps == 1)
    return ConvolutionCost(
      flops: factor * Double(problem.geometry.flops), bytes: Double(workspaceByteCount) * 2)
  }

  var finishes: Bool { if case .columns = planes { true } else { false } }

  var sumsGradient: Bool { if case .columnWeights = planes { true } else { false } }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    switch (planes, problem.pass) {
    case (.columns(let convolution), _): try convolution.encode(operands, encoder)
    case (.columnWeights(let convolution), _): try convolution.encode(operands, encoder)
    case (.weights(let convolution), _):
      try convolution.encode(operands.input, operands.output, into: operands.weight, encoder)
    case (.sums(let convolution), .forward):
      try convolution.encode(
        operands.input, weight: operands.weight, bias: operands.bias, into: operands.output,
        encoder)
    case (.sums(let convolution), _):
      try convolution.encode(
        operands.output, weight: operands.weight, bias: nil, into: operands.input, encoder)
    }
  }
}
