import TernCore
import TernGraph
import TernRuntime

extension Operations.MatMul: CandidateOperation {
  private func product(_ a: Shape, _ b: Shape) -> MatrixProduct {
    let d = dimensions(a, b)
    return MatrixProduct(
      batch: d.batch, m: d.m, n: d.n, k: d.k, transposesA: transposesA, transposesB: transposesB)
  }

  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) -> CandidateProblem? {
    product(inputs[0].shape, inputs[1].shape).candidateProblem(on: device)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    product(inputs[0].shape, inputs[1].shape).workspaceByteCount(on: device)
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode(x, into: y[0], Epilogue(), in: encoder)
  }

  func encode(
    _ x: [View], into y: View, _ epilogue: Epilogue, in encoder: StepEncoder
  ) throws {
    try product(x[0].shape, x[1].shape).encode(x[0], x[1], into: y, with: epilogue, encoder)
  }
}

extension Operations.LinearBackwardWeight: CandidateOperation {
  private func product(_ inputs: [TensorType]) -> MatrixProduct {
    let (x, dy) = (inputs[0].shape, inputs[1].shape)
    return MatrixProduct(m: dy[1], n: x[1], k: x[0], transposesA: true, sumsRows: true)
  }

  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) -> CandidateProblem? {
    product(inputs).candidateProblem(on: device)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int { product(inputs).workspaceByteCount(on: device) }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try product(x.map(\.type)).encode(x[1], x[0], into: y[0], rowSums: y[1], encoder)
  }
}

extension Operations.Linear: CandidateOperation {
  private func product(_ x: Shape, _ weight: Shape, hasBias: Bool) -> MatrixProduct {
    MatrixProduct(
      m: x[0], n: weight[0], k: x[1], transposesB: true, bias: hasBias ? .perColumn : .none)
  }

  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) -> CandidateProblem? {
    product(inputs[0].shape, inputs[1].shape, hasBias: inputs.count == 3)
      .candidateProblem(on: device)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    product(inputs[0].shape, inputs[1].shape, hasBias: inputs.count == 3)
      .workspaceByteCount(on: device)
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode(x, into: y[0], Epilogue(), in: encoder)
  }

  func encode(
    _ x: [View], into y: View, _ epilogue: Epilogue, in encoder: StepEncoder
  ) throws {
    let bias = x.count == 3 ? x[2] : nil
    try product(x[0].shape, x[1].shape, hasBias: bias != nil)
      .encode(x[0], x[1], bias: bias, into: y, with: epilogue, encoder)
  }
}
