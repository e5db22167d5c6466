import TernCore
import TernGraph

extension NLLLoss {
  /// Samples, classes and inner extent of log-probabilities [N, C, *].
  fileprivate func geometry(_ shape: Shape) -> (samples: Int, classes: Int, inner: Int) {
    let inner = shape.elementCount(in: 2..<shape.rank)
    return (shape[0] * inner, shape[1], inner)
  }

  /// Ignored label, smoothing, and whether there are class weights.
  fileprivate func settings(hasWeight: Bool) -> [Argument] {
    [.int(Int(ignoreIndex)), .float(labelSmoothing), .int(hasWeight ? 1 : 0)]
  }
}

extension NLLLoss: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (samples, classes, inner) = geometry(x[0].shape)
    let hasWeight = x.count == 3
    // A kernel takes a pointer in any case.
    let weight = hasWeight ? x[2] : x[0]
    let numbers: [Argument] =
      [.int(samples), .int(classes), .int(inner)] + settings(hasWeight: hasWeight)
    let inputs: [Argument] = [.tensor(x[0]), .tensor(x[1]), .tensor(weight)]
    if reduction == .none {
      try encoder.map(
        "nll_loss_none", in: "loss/nll_loss", count: samples, inputs + [.tensor(y[0])] + numbers)
    }
    try encoder.rows(
      "nll_loss_reduced", in: "loss/nll_loss", count: 1,
      inputs + [.tensor(y[0]), .tensor(y[1])] + numbers
        + [
          .int(reduction == .mean ? 1 : 0), .int(reduction == .none ? 0 : 1),
          encoder.rowScratch,
        ])
  }
}

extension NLLLossBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (_, classes, inner) = forward.geometry(inputShape)
    let hasWeight = x.count == 4
    let weight = hasWeight ? x[3] : x[0]
    try encoder.map(
      "nll_loss_backward", in: "loss/nll_loss", count: y[0].count,
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(x[2]), .tensor(weight), .tensor(y[0]),
        .int(y[0].count), .int(classes), .int(inner),
      ] + forward.settings(hasWeight: hasWeight)
        + [
          .int(forward.reduction == .mean ? 1 : 0), .int(forward.reduction == .none ? 0 : 1),
        ])
  }
}
