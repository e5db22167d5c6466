import TernCore
import TernGraph
import TernRuntime

// How a pass is computed is chosen in Convolution/ConvolutionMethod.swift.

extension Operations.Conv2D: CandidateOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  private func problem(_ inputs: [TensorType]) throws -> ConvolutionProblem {
    try ConvolutionProblem(
      geometry: geometry(inputs), pass: .forward, hasBias: inputs.count == 3,
      dataType: inputs[0].dataType)
  }

  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) throws
    -> CandidateProblem?
  {
    try problem(inputs).candidateProblem(on: device)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) throws -> Int { try problem(inputs).method(on: device).workspaceByteCount }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode(x, into: y[0], Epilogue(), in: encoder)
  }

  func encode(
    _ x: [View], into y: View, _ epilogue: Epilogue, in encoder: StepEncoder
  ) throws {
    try problem(x.map(\.type)).encode(
      ConvolutionOperands(
        input: x[0], weight: x[1], output: y, bias: x.count == 3 ? x[2] : nil,
        epilogue: epilogue), encoder)
  }
}

extension Operations.Conv2DBackwardInput: CandidateOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  private func problem(_ inputs: [TensorType]) throws -> ConvolutionProblem {
    try ConvolutionProblem(
      geometry: geometry(inputs), pass: .backwardInput, dataType: inputs[0].dataType)
  }

  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) throws
    -> CandidateProblem?
  {
    try problem(inputs).candidateProblem(on: device)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) throws -> Int { try problem(inputs).method(on: device).workspaceByteCount }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode(x, into: y[0], Epilogue(), in: encoder)
  }

  func encode(
    _ x: [View], into y: View, _ epilogue: Epilogue, in encoder: StepEncoder
  ) throws {
    try problem(x.map(\.type)).encode(
      ConvolutionOperands(input: y, weight: x[1], output: x[0], epilogue: epilogue), encoder)
  }
}

extension Operations.Conv2DBackwardWeight: CandidateOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  private func problem(_ inputs: [TensorType]) throws -> ConvolutionProblem {
    try ConvolutionProblem(
      geometry: geometry(inputs), pass: .backwardWeight, sumsGradient: hasBias,
      dataType: inputs[0].dataType)
  }

  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) throws
    -> CandidateProblem?
  {
    try problem(inputs).candidateProblem(on: device)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) throws -> Int { try problem(inputs).workspaceByteCount(on: device) }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try problem(x.map(\.type)).encode(
      ConvolutionOperands(input: x[0], weight: y[0], output: x[1], bias: hasBias ? y[1] : nil),
      encoder)
  }
}
