import Foundation
import TernCore
import TernGraph

extension ONNXOperators {
  /// Two known tensors, element by element, of the type of the first unless another is named.
  static func folded(
    _ a: HostArray, _ b: HostArray, _ type: ElementType? = nil,
    real: (Double, Double) throws -> Double, integer: (Int64, Int64) throws -> Int64
  ) throws -> HostArray {
    guard let shape = Shape.broadcast(Shape(a.shape), Shape(b.shape))?.dimensions else {
      throw ONNXFault.invalid("the shapes \(a.shape) and \(b.shape) do not broadcast")
    }
    try IndexMap.check(shape)
    let (x, y) = (try a.expanded(to: shape), try b.expanded(to: shape))
    let result = type ?? a.type
    if case (.integer(let x), .integer(let y)) = (x.values, y.values) {
      return HostArray(
        result, shape, integers: try zip(x, y).map { result.wrapped(try integer($0, $1)) })
    }
    return HostArray(
      result, shape, rounding: try zip(x.doubles, y.doubles).map { try real($0, $1) })
  }

  /// An operator of any number of inputs, taken two at a time.
  private static func variadic(
    real: @escaping @Sendable (Double, Double) throws -> Double,
    integer: @escaping @Sendable (Int64, Int64) throws -> Int64,
    allowsIntegers: Bool = false, device: @escaping @Sendable (Tensor, Tensor) throws -> Tensor
  ) -> ONNXOperator {
    ONNXOperator(
      host: { call in
        var result = try call.constant(0)
        for index in call.inputs.indices.dropFirst() {
          result = try folded(result, call.constant(index), real: real, integer: integer)
        }
        return [.host(result)]
      },
      device: { call in
        guard try allowsIntegers || call.type(0).isReal else {
          throw ONNXFault.unsupported("on \(try call.type(0).name) that is computed")
        }
        var result = try call.operand(0)
        for index in call.inputs.indices.dropFirst() {
          result = try device(result, call.operand(index))
        }
        return try call.result(result)
      })
  }

  static let arithmetic: [String: ONNXOperator] = [
    "Add": variadic(real: { $0 + $1 }, integer: { $0 &+ $1 }, device: { try $0 + $1 }),
    "Sum": variadic(real: { $0 + $1 }, integer: { $0 &+ $1 }, device: { try $0 + $1 }),
    "Sub": variadic(real: { $0 - $1 }, integer: { $0 &- $1 }, device: { try $0 - $1 }),
    "Mul": variadic(real: { $0 * $1 }, integer: { $0 &* $1 }, device: { try $0 * $1 }),
    "Div": variadic(
      real: { $0 / $1 },
      integer: { a, b in
        guard b != 0, !(a == .min && b == -1) else {
          throw ONNXFault.invalid("\(a) divided by \(b)")
        }
        return a / b
      }, device: { try $0 / $1 }),
    "Max": variadic(real: Swift.max, integer: Swift.max, allowsIntegers: true) {
      try $0.maximum($1)
    },
    "Min": variadic(real: Swift.min, integer: Swift.min, allowsIntegers: true) {
      try $0.minimum($1)
    },
    "Mean": .device { call in
      var sum = try call.operand(0)
      for index in call.inputs.indices.dropFirst() { sum = try sum + call.operand(index) }
      return try call.result(try sum.affine(scale: 1 / Float(call.inputs.count)))
    },
    "Mod": ONNXOperator(
      host: { call in
        let isC = try call.flag("fmod")
        return [
          .host(
            try folded(
              call.constant(0), call.constant(1), real: { fmod($0, $1) },
              integer: { a, b in
                guard b != 0 else { throw ONNXFault.invalid("\(a) modulo 0") }
                let rest = b == -1 ? 0 : a % b
                return !isC && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest
              }))
        ]
      }),
    "BitShift": ONNXOperator(
      host: { call in
        let isLeft = try call.string("direction", "") == "LEFT"
        return [
          .host(
            try folded(
              call.constant(0), call.constant(1), real: { a, _ in a },
              integer: { a, b in
                guard (0..<64).contains(b) else { return 0 }
                return isLeft ? a << b : Int64(bitPattern: UInt64(bitPattern: a) >> UInt64(b))
              }))
        ]
      }),
    "Pow": ONNXOperator(
      host: { call in
        [
          .host(
            try folded(
              call.constant(0), call.constant(1), real: pow,
              integer: { Int64(clampingTruncated: pow(Double($0), Double($1))) }))
        ]
      },
      device: { call in
        guard try call.type(0).isReal else {
          throw ONNXFault.unsupported("on \(try call.type(0).name) that is computed")
        }
        let x = try call.tensor(0)
        // With an exponent that is one known number, any base.
        if let known = try? call.constant(1), let first = known.doubles.first,
          known.doubles.allSatisfy({ $0 == first })
        {
          let y = try x.pow(Float(first))
          let shape = Shape.broadcast(x.shape, Shape(known.shape)) ?? x.shape
          return try call.result(shape == y.shape ? y : y.expand(shape))
        }
        return try call.result(try (x.log() * call.operand(1)).exp())
      }),
    "Clip": ONNXOperator(
      host: { call in
        let x = try call.constant(0)
        let low = try call.optionalConstant(1)?.scalar() ?? -.infinity
        let high = try call.optionalConstant(2)?.scalar() ?? .infinity
        return [
          .host(HostArray(x.type, x.shape, rounding: x.doubles.map { min(max($0, low), high) }))
        ]
      },
      device: { call in
        let x = try call.tensor(0)
        guard call.opset >= 11 else {
          return try call.result(
            try x.clamp(
              min: call.float("min", -.infinity), max: call.float("max", .infinity)))
        }
        func bound(_ index: Int, _ standard: Float) throws -> Float {
          Float(try call.optionalConstant(index)?.scalar() ?? Double(standard))
        }
        return try call.result(
          try x.clamp(min: bound(1, -.infinity), max: bound(2, .infinity)))
      }),
    "Where": ONNXOperator(
      host: { call in
        let condition = try call.constant(0)
        var (a, b) = (try call.constant(1), try call.constant(2))
        guard
          let shape = Shape.broadcast(Shape(a.shape), Shape(b.shape)).flatMap({
            Shape.broadcast($0, Shape(condition.shape))
          })?.dimensions
        else { throw ONNXFault.invalid("the shapes do not broadcast") }
        try IndexMap.check(shape)
        (a, b) = (try a.expanded(to: shape), try b.expanded(to: shape))
        let choices = try condition.expanded(to: shape).integers
        if case (.integer(let x), .integer(let y)) = (a.values, b.values) {
          return [
            .host(
              HostArray(
                a.type, shape, integers: choices.indices.map { choices[$0] != 0 ? x[$0] : y[$0] }))
          ]
        }
        let (x, y) = (a.doubles, b.doubles)
        return [
          .host(
            HostArray(
              a.type, shape, rounding: choices.indices.map { choices[$0] != 0 ? x[$0] : y[$0] }))
        ]
      },
      device: { call in
        let condition = try call.tensor(0)
        let (a, b) = (try call.finite(1), try call.finite(2))
        return try call.result(
          try condition * a + condition.affine(scale: -1, shift: 1) * b, call.type(1))
      }),
  ]

