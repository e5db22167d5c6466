import TernCore

extension Operations {
  /// A sum, mean or maximum over some axes.
  package struct Reduce: Operation {
    package enum Function: String, Hashable, Sendable { case sum, mean, amax }

    package let function: Function
    /// The axes reduced, ascending.
    package let axes: [Int]
    /// Whether reduced axes stay, with extent 1.
    package let keepsAxes: Bool
    /// The type of the result, where it is not that of the input.
    package let result: DataType?

    package init(
      _ function: Function, axes: [Int], keepsAxes: Bool, result: DataType? = nil
    ) {
      self.function = function
      self.axes = axes
      self.keepsAxes = keepsAxes
      self.result = result
    }

    package var name: String { function.rawValue }
    package var detail: String {
      "dim=\(axes)" + (keepsAxes ? ", keepdim" : "") + (result.map { ", \($0)" } ?? "")
    }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      let shape = inputs[0].shape
      var result: [Int] = []
      for axis in 0..<shape.rank {
        if !axes.contains(axis) {
          result.append(shape[axis])
        } else if keepsAxes {
          result.append(1)
        }
      }
      return [TensorType(Shape(result), self.result ?? inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      let x = node.inputs[0]
      var kept = x.shape
      for axis in axes { kept[axis] = 1 }
      let dy = try node.cotangent.cast(to: x.type.dataType).reshape(kept)
      switch function {
      case .sum: return [try dy.expand(x.shape)]
      case .mean:
        let count = axes.reduce(1) { $0 * x.shape[$1] }
        return [try dy.affine(scale: 1 / Float(count)).expand(x.shape)]
      case .amax:
        let isMaximum = try x.equal(
          node.outputs[0].cast(to: x.type.dataType).reshape(kept))
        let ties = try isMaximum.sum(axes, keepsAxes: true)
        return [try isMaximum * (dy / ties)]
      }
    }
    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(
        flops: inputs[0].elementCount, bytes: inputs[0].byteCount + outputs[0].byteCount)
    }
  }

  /// A tensor repeated along axes where it has extent 1, to `shape`.
  package struct Expand: Operation {
    package let shape: Shape

    package init(_ shape: Shape) { self.shape = shape }

    package var name: String { "expand" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      try expect(
        Shape.broadcast(inputs[0].shape, shape) == shape, "input",
        "a shape that broadcasts to \(shape)", "\(inputs[0].shape)")
      return [TensorType(shape, inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [try node.cotangent.sumToShape(node.inputs[0].shape)]
    }
    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 0)
    }
  }
}

extension Tensor {
  private func reduce(
    _ function: Operations.Reduce.Function, _ axes: [Int]?, _ keepsAxes: Bool
  ) throws(ShapeError) -> Tensor {
    var normalized: [Int] = []
    for dim in axes ?? Array(0..<shape.rank) {
      normalized.append(try axis(dim, function.rawValue))
    }
    guard Set(normalized).count == normalized.count else {
      throw ShapeError(
        function.rawValue, "dim", expected: "every axis at most once", got: "\(axes ?? [])")
    }
    // PyTorch reduces over everything where the list is empty.
    if normalized.isEmpty { normalized = Array(0..<shape.rank) }
    return try apply(Operations.Reduce(function, axes: normalized.sorted(), keepsAxes: keepsAxes))
  }

  /// The sum over `axes`, over all where `nil`.
  public func sum(_ axes: [Int]? = nil, keepsAxes: Bool = false) throws(ShapeError) -> Tensor {
    try reduce(.sum, axes, keepsAxes)
  }
  /// The mean over `axes`, over all where `nil`.
  public func mean(_ axes: [Int]? = nil, keepsAxes: Bool = false) throws(ShapeError) -> Tensor {
    try reduce(.mean, axes, keepsAxes)
  }
  /// The maximum over `axes`; equal maxima share the gradient evenly.
  public func amax(_ axes: [Int]? = nil, keepsAxes: Bool = false) throws(ShapeError) -> Tensor {
    try reduce(.amax, axes, keepsAxes)
  }

  /// The tensor repeated along axes of extent 1.
  public func expand(_ target: Shape) throws(ShapeError) -> Tensor {
    shape == target ? self : try apply(Operations.Expand(target))
  }

  /// The reverse of broadcasting: sums over the axes along which `target` was repeated.
  func sumToShape(_ target: Shape) throws(ShapeError) -> Tensor {
    guard shape != target else { return self }
    let lead = shape.rank - target.rank
    let axes = (0..<shape.rank).filter { $0 < lead || (target[$0 - lead] == 1 && shape[$0] != 1) }
    let sum = axes.isEmpty ? self : try sum(axes, keepsAxes: true)
    return try sum.reshape(target)
  }
}

extension OperationSpec {
  private static func reduction(_ function: Operations.Reduce.Function) -> OperationSpec {
    OperationSpec(function.rawValue) { a, x in
      let axes = try a.has("dim") ? a.ints("dim") : nil
      let keeps = try a.bool("keepdim", default: false)
      let input = try x.required("input")
      return switch function {
      case .sum: [try input.sum(axes, keepsAxes: keeps)]
      case .mean: [try input.mean(axes, keepsAxes: keeps)]
      case .amax: [try input.amax(axes, keepsAxes: keeps)]
      }
    }
  }
  static let reduction: [OperationSpec] = [
    reduction(.sum), reduction(.mean), reduction(.amax),
  ]
}
