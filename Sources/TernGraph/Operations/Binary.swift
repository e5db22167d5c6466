import TernCore

extension Operations {
  /// A function of two tensors, element by element; both are broadcast to a common shape.
  package struct Binary: Operation {
    package enum Function: String, Hashable, Sendable {
      case add, sub, mul, div, maximum, minimum
      /// 1 where a > b, ½ where a = b, else 0: the derivative of `maximum` with respect to a.
      case heaviside
      /// 1 where a = b, else 0.
      case equal
    }

    package let function: Function

    package init(_ function: Function) { self.function = function }

    package var name: String { function.rawValue }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expectFloat(inputs[0], "input")
      try expectFloat(inputs[1], "other")
      try expectSameType(inputs[1], inputs[0], "other")
      guard let shape = Shape.broadcast(inputs[0].shape, inputs[1].shape) else {
        throw ShapeError(
          name, "other", expected: "a shape that broadcasts with \(inputs[0].shape)",
          got: "\(inputs[1].shape)")
      }
      return [TensorType(shape, inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      let (dy, a, b, y) = (node.cotangent, node.inputs[0], node.inputs[1], node.outputs[0])
      func flow(_ index: Int, _ make: () throws -> Tensor) throws -> Tensor? {
        try node.ifNeeded(index) { try make().sumToShape(node.inputs[index].shape) }
      }
      return switch function {
      case .add: [try flow(0) { dy }, try flow(1) { dy }]
      case .sub: [try flow(0) { dy }, try flow(1) { try -dy }]
      case .mul: [try flow(0) { try dy * b }, try flow(1) { try dy * a }]
      case .div: [try flow(0) { try dy / b }, try flow(1) { try -(dy * (y / b)) }]
      case .maximum:
        [
          try flow(0) { try dy * a.apply(Binary(.heaviside), b) },
          try flow(1) { try dy * b.apply(Binary(.heaviside), a) },
        ]
      case .minimum:
        [
          try flow(0) { try dy * b.apply(Binary(.heaviside), a) },
          try flow(1) { try dy * a.apply(Binary(.heaviside), b) },
        ]
      case .heaviside, .equal: [nil, nil]
      }
    }

    package var inPlacePairs: [InPlacePair] {
      [InPlacePair(output: 0, input: 0), InPlacePair(output: 0, input: 1)]
    }
  }
}

extension Tensor {
  /// The sum, element by element; extents of 1 are repeated.
  public static func + (a: Tensor, b: Tensor) throws(ShapeError) -> Tensor {
    try a.apply(Operations.Binary(.add), b)
  }
  /// The difference, element by element; extents of 1 are repeated.
  public static func - (a: Tensor, b: Tensor) throws(ShapeError) -> Tensor {
    try a.apply(Operations.Binary(.sub), b)
  }
  /// The product, element by element; extents of 1 are repeated.
  public static func * (a: Tensor, b: Tensor) throws(ShapeError) -> Tensor {
    try a.apply(Operations.Binary(.mul), b)
  }
  /// The quotient, element by element; extents of 1 are repeated.
  public static func / (a: Tensor, b: Tensor) throws(ShapeError) -> Tensor {
    try a.apply(Operations.Binary(.div), b)
  }
  /// The larger of two elements each; equal ones share the gradient. Extents of 1 are repeated.
  public func maximum(_ other: Tensor) throws(ShapeError) -> Tensor {
    try apply(Operations.Binary(.maximum), other)
  }
  /// The smaller of two elements each; equal ones share the gradient. Extents of 1 are repeated.
  public func minimum(_ other: Tensor) throws(ShapeError) -> Tensor {
    try apply(Operations.Binary(.minimum), other)
  }
  /// 1 where the elements are equal, else 0.
  public func equal(_ other: Tensor) throws(ShapeError) -> Tensor {
    try apply(Operations.Binary(.equal), other)
  }

  /// A vector seen as a tensor of `rank` axes that extends along `axis` only.
  func alongAxis(_ axis: Int, rank: Int) throws(ShapeError) -> Tensor {
    var target = Shape([Int](repeating: 1, count: rank))
    target[axis] = shape[0]
    return try reshape(target)
  }
}

extension OperationSpec {
  static let binary: [OperationSpec] = [
    Operations.Binary.Function.add, .sub, .mul, .div, .maximum, .minimum,
  ]
  .map { function in
    OperationSpec(function.rawValue, inputs: ["input", "other"]) { _, x in
      [try x.required("input").apply(Operations.Binary(function), x.required("other"))]
    }
  }
}
