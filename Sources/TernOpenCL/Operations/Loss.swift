import TernCore
import TernGraph

extension Operations.NLLLoss {
  /// Samples, classes and inner extent of log-probabilities [N, C, *].
  fileprivate func geometry(_ shape: Shape) -> (samples: Int, classes: Int, inner: Int) {
    let inner = shape.elementCount(in: 2..<shape.rank)
    return (shape[0] * inner, shape[1], inner)
  }

  /// Ignored label, smoothing, and whether there are class weights.
  fileprivate func settings(hasWeight: Bool) -> [Argument] {
    [.int(Int(ignoreIndex)), .float(labelSmoothing), .int(hasWeight ? 1 : 0)]
  }

  /// How the samples are cut: the work-items that share one, and the groups that sum them.
  fileprivate func cut(_ shape: Shape, on device: OpenCLDevice) -> (sharing: Int, parts: Int) {
    let (samples, classes, inner) = geometry(shape)
    let group = device.rowGroup
    // Only smoothing looks at more than a class, and only there neighbours are classes.
    var sharing = 1
    while labelSmoothing > 0, inner == 1, sharing < group, 4 * sharing < classes { sharing *= 2 }
    // On a processor one work-item adds up all samples in order.
    guard device.architecture == .manyThreads else { return (sharing, 1) }
    let groups = (samples * sharing + group - 1) / group
    return (sharing, max(1, min(groups, device.busyItemCount / group)))
  }
}

extension Operations.NLLLoss: OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    let parts = cut(inputs[0].shape, on: device).parts
    return parts == 1 ? 0 : 4 * 2 * parts
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (samples, classes, inner) = geometry(x[0].shape)
    let (sharing, parts) = cut(x[0].shape, on: encoder.device)
    let hasWeight = x.count == 3
    // A kernel takes a pointer in any case.
    let weight = hasWeight ? x[2] : x[0]
    let numbers: [Argument] =
      [.int(samples), .int(classes), .divisor(inner)] + settings(hasWeight: hasWeight)
    let inputs: [Argument] = [.tensor(x[0]), .tensor(x[1]), .tensor(weight)]
    if reduction == .none {
      encoder.teams(
        "nll_loss_none", in: "loss/nll_loss", count: samples, sharing: sharing,
        inputs + [.tensor(y[0])] + numbers + [encoder.rowScratch])
    }
    let flags: [Argument] = [
      .int(reduction == .mean ? 1 : 0), .int(reduction == .none ? 0 : 1), encoder.rowScratch,
    ]
    let sums = parts > 1 ? encoder.scratch(0, count: 2 * parts) : y[1]
    let results: [Argument] = [.tensor(y[0]), .tensor(y[1])]
    encoder.groups(
      "nll_loss_reduced", in: "loss/nll_loss", upTo: encoder.device.rowGroup,
      inputs + results + [.tensor(sums), .int(parts)] + numbers + flags
    ) { size in (parts, ["GROUP": size, "SHARING": min(sharing, size)]) }
    if parts > 1 {
      try encoder.rows(
        "nll_loss_combine", in: "loss/nll_loss", count: 1,
        [.tensor(sums)] + results + [.int(parts)] + flags)
    }
  }
}

extension Operations.CrossEntropyBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let hasWeight = x.count == 5
    let (rows, length) = (y[0].shape[0], y[0].shape[1])
    try encoder.rows(
      "cross_entropy_backward", in: "loss/nll_loss", count: rows, length: length,
      (x.prefix(4) + [hasWeight ? x[4] : x[3], y[0]]).map(Argument.tensor)
        + [.int(rows), .int(length)] + loss.settings(hasWeight: hasWeight)
        + [
          .int(loss.reduction == .mean ? 1 : 0), .int(loss.reduction == .none ? 0 : 1),
          encoder.rowScratch,
        ])
  }
}

extension Operations.CrossEntropyWithGradient: OpenCLOperation {
  /// The groups that share the samples: one where they are few, since it needs no second launch.
  private func groups(_ shape: Shape, on device: OpenCLDevice) -> Int {
    if shape.elementCount <= 32 * device.rowGroup { return 1 }
    return max(1, min(shape[0], device.busyItemCount / device.rowGroup))
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    let groups = groups(inputs[1].shape, on: device)
    return groups == 1 ? 0 : 4 * 2 * groups
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (rows, length) = (x[1].shape[0], x[1].shape[1])
    let groups = groups(x[1].shape, on: encoder.device)
    let hasWeight = x.count == 4
    let tensors: [Argument] =
      (x.prefix(3) + [hasWeight ? x[3] : x[1], y[1]]).map(Argument.tensor)
    let isMean: Argument = .int(loss.reduction == .mean ? 1 : 0)
    let sums = groups > 1 ? encoder.scratch(0, count: 2 * groups) : y[0]
    let vectors = encoder.rowVectors(length, [.tensor(x[1]), .tensor(y[1])])
    // Two vectors for each work-item of a sample, until the group is full.
    var sharing = 1
    while sharing < encoder.device.rowGroup, 2 * sharing * vectors.width < length { sharing *= 2 }
    encoder.groups(
      "cross_entropy_with_gradient", in: "loss/cross_entropy", upTo: encoder.device.rowGroup,
      tensors + [.tensor(sums), .int(groups), .int(rows), .int(length)]
        + loss.settings(hasWeight: hasWeight) + [isMean, encoder.rowScratch],
      defines: vectors.defines
    ) { [sharing] size in
      let team = min(sharing, size)
      return (groups, ["GROUP": team, "TEAMS": size / team])
    }
    if groups > 1 {
      try encoder.rows(
        "cross_entropy_combine", in: "loss/cross_entropy", count: 1,
        [.tensor(sums), .tensor(y[0]), .int(groups), isMean, encoder.rowScratch])
    }
  }
}

extension Operations.NLLLossBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (_, classes, inner) = forward.geometry(inputShape)
    let hasWeight = x.count == 4
    let weight = hasWeight ? x[3] : x[0]
    try encoder.map(
      "nll_loss_backward", in: "loss/nll_loss", count: y[0].count,
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(x[2]), .tensor(weight), .tensor(y[0]),
        .int(y[0].count), .divisor(classes), .divisor(inner),
      ] + forward.settings(hasWeight: hasWeight)
        + [
          .int(forward.reduction == .mean ? 1 : 0), .int(forward.reduction == .none ? 0 : 1),
        ])
  }
}
