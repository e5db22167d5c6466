import TernCore
import TernGraph
import TernRuntime

extension Operations.MatMul: CandidateOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  private func product(_ a: TensorType, _ b: TensorType) -> MatrixProduct {
    let d = dimensions(a.shape, b.shape)
    return MatrixProduct(
      batch: d.batch, m: d.m, n: d.n, k: d.k, transposesA: transposesA, transposesB: transposesB,
      dataType: a.dataType)
  }

  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) -> CandidateProblem? {
    product(inputs[0], inputs[1]).candidateProblem(on: device)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    product(inputs[0], inputs[1]).workspaceByteCount(on: device)
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode(x, into: y[0], Epilogue(), in: encoder)
  }

  func encode(
    _ x: [View], into y: View, _ epilogue: Epilogue, in encoder: StepEncoder
  ) throws {
    try product(x[0].type, x[1].type).encode(x[0], x[1], into: y, with: epilogue, encoder)
  }
}

extension Operations.LinearBackwardWeight: CandidateOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  private func product(_ inputs: [TensorType]) -> MatrixProduct {
    let (x, dy) = (inputs[0].shape, inputs[1].shape)
    return MatrixProduct(
      m: dy[1], n: x[1], k: x[0], transposesA: true, sumsRows: true, dataType: inputs[0].dataType)
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
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  private func product(_ x: TensorType, _ weight: TensorType, hasBias: Bool) -> MatrixProduct {
    MatrixProduct(
      m: x.shape[0], n: weight.shape[0], k: x.shape[1], transposesB: true,
      bias: hasBias ? .perColumn : .none, dataType: x.dataType)
  }

  func candidateProblem(_ inputs: [TensorType], on device: OpenCLDevice) -> CandidateProblem? {
    product(inputs[0], inputs[1], hasBias: inputs.count == 3)
      .candidateProblem(on: device)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    product(inputs[0], inputs[1], hasBias: inputs.count == 3)
      .workspaceByteCount(on: device)
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode(x, into: y[0], Epilogue(), in: encoder)
  }

  func encode(
    _ x: [View], into y: View, _ epilogue: Epilogue, in encoder: StepEncoder
  ) throws {
    let bias = x.count == 3 ? x[2] : nil
    try product(x[0].type, x[1].type, hasBias: bias != nil)
      .encode(x[0], x[1], bias: bias, into: y, with: epilogue, encoder)
  }
}
