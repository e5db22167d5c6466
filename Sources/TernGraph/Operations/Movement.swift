import TernCore

/// What stands in the elements that are added around a tensor.
public enum PaddingMode: Hashable, Sendable {
  /// This number.
  case constant(Float)
  /// Mirrored at the border element, which is not repeated.
  case reflect
  /// The border element repeated.
  case replicate
  /// Continued from the opposite border.
  case circular

  var name: String {
    switch self {
    case .constant: "constant"
    case .reflect: "reflect"
    case .replicate: "replicate"
    case .circular: "circular"
    }
  }
}

extension Operations {
  /// The same elements, row by row, under another shape. No work: the storage is shared.
  package struct Reshape: Operation {
    package let shape: Shape

    package init(_ shape: Shape) { self.shape = shape }

    package var name: String { "reshape" }
    package var isView: Bool { true }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expect(
        shape.isUsable && inputs[0].elementCount == shape.elementCount, "shape",
        "\(inputs[0].elementCount) elements (input \(inputs[0].shape))", "\(shape)")
      return [TensorType(shape, inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [try node.cotangent.reshape(node.inputs[0].shape)]
    }
    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(flops: 0, bytes: 0)
    }
  }

  /// The axes in another order: output axis i is input axis `order[i]`.
  package struct Permute: Operation {
    package let order: [Int]

    package init(_ order: [Int]) { self.order = order }

    package var name: String { "permute" }
    package var detail: String { "dims=\(order)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      let shape = inputs[0].shape
      try expect(
        order.sorted() == Array(0..<shape.rank), "dims", "every axis of \(shape) once", "\(order)")
      return [TensorType(Shape(order.map { shape[$0] }), inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      var inverse = order
      for (i, axis) in order.enumerated() { inverse[axis] = i }
      return [try node.cotangent.permute(inverse)]
    }
    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 0)
    }
  }

  /// Tensors joined along one axis.
  package struct Cat: Operation {
    package let axis: Int

    package init(axis: Int) { self.axis = axis }

    package var name: String { "cat" }
    package var detail: String { "dim=\(axis)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...Int.max - 1)
      var shape = inputs[0].shape
      try expectFloat(inputs[0], "tensors.0")
      for (i, input) in inputs.enumerated().dropFirst() {
        try expectFloat(input, "tensors.\(i)")
        try expectSameType(input, inputs[0], "tensors.\(i)")
        var other = input.shape
        try expect(other.rank == shape.rank, "tensors.\(i)", "\(shape.rank) axes", "\(other)")
        let extent = other[axis]
        other[axis] = shape[axis]
        try expect(
          other == shape, "tensors.\(i)", "\(inputs[0].shape) but for axis \(axis)",
          "\(input.shape)")
        shape[axis] += extent
      }
      return [TensorType(shape, inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      var start = 0
      return try node.inputs.enumerated().map { index, input in
        let length = input.shape[axis]
        defer { start += length }
        return try node.ifNeeded(index) {
          try node.cotangent.narrow(axis, start: start, length: length)
        }
      }
    }
    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 0)
    }
  }

  /// The part `start ..< start + length` along one axis.
  package struct Narrow: Operation {
    package let axis: Int
    package let start: Int
    package let length: Int

    package init(axis: Int, start: Int, length: Int) {
      self.axis = axis
      self.start = start
      self.length = length
    }

    package var name: String { "narrow" }
    package var detail: String { "dim=\(axis), start=\(start), length=\(length)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      var shape = inputs[0].shape
      try expect(
        start >= 0 && length >= 1 && start + length <= shape[axis], "start and length",
        "a part of 0..<\(shape[axis])", "\(start)..<\(start + length)")
      shape[axis] = length
      return [TensorType(shape, inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      let shape = node.inputs[0].shape
      var before = [Int](repeating: 0, count: shape.rank)
      var after = before
      before[axis] = start
      after[axis] = shape[axis] - start - length
      return [try node.cotangent.apply(Pad(.constant(0), before: before, after: after))]
    }
    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(outputs, outputs, flopsPerElement: 0)
    }
  }

  /// Elements added around a tensor.
  package struct Pad: Operation {
    package let mode: PaddingMode
    /// How many elements are added in front, per axis; negative ones are cut off (constant mode).
    package let before: [Int]
    package let after: [Int]

    package init(_ mode: PaddingMode, before: [Int], after: [Int]) {
      self.mode = mode
      self.before = before
      self.after = after
    }

    package var name: String { "pad" }
    package var detail: String { "mode=\(mode.name), before=\(before), after=\(after)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      var shape = inputs[0].shape
      try expect(before.count == shape.rank, "pad", "at most \(shape.rank) axes", "\(before.count)")
      for axis in 0..<shape.rank {
        let limit =
          switch mode {
          case .constant, .replicate: Int.max
          case .reflect: shape[axis] - 1
          case .circular: shape[axis]
          }
        if mode != .constant(0), mode.name != "constant" {
          try expect(
            min(before[axis], after[axis]) >= 0 && max(before[axis], after[axis]) <= limit, "pad",
            "0 to \(limit) along axis \(axis) of \(shape) in mode \(mode.name)",
            "\(before[axis]) and \(after[axis])")
        }
        shape[axis] += before[axis] + after[axis]
      }
      return [TensorType(shape, inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      if case .constant = mode {
        return [
          try node.cotangent.apply(
            Pad(.constant(0), before: before.map { -$0 }, after: after.map { -$0 }))
        ]
      }
      return [
        try node.cotangent.apply(
          PadBackward(mode, before: before, inputShape: node.inputs[0].shape))
      ]
    }
    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 0)
    }
  }

  /// The gradient arriving at the input of a ``Pad`` in reflect, replicate or circular mode: every
  /// element sums what arrived at its copies.
  package struct PadBackward: Operation {
    package let mode: PaddingMode
    package let before: [Int]
    package let inputShape: Shape

    package init(_ mode: PaddingMode, before: [Int], inputShape: Shape) {
      self.mode = mode
      self.before = before
      self.inputShape = inputShape
    }

    package var name: String { "pad_backward" }
    package var detail: String { "mode=\(mode.name), before=\(before)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      return [TensorType(inputShape, inputs[0].dataType)]
    }
  }
}

extension Tensor {
  /// The same elements under another shape; one extent may be -1 and is inferred.
  public func reshape(_ target: Shape) throws(ShapeError) -> Tensor {
    var target = target
    if let unknown = target.firstIndex(of: -1) {
      let given = target
      target[unknown] = 1
      guard target.isUsable, shape.elementCount % target.elementCount == 0 else {
        throw ShapeError(
          "reshape", "shape", expected: "a divisor of \(shape.elementCount) elements",
          got: "\(given)")
      }
      target[unknown] = shape.elementCount / target.elementCount
    }
    return target == shape ? self : try apply(Operations.Reshape(target))
  }

