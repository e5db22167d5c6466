import TernCore

extension Operations {
  /// The product of matrices, or of a batch of them: [B, M, K] × [B, K, N] → [B, M, N]; the batch
  /// axis is absent for plain matrices. An operand may be stored transposed.
  package struct MatMul: Operation {
    package let transposesA: Bool
    package let transposesB: Bool
    /// The type of the product, where it is not that of the operands.
    package let result: DataType?

    package init(
      transposesA: Bool = false, transposesB: Bool = false, result: DataType? = nil
    ) {
      self.transposesA = transposesA
      self.transposesB = transposesB
      self.result = result
    }

    package var name: String { "matmul" }
    package var detail: String {
      [
        transposesA ? "transpose_a" : nil, transposesB ? "transpose_b" : nil, result?.rawValue,
      ].compactMap(\.self).joined(separator: ", ")
    }

    /// The sizes of a product: `batch` × (`m` × `k` · `k` × `n`).
    package struct Dimensions: Hashable, Sendable {
      package let batch: Int
      package let m: Int
      package let n: Int
      package let k: Int
    }

    package func dimensions(_ a: Shape, _ b: Shape) -> Dimensions {
      let (ra, rb) = (a.rank, b.rank)
      return Dimensions(
        batch: ra == 3 ? a[0] : 1, m: transposesA ? a[ra - 1] : a[ra - 2],
        n: transposesB ? b[rb - 2] : b[rb - 1], k: transposesA ? a[ra - 2] : a[ra - 1])
    }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      let (a, b) = (inputs[0].shape, inputs[1].shape)
      try expectFloat(inputs[0], "input")
      try expectFloat(inputs[1], "other")
      try expectSameType(inputs[1], inputs[0], "other")
      try expect(a.rank == 2 || a.rank == 3, "input", "[M, K] or [B, M, K]", "\(a)")
      try expect(b.rank == a.rank, "other", "\(a.rank) axes", "\(b)")
      try expect(a.rank == 2 || a[0] == b[0], "other", "batch \(a[0])", "\(b)")
      let d = dimensions(a, b)
      let inner = transposesB ? b[b.rank - 1] : b[b.rank - 2]
      try expect(inner == d.k, "other", "inner extent \(d.k) (input \(a))", "\(inner) (\(b))")
      return [
        TensorType(
          a.rank == 2 ? [d.m, d.n] : [d.batch, d.m, d.n], result ?? inputs[0].dataType)
      ]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      let (dy, a, b) = (node.cotangent, node.inputs[0], node.inputs[1])
      func product(_ x: Tensor, _ tx: Bool, _ y: Tensor, _ ty: Bool) throws -> Tensor {
        try x.apply(MatMul(transposesA: tx, transposesB: ty), y)
      }
      return [
        try node.ifNeeded(0) {
          transposesA
            ? try product(b, transposesB, dy, true) : try product(dy, false, b, !transposesB)
        },
        try node.ifNeeded(1) {
          transposesB
            ? try product(dy, true, a, transposesA) : try product(a, !transposesA, dy, false)
        },
      ]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      let d = dimensions(inputs[0].shape, inputs[1].shape)
      return Cost(
        flops: Cost.product(2, d.batch, d.m, d.n, d.k),
        bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }
  }