  // MARK: Comparisons

  private static func comparison(
    _ host: @escaping @Sendable (Double, Double) -> Bool,
    _ integer: @escaping @Sendable (Int64, Int64) -> Bool,
    _ device: @escaping @Sendable (Tensor, Tensor) throws -> Tensor
  ) -> ONNXOperator {
    ONNXOperator(
      host: { call in
        [
          .host(
            try folded(
              call.constant(0), call.constant(1), .bool, real: { host($0, $1) ? 1 : 0 },
              integer: { integer($0, $1) ? 1 : 0 }))
        ]
      },
      device: { try $0.result(try device($0.operand(0), $0.operand(1)), .bool) })
  }

  static let comparisons: [String: ONNXOperator] = [
    "Equal": comparison({ $0 == $1 }, { $0 == $1 }, { try $0.equal($1) }),
    "Greater": comparison({ $0 > $1 }, { $0 > $1 }, greater),
    "Less": comparison({ $0 < $1 }, { $0 < $1 }, { try greater($1, $0) }),
    "GreaterOrEqual": comparison({ $0 >= $1 }, { $0 >= $1 }, greaterOrEqual),
    "LessOrEqual": comparison({ $0 <= $1 }, { $0 <= $1 }, { try greaterOrEqual($1, $0) }),
    "And": comparison({ $0 != 0 && $1 != 0 }, { $0 != 0 && $1 != 0 }, { try $0 * $1 }),
    "Or": comparison({ $0 != 0 || $1 != 0 }, { $0 != 0 || $1 != 0 }, { try $0.maximum($1) }),
    "Xor": comparison(
      { ($0 != 0) != ($1 != 0) }, { ($0 != 0) != ($1 != 0) },
      {
        try ($0 - $1).abs()
      }),
  ]
}

extension ONNXCall {
  /// An operand of element-wise arithmetic. A vector of the file is learnt, a single number is not.
  func operand(_ index: Int) throws -> Tensor {
    // A layer's bias may have one element.
    try importer.tensor(
      value(index), isWeight: node.operatorName == "Add" && (shape(index).count == 1))
  }

  /// An operand in which infinities are the largest finite number: they are multiplied by 0.
  func finite(_ index: Int) throws -> Tensor {
    guard case .host(let array) = try value(index), case .real(let values) = array.values else {
      return try operand(index)
    }
    let largest = Double(Float.greatestFiniteMagnitude)
    let bounded = HostArray(
      array.type, array.shape, real: values.map { min(max($0, -largest), largest) })
    return try importer.tensor(.host(bounded))
  }
}
