import TernCore
import TernGraph
import TernRuntime

/// A convolution by a kernel of one tap, undilated and unpadded: a matrix product for each sample,
/// [O, C] × [C, H·W] forward and [C, O] × [O, H·W] backward. With a stride only the elements that
/// are read are copied together first, and the gradient of the input is spread out afterwards.
struct PointwiseConvolution: ConvolutionMethod {
  static let algorithm = ConvolutionAlgorithm.gemm

  private let problem: ConvolutionProblem
  private let product: MatrixProduct
  let parameters: String
  private let productWorkspace: Int
  private let operationsPerTerm: Double

  /// Of one channel of the output.
  private var plane: Int { problem.geometry.outHeight * problem.geometry.outWidth }
  private var isStrided: Bool {
    problem.geometry.window.strideHeight > 1 || problem.geometry.window.strideWidth > 1
  }
  /// The elements of the input that a tap reads.
  private var gatheredCount: Int { problem.geometry.batch * problem.geometry.inChannels * plane }

  static func candidates(for problem: ConvolutionProblem, on device: OpenCLDevice) -> [Self] {
    let g = problem.geometry
    guard g.kernelHeight == 1, g.kernelWidth == 1, g.groups == 1, g.window.paddingHeight == 0,
      g.window.paddingWidth == 0, problem.pass != .backwardWeight
    else { return [] }
    let plane = g.outHeight * g.outWidth
    var product =
      problem.pass == .forward
      ? MatrixProduct(
        batch: g.batch, m: g.outChannels, n: plane, k: g.inChannels, sharesA: true,
        bias: problem.hasBias ? .perRow : .none)
      : MatrixProduct(
        batch: g.batch, m: g.inChannels, n: plane, k: g.outChannels, transposesA: true,
        sharesA: true)
    product.dataType = problem.dataType
    return product.methodNames(on: device).map { [product] name in
      var product = product
      product.methodName = name
      return Self(
        problem: problem, product: product, parameters: name,
        productWorkspace: product.workspaceByteCount(on: device) / 4,
        operationsPerTerm: product.operationsPerTerm(device))
    }
  }

  var workspaceByteCount: Int { 4 * (productWorkspace + (isStrided ? gatheredCount : 0)) }

  var cost: ConvolutionCost {
    ConvolutionCost(
      flops: operationsPerTerm * Double(problem.geometry.flops),
      bytes: Double(workspaceByteCount) * 2)
  }

  func encode(_ operands: ConvolutionOperands, _ encoder: StepEncoder) throws {
    let g = problem.geometry
    guard isStrided else {
      return try encode(operands.input, operands, encoder)
    }
    let gathered = encoder.scratch(productWorkspace, count: gatheredCount)
      .stored(as: operands.input.type.dataType)
    let planes = PackedPlanes(inputOf: g)
    if problem.pass == .forward {
      try planes.encode(
        operands.input, into: gathered, count: g.batch * g.inChannels, encoder)
      try encode(gathered, operands, encoder)
    } else {
      try encode(gathered, operands, encoder)
      try planes.encodeSpreading(
        gathered, into: operands.input, count: g.batch * g.inChannels, encoder)
    }
  }

  private func encode(
    _ input: View, _ operands: ConvolutionOperands, _ encoder: StepEncoder
  ) throws {
    if problem.pass == .forward {
      try product.encode(
        operands.weight, input, bias: operands.bias, into: operands.output, encoder)
    } else {
      try product.encode(operands.weight, operands.output, into: input, encoder)
    }
  }
}