  /// y = x Wᵀ + b: [N, I] × [O, I] (+ [O]) → [N, O].
  package struct Linear: Operation {
    package init() {}

    package var name: String { "linear" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...3)
      let (x, w) = (inputs[0].shape, inputs[1].shape)
      for (type, subject) in zip(inputs, ["input", "weight", "bias"]) {
        try expectFloat(type, subject)
      }
      try expectSameType(inputs[1], inputs[0], "weight")
      try expectRank(inputs[0], 2, "input", "[N, I]")
      try expectRank(inputs[1], 2, "weight", "[O, I]")
      try expect(x[1] == w[1], "weight", "[O, \(x[1])] (input \(x))", "\(w)")
      if inputs.count == 3 { try expectShape(inputs[2], [w[0]], "bias") }
      return [TensorType([x[0], w[0]], inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      let (dy, x, w) = (node.cotangent, node.inputs[0], node.inputs[1])
      var gradients = [
        try node.ifNeeded(0) { try dy.apply(MatMul(), w) },
        try node.ifNeeded(1) { try dy.apply(MatMul(transposesA: true), x) },
      ]
      if node.inputs.count == 3 { gradients.append(try node.ifNeeded(2) { try dy.sum([0]) }) }
      return gradients
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      Cost(
        flops: Cost.product(2, outputs[0].elementCount, inputs[0].shape[1]),
        bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }
  }
}

extension Tensor {
  /// The matrix product, with PyTorch's rules for vectors and for batches of any rank.
  public func matmul(_ other: Tensor) throws(ShapeError) -> Tensor {
    let (a, b) = (shape, other.shape)
    guard a.rank >= 1, b.rank >= 1 else {
      throw ShapeError("matmul", "input", expected: "at least one axis", got: "\(a) and \(b)")
    }
    if a.rank == 1 {
      let product = try reshape([1, a[0]]).matmul(other)
      var target = product.shape.dimensions
      target.remove(at: b.rank == 1 ? 0 : target.count - 2)
      return try product.reshape(Shape(target))
    }
    if b.rank == 1 {
      return try matmul(other.reshape([b[0], 1])).reshape(Shape(a.dimensions.dropLast()))
    }
    let (m, k, n) = (a[a.rank - 2], a[a.rank - 1], b[b.rank - 1])
    guard b[b.rank - 2] == k else {
      throw ShapeError(
        "matmul", "other", expected: "inner extent \(k) (input \(a))", got: "\(b)")
    }
    if b.rank == 2 {
      let rows = try reshape([a.elementCount / k, k])
      return try rows.apply(Operations.MatMul(), other).reshape(
        Shape(a.dimensions.dropLast() + [n]))
    }
    guard
      let batch = Shape.broadcast(
        Shape(Array(a.dimensions.dropLast(2))), Shape(Array(b.dimensions.dropLast(2))))
    else {
      throw ShapeError(
        "matmul", "other", expected: "batch axes that broadcast with \(a)", got: "\(b)")
    }
    let left = try expand(Shape(batch.dimensions + [m, k]))
    let right = try other.expand(Shape(batch.dimensions + [k, n]))
    return try left.reshape([batch.elementCount, m, k])
      .apply(Operations.MatMul(), right.reshape([batch.elementCount, k, n]))
      .reshape(Shape(batch.dimensions + [m, n]))
  }

  /// x Wᵀ + b on the innermost axis: input [*, I], weight [O, I], bias [O] → [*, O].
  public func linear(weight: Tensor, bias: Tensor? = nil) throws(ShapeError) -> Tensor {
    guard shape.rank >= 1, weight.shape.rank == 2 else {
      throw ShapeError(
        "linear", "weight", expected: "[O, I] for an input [*, I]",
        got: "\(weight.shape) for \(shape)")
    }
    let inner = shape[shape.rank - 1]
    let rows = try reshape([shape.elementCount / inner, inner])
    let product = try builder.apply(
      Operations.Linear(), [rows, weight] + (bias.map { [$0] } ?? []))[0]
    return try product.reshape(Shape(shape.dimensions.dropLast() + [weight.shape[0]]))
  }
}

extension OperationSpec {
  static let matmul: [OperationSpec] = [
    OperationSpec("matmul", inputs: ["input", "other"]) { _, x in
      [try x.required("input").matmul(x.required("other"))]
    },
    OperationSpec("linear", inputs: ["input", "weight", "bias?"]) { _, x in
      [try x.required("input").linear(weight: x.required("weight"), bias: x.optional("bias"))]
    },
  ]
}
