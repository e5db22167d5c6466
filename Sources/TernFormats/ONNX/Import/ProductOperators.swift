import Foundation
import TernCore
import TernGraph

extension ONNXOperators {
  static let products: [String: ONNXOperator] = [
    "MatMul": .device { call in
      try call.result(try call.weight(0).matmul(call.weight(1)))
    },
    "Gemm": .device { call in
      var (a, b) = (try call.tensor(0), try call.weight(1))
      guard a.shape.rank == 2, b.shape.rank == 2 else {
        throw ONNXFault.invalid("a product of \(a.shape) and \(b.shape)")
      }
      if try call.flag("transA") { a = try a.transpose(0, 1) }
      let (alpha, beta) = (try call.float("alpha", 1), try call.float("beta", 1))
      let isTransposed = try call.flag("transB")
      // PyTorch's linear layer, bias included.
      if alpha == 1, beta == 1, isTransposed {
        let bias = try call.optionalWeight(2)
        if bias == nil || bias!.shape == [b.shape[0]] {
          return try call.result(try a.linear(weight: b, bias: bias))
        }
      }
      if isTransposed { b = try b.transpose(0, 1) }
      var y = try a.matmul(b)
      if alpha != 1 { y = try y.affine(scale: alpha) }
      if let c = try call.optionalWeight(2) {
        y = try y + (beta == 1 ? c : c.affine(scale: beta))
      }
      return try call.result(y)
    },
    "Einsum": .device { call in
      let terms = try call.inputs.indices.map { try call.tensor($0) }
      return try call.result(try einsum(call.string("equation", ""), terms))
    },
  ]

  /// Sums of products over named axes: operands brought to the same axes, multiplied, summed.
  private static func einsum(_ equation: String, _ operands: [Tensor]) throws -> Tensor {
    let text = equation.filter { $0 != " " }
    let sides = text.components(separatedBy: "->")
    let inputs = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
    guard inputs.count == operands.count, (1...2).contains(operands.count), sides.count <= 2,
      !text.contains(".")
    else { throw ONNXFault.unsupported("with the equation '\(equation)'") }
    let counted = inputs.joined().reduce(into: [:]) { $0[$1, default: 0] += 1 }
    let output =
      sides.count == 2
      ? Array(sides[1]) : counted.filter { $0.value == 1 }.map(\.key).sorted()
    guard inputs.allSatisfy({ Set($0).count == $0.count }), Set(output).count == output.count,
      output.allSatisfy({ counted[$0] != nil })
    else { throw ONNXFault.unsupported("with the equation '\(equation)'") }
    for (axes, x) in zip(inputs, operands) where axes.count != x.shape.rank {
      throw ONNXFault.invalid("'\(equation)' for an operand of shape \(x.shape)")
    }
    guard operands.count == 2 else { return try summed(operands[0], inputs[0], to: output) }
    let (left, right) = (inputs[0], inputs[1])
    let batch = left.filter { right.contains($0) && output.contains($0) }
    let inner = left.filter { right.contains($0) && !output.contains($0) }
    // What one operand alone has and nobody asks for is summed first.
    let rows = left.filter { !right.contains($0) && output.contains($0) }
    let columns = right.filter { !left.contains($0) && output.contains($0) }
    let a = try summed(operands[0], left, to: batch + rows + inner)
    let b = try summed(operands[1], right, to: batch + inner + columns)
    func extents(_ axes: [Character]) -> [Int] {
      axes.map { axis in
        left.firstIndex(of: axis).map { operands[0].shape[$0] }
          ?? operands[1].shape[right.firstIndex(of: axis)!]
      }
    }
    func count(_ axes: [Character]) -> Int { extents(axes).reduce(1, *) }
    let product = try a.reshape([count(batch), count(rows), count(inner)])
      .matmul(b.reshape([count(batch), count(inner), count(columns)]))
      .reshape(Shape(extents(batch + rows + columns)))
    return try summed(product, batch + rows + columns, to: output)
  }

  private static func summed(
    _ x: Tensor, _ axes: [Character], to target: [Character]
  ) throws -> Tensor {
    let gone = axes.indices.filter { !target.contains(axes[$0]) }
    let rest = axes.filter { target.contains($0) }
    let y = gone.isEmpty ? x : try x.sum(gone)
    return try y.permute(target.map { rest.firstIndex(of: $0)! })
  }
}
