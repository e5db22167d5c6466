import TernCore
import TernGraph
import TernRuntime

extension Operations.ProductWithEpilogue: CandidateOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) throws
    -> CandidateProblem?
  {
    try (base.operation as? any CandidateOperation)?
      .candidateProblem(inputs.dropLast(addedInputCount), on: device)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) throws -> Int {
    guard let operation = base.operation as? any OpenCLOperation else { return 0 }
    return try operation.workspaceByteCount(
      inputs: inputs.dropLast(addedInputCount), outputs: outputs, on: device)
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (operands, added) = (Array(x.dropLast(addedInputCount)), x.suffix(addedInputCount))
    let epilogue = Epilogue(
      addend: addsTensor ? added.first : nil, rectifies: activation == .relu,
      mask: activation == .reluBackward ? added.last : nil)
    switch base {
    case .conv2D(let convolution):
      try convolution.encode(operands, into: y[0], epilogue, in: encoder)
    case .conv2DBackwardInput(let gradient):
      try gradient.encode(operands, into: y[0], epilogue, in: encoder)
    case .linear(let linear): try linear.encode(operands, into: y[0], epilogue, in: encoder)
    case .matMul(let product): try product.encode(operands, into: y[0], epilogue, in: encoder)
    case .adaptiveAvgPool2DBackward(let gradient):
      try gradient.encode(operands, into: y[0], epilogue, in: encoder)
    }
  }
}
