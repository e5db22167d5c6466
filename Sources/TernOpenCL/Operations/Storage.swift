import TernGraph

extension Operations.Assign: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    encoder.append(CopyLaunch(from: x[1], to: y[0]))
  }
}

extension Operations.Reorder: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    encoder.append(CopyLaunch(from: x[0], to: y[0]))
  }
}