  /// [N, ...] with the axes from `start` on merged into one.
  public func flatten(from start: Int = 1) throws(ShapeError) -> Tensor {
    guard start != shape.rank else { return try reshape(Shape(shape.dimensions + [1])) }
    let start = try axis(start, "flatten")
    return try reshape(
      Shape(shape.dimensions[..<start] + [shape.elementCount(in: start..<shape.rank)]))
  }

  /// The axes in another order: axis i of the result is axis `order[i]` of the tensor.
  public func permute(_ order: [Int]) throws(ShapeError) -> Tensor {
    var normalized: [Int] = []
    for dim in order { normalized.append(try axis(dim, "permute")) }
    return normalized == Array(0..<shape.rank) ? self : try apply(Operations.Permute(normalized))
  }

  /// Two axes exchanged; negative ones count from the end.
  public func transpose(_ a: Int, _ b: Int) throws(ShapeError) -> Tensor {
    let (a, b) = (try axis(a, "transpose"), try axis(b, "transpose"))
    var order = Array(0..<shape.rank)
    order.swapAt(a, b)
    return try permute(order)
  }

  /// The tensors joined along `dim`.
  public static func cat(_ tensors: [Tensor], dim: Int = 0) throws(ShapeError) -> Tensor {
    guard let first = tensors.first else {
      throw ShapeError("cat", "tensors", expected: "at least one", got: "none")
    }
    if tensors.count == 1 { return first }
    return try first.builder.apply(Operations.Cat(axis: first.axis(dim, "cat")), tensors)[0]
  }

  /// `length` elements of axis `dim`, from `start` on.
  public func narrow(_ dim: Int, start: Int, length: Int) throws(ShapeError) -> Tensor {
    let axis = try axis(dim, "narrow")
    if start == 0, length == shape[axis] { return self }
    return try apply(Operations.Narrow(axis: axis, start: start, length: length))
  }

  /// Elements added around the innermost axes, PyTorch's order: `[left, right, top, bottom, …]`.
  public func pad(_ amounts: [Int], mode: PaddingMode = .constant(0)) throws(ShapeError) -> Tensor {
    guard amounts.count % 2 == 0, amounts.count / 2 <= shape.rank else {
      throw ShapeError(
        "pad", "pad", expected: "two amounts for each of at most \(shape.rank) axes",
        got: "\(amounts.count)")
    }
    var before = [Int](repeating: 0, count: shape.rank)
    var after = before
    for i in 0..<amounts.count / 2 {
      before[shape.rank - 1 - i] = amounts[2 * i]
      after[shape.rank - 1 - i] = amounts[2 * i + 1]
    }
    return try apply(Operations.Pad(mode, before: before, after: after))
  }
}

extension OperationSpec {
  static let movement: [OperationSpec] = [
    OperationSpec("reshape") { a, x in
      [try x.required("input").reshape(Shape(a.ints("shape")))]
    },
    OperationSpec("flatten") { a, x in
      [try x.required("input").flatten(from: a.int("start_dim", default: 1))]
    },
    OperationSpec("transpose") { a, x in
      [try x.required("input").transpose(a.int("dim0"), a.int("dim1"))]
    },
    OperationSpec("permute") { a, x in [try x.required("input").permute(a.ints("dims"))] },
    OperationSpec("cat", inputs: ["tensors*"]) { a, x in
      [try Tensor.cat(x.list("tensors"), dim: a.int("dim", default: 0))]
    },
    OperationSpec("narrow") { a, x in
      [
        try x.required("input").narrow(
          a.int("dim"), start: a.int("start"), length: a.int("length"))
      ]
    },
    OperationSpec("pad") { a, x in
      let mode: PaddingMode =
        switch try a.string(
          "mode", default: "constant", oneOf: ["constant", "reflect", "replicate", "circular"])
        {
        case "reflect": .reflect
        case "replicate": .replicate
        case "circular": .circular
        default: .constant(Float(try a.double("value", default: 0)))
        }
      return [try x.required("input").pad(a.ints("pad"), mode: mode)]
    },
  ]
}
