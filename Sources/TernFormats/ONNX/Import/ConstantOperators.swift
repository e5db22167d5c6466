import Foundation
import TernCore
import TernGraph

extension ONNXOperators {
  static let constants: [String: ONNXOperator] = [
    "Constant": ONNXOperator(host: { call in
      for (name, attribute) in call.node.attributes {
        switch (name, attribute) {
        case ("value", .tensor(let tensor)): return [.host(try tensor.array())]
        case ("value_float", .float(let value)):
          return [.host(HostArray(.float, [], real: [Double(value)]))]
        case ("value_int", .int(let value)):
          return [.host(HostArray(.int64, [], integers: [Int64(value)]))]
        case ("value_floats", .floats(let values)):
          return [.host(HostArray(.float, [values.count], real: values.map(Double.init)))]
        case ("value_ints", .ints(let values)): return [.host(HostArray(values))]
        case ("value_string", _), ("value_strings", _):
          throw ONNXFault.unsupported("a constant of type string")
        case ("sparse_value", _): throw ONNXFault.unsupported("a sparse constant")
        default: continue
        }
      }
      throw ONNXFault.invalid("no value")
    }),
    "ConstantOfShape": ONNXOperator(
      host: { call in
        let shape = try call.constant(0).integers
        var value = HostArray(.float, [1], real: [0])
        if case .tensor(let tensor)? = call.node.attributes["value"] { value = try tensor.array() }
        guard value.count == 1 else { throw ONNXFault.invalid("a value of shape \(value.shape)") }
        // What is large is no shape: a device repeats the number.
        if value.type.isReal, Shape(shape).isUsable, Shape(shape).elementCount > 1 << 16 {
          return [
            .device(try call.number(Float(value.doubles[0])).expand(Shape(shape)), value.type)
          ]
        }
        try IndexMap.check(shape)
        let zeros = [Int](repeating: 0, count: shape.reduce(1, *))
        return [.host(value.taking(IndexMap(shape, zeros)))]
      }, isShapeArithmetic: true),
    "Shape": ONNXOperator(
      host: { call in try shapeOf(call) }, device: { call in try shapeOf(call) }),
    "Size": ONNXOperator(
      host: { call in
        [.host(HostArray(.int64, [], integers: [Int64(try call.shape(0).reduce(1, *))]))]
      },
      device: { call in
        [.host(HostArray(.int64, [], integers: [Int64(try call.shape(0).reduce(1, *))]))]
      }),
    "Range": ONNXOperator(
      host: { call in
        let (start, limit, step) = (
          try call.constant(0).scalar(), try call.constant(1).scalar(),
          try call.constant(2).scalar()
        )
        guard step != 0, step.isFinite, start.isFinite, limit.isFinite else {
          throw ONNXFault.invalid("from \(start) to \(limit) by \(step)")
        }
        let count = max((limit - start) / step, 0).rounded(.up)
        guard count <= Double(IndexMap.largest) else {
          throw ONNXFault.unsupported("of \(count) numbers")
        }
        return [
          .host(
            HostArray(
              try call.type(0), [Int(count)],
              rounding: (0..<Int(count)).map { start + Double($0) * step }))
        ]
      }, isShapeArithmetic: true),
    "EyeLike": ONNXOperator(
      host: { try eye($0) }, device: { try eye($0) }),
    "Cast": casting { call in
      let code = try call.int("to", 0)
      guard let type = ElementType(rawValue: code) else {
        throw ONNXFault.unsupported("to type \(code)")
      }
      return type
    },
    "CastLike": casting { try $0.type(1) },
    "NonZero": ONNXOperator(
      host: { call in
        let x = try call.constant(0)
        let values = x.doubles
        let strides = IndexMap.strides(x.shape)
        let places = values.indices.filter { values[$0] != 0 }
        let rows = zip(x.shape, strides).flatMap { extent, stride in
          places.map { Int64($0 / stride % extent) }
        }
        return [.host(HostArray(.int64, [x.shape.count, places.count], integers: rows))]
      }, isShapeArithmetic: true),
  ]

  private static func shapeOf(_ call: ONNXCall) throws -> [ONNXValue] {
    let shape = try call.shape(0)
    func clamped(_ given: Int) -> Int {
      let value = given < 0 ? max(given, -shape.count) + shape.count : given
      return min(value, shape.count)
    }
    let (start, end) = (
      clamped(try call.int("start", 0)), clamped(try call.int("end", shape.count))
    )
    return [.host(HostArray(Array(shape[start..<max(start, end)])))]
  }

  private static func eye(_ call: ONNXCall) throws -> [ONNXValue] {
    let (shape, offset) = (try call.shape(0), try call.int("k", 0))
    let type =
      try call.node.attributes["dtype"] == nil
      ? call.type(0) : ElementType(rawValue: call.int("dtype", 1))
    guard shape.count == 2, let type, type.byteCount != nil else {
      throw ONNXFault.invalid("of shape \(shape)")
    }
    try IndexMap.check(shape)
    return [
      .host(
        HostArray(
          type, shape,
          rounding: (0..<shape[0] * shape[1]).map {
            $0 % shape[1] - $0 / shape[1] == offset ? 1 : 0
          }))
    ]
  }

  private static func casting(_ target: @escaping @Sendable (ONNXCall) throws -> ElementType)
    -> ONNXOperator
  {
    @Sendable func checked(_ call: ONNXCall) throws -> ElementType {
      let type = try target(call)
      guard type.byteCount != nil else { throw ONNXFault.unsupported("to \(type.name)") }
      return type
    }
    return ONNXOperator(
      host: { [.host(try $0.constant(0).cast(to: checked($0)))] },
      device: { call in
        let (from, to) = (try call.type(0), try checked(call))
        // What a device holds is float32, whatever a network calls it: rounding to fewer bits is left out.
        let isKept =
          (to.isReal && to != .bfloat16) || from == to || (from == .bool && to.isInteger)
          || (from.isInteger && (to == .int64 || to == .int32))
        if isKept {
          if case .device(let tensor, _, let known) = try call.value(0),
            tensor.type.dataType == .float32 || to.isInteger
          {
            return [.device(tensor, to, known: known?.cast(to: to))]
          }
          return try call.result(try call.tensor(0), to)
        }
        guard to == .bool else {
          throw ONNXFault.unsupported("\(from.name) to \(to.name) that is computed")
        }
        let x = try call.tensor(0)
        return try call.result(
          try x.equal(call.number(0)).affine(scale: -1, shift: 1), .bool)
      })
  }
}
