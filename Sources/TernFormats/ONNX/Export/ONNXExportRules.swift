import TernCore
import TernGraph

/// A node that is being exported.
struct ONNXExportCall {
  let node: Node
  let exporter: GraphExporter

  init(_ node: Node, exporter: GraphExporter) { (self.node, self.exporter) = (node, exporter) }

  func input(_ index: Int) throws -> String { try exporter.name(of: node.inputs[index]) }
  func inputs() throws -> [String] { try node.inputs.map(exporter.name(of:)) }
  func type(_ index: Int) -> TensorType { exporter.graph.type(node.inputs[index]) }

  /// The extents behind the batch and the channels, which no batch changes.
  func plane(_ id: ValueID) -> [Int] { Array(exporter.graph.type(id).shape.dimensions[2...]) }

  /// Appends an operator with one output.
  func emit(
    _ name: String, _ inputs: [String], _ attributes: [String: ONNXAttribute] = [:]
  ) -> String {
    exporter.emit(name, inputs, attributes, scope: node.scope)[0]
  }

  func number(_ value: Float) -> String { exporter.number(value) }
  func row(_ values: [Int]) -> String { exporter.row(values) }
  func constant(_ value: HostTensor) -> String { exporter.constant(value) }
}

/// How an operation is written in ONNX's operators.
struct ONNXExportRule: Sendable {
  typealias Body = @Sendable (ONNXExportCall) throws -> [String]

  let operation: any Operation.Type
  /// Whether the rule takes shapes from the values, so that the operation's own may depend on the batch.
  let readsShapes: Bool
  let body: Body

  init<T: Operation>(
    _ operation: T.Type, readsShapes: Bool = false,
    _ body: @escaping @Sendable (T, ONNXExportCall) throws -> [String]
  ) {
    (self.operation, self.readsShapes) = (operation, readsShapes)
    self.body = { call in try body(call.node.operation as! T, call) }
  }

  /// A rule for an operation with one output.
  static func one<T: Operation>(
    _ operation: T.Type, readsShapes: Bool = false,
    _ body: @escaping @Sendable (T, ONNXExportCall) throws -> String
  ) -> ONNXExportRule {
    ONNXExportRule(operation, readsShapes: readsShapes) { [try body($0, $1)] }
  }
}

/// How operations are written, by their types.
///
/// Source: the operators' documentation, onnx.ai/onnx/operators, opset 17.
enum ONNXExportRules {
  private static let families: [[ONNXExportRule]] = [
    elementwise, movement, products, windows, normalizations,
  ]

  private static let byType: [ObjectIdentifier: ONNXExportRule] = Dictionary(
    uniqueKeysWithValues: families.joined().map { (ObjectIdentifier($0.operation), $0) })

  static func rule(for operation: any Operation) -> ONNXExportRule? {
    byType[ObjectIdentifier(type(of: operation))]
  }
}

// MARK: - Element by element

extension ONNXExportRules {
  static let elementwise: [ONNXExportRule] = [
    .one(Operations.Unary.self) { operation, call in
      try unary(operation.function, call.input(0), call)
    },
    .one(Operations.UnaryBackward.self) { operation, call in
      // The derivative of |x|, by which signs are taken.
      guard case .abs = operation.function else {
        throw ONNXExportError(description: "is a gradient, which a network does not compute")
      }
      return call.emit("Mul", [try call.input(0), call.emit("Sign", [try call.input(1)])])
    },
    .one(Operations.Binary.self) { operation, call in
      let inputs = try call.inputs()
      switch operation.function {
      case .add: return try batchNormalization(call) ?? call.emit("Add", inputs)
      case .sub: return call.emit("Sub", inputs)
      case .mul: return call.emit("Mul", inputs)
      case .div: return call.emit("Div", inputs)
      case .maximum: return call.emit("Max", inputs)
      case .minimum: return call.emit("Min", inputs)
      case .equal: return truth("Equal", inputs, call)
      case .heaviside:
        let half = call.emit("Mul", [truth("Equal", inputs, call), call.number(0.5)])
        return call.emit("Add", [truth("Greater", inputs, call), half])
      }
    },
    .one(Operations.Softmax.self) { operation, call in
      call.emit(
        operation.isLogarithmic ? "LogSoftmax" : "Softmax", [try call.input(0)],
        ["axis": .int(operation.axis)])
    },
    .one(Operations.RandomNormal.self, readsShapes: true) { _, call in
      // Other programs draw other numbers: whoever runs the network gives them.
      try call.exporter.drawnInput(for: call.node.outputs[0], scope: call.node.scope)
    },
  ]

  /// 1 where a comparison holds, else 0.
  private static func truth(_ name: String, _ inputs: [String], _ call: ONNXExportCall) -> String {
    call.emit("Cast", [call.emit(name, inputs)], ["to": .int(ElementType.float.rawValue)])
  }

  private static func unary(
    _ function: Operations.Unary.Function, _ x: String, _ call: ONNXExportCall
  ) throws -> String {
    func times(_ a: String, _ factor: Float) -> String {
      factor == 1 ? a : call.emit("Mul", [a, call.number(factor)])
    }
    func plus(_ a: String, _ summand: Float) -> String {
      summand == 0 ? a : call.emit("Add", [a, call.number(summand)])
    }
    switch function {
    case .relu: return call.emit("Relu", [x])
    case .leakyReLU(let slope): return call.emit("LeakyRelu", [x], ["alpha": .float(slope)])
    case .elu(let alpha): return call.emit("Elu", [x], ["alpha": .float(alpha)])
    case .gelu(let isApproximate):
      // Opset 20 has an operator for it. x · ½ · (1 + erf(x / √2)), or with tanh in place of erf.
      let inner =
        isApproximate
        ? call.emit(
          "Tanh",
          [
            times(
              call.emit(
                "Mul", [x, plus(times(call.emit("Mul", [x, x]), 0.044715), 1)]),
              (2 / Float.pi).squareRoot())
          ])
        : call.emit("Erf", [times(x, Float(0.5).squareRoot())])
      return call.emit("Mul", [x, times(plus(inner, 1), 0.5)])
    case .silu: return call.emit("Mul", [x, call.emit("Sigmoid", [x])])
    case .sigmoid: return call.emit("Sigmoid", [x])
    case .tanh: return call.emit("Tanh", [x])
    case .softplus(let beta, _):
      // Beyond the threshold log(1 + eˣ) is x to the last bit or two.
      return times(call.emit("Softplus", [times(x, beta)]), 1 / beta)
    case .hardtanh(let low, let high), .clamp(let low, let high):
      var inputs = [x, low > -.infinity ? call.number(low) : ""]
      if high < .infinity { inputs.append(call.number(high)) }
      while inputs.last == "" { inputs.removeLast() }
      return inputs.count == 1 ? call.emit("Identity", inputs) : call.emit("Clip", inputs)
    case .exp: return call.emit("Exp", [x])
    case .log: return call.emit("Log", [x])
    case .sqrt: return call.emit("Sqrt", [x])
    case .rsqrt: return call.emit("Reciprocal", [call.emit("Sqrt", [x])])
    case .reciprocal: return call.emit("Reciprocal", [x])
    case .abs: return call.emit("Abs", [x])
    case .square: return call.emit("Mul", [x, x])
    case .pow(let exponent): return call.emit("Pow", [x, call.number(exponent)])
    case .affine(scale: -1, shift: 0): return call.emit("Neg", [x])
    case .affine(let scale, let shift):
      if scale == 1, shift == 0 { return call.emit("Identity", [x]) }
      return plus(times(x, scale), shift)
    }
  }
}

// MARK: - Movement

extension ONNXExportRules {
  static let movement: [ONNXExportRule] = [
    .one(Operations.Reshape.self, readsShapes: true) { _, call in
      call.emit("Reshape", [try call.input(0), try reshaped(call)])
    },
    .one(Operations.Expand.self, readsShapes: true) { _, call in
      // An extent that the input has anyway is 1 here, which repeats nothing.
      let (from, to) = (
        try call.exporter.extents(call.node.inputs[0]),
        try call.exporter.extents(call.node.outputs[0])
      )
      let missing = [ExportExtent](repeating: .fixed(1), count: to.count - from.count)
      let target = zip(missing + from, to).map { $0 == $1 ? ExportExtent.fixed(1) : $1 }
      return call.emit("Expand", [try call.input(0), try call.exporter.shape(target)])
    },
    .one(Operations.Permute.self) { operation, call in
      call.emit("Transpose", [try call.input(0)], ["perm": .ints(operation.order)])
    },
    .one(Operations.Cat.self) { operation, call in
      call.emit("Concat", try call.inputs(), ["axis": .int(operation.axis)])
    },
    .one(Operations.Narrow.self) { operation, call in
      slice(
        try call.input(0), axis: operation.axis, from: operation.start,
        to: operation.start + operation.length, call)
    },
    .one(Operations.Pad.self) { operation, call in
      let x = try call.input(0)
      let pads = call.row(operation.before + operation.after)
      switch operation.mode {
      case .constant(let value): return call.emit("Pad", [x, pads, call.number(value)])
      case .reflect: return call.emit("Pad", [x, pads], ["mode": .string("reflect")])
      case .replicate: return call.emit("Pad", [x, pads], ["mode": .string("edge")])
      case .circular:
        // A mode of opset 19: parts of the other side are joined on.
        return operation.before.indices.reduce(x) { x, axis in
          let (before, after) = (operation.before[axis], operation.after[axis])
          var parts = [x]
          if before > 0 {
            parts.insert(slice(x, axis: axis, from: -before, to: Int(Int32.max), call), at: 0)
          }
          if after > 0 { parts.append(slice(x, axis: axis, from: 0, to: after, call)) }
          return parts.count == 1 ? x : call.emit("Concat", parts, ["axis": .int(axis)])
        }
      }
    },
    .one(Operations.Reduce.self) { operation, call in
      let x = try call.input(0)
      let keeps = ONNXAttribute.int(operation.keepsAxes ? 1 : 0)
      // Axes are an input of ReduceSum since opset 13, of the others since 18.
      switch operation.function {
      case .sum: return call.emit("ReduceSum", [x, call.row(operation.axes)], ["keepdims": keeps])
      case .mean:
        return call.emit("ReduceMean", [x], ["axes": .ints(operation.axes), "keepdims": keeps])
      case .amax:
        return call.emit("ReduceMax", [x], ["axes": .ints(operation.axes), "keepdims": keeps])
      }
    },
    .one(Operations.Embedding.self) { _, call in
      call.emit("Gather", [try call.input(1), try call.input(0)], ["axis": .int(0)])
    },
  ]

  private static func slice(
    _ x: String, axis: Int, from start: Int, to end: Int, _ call: ONNXExportCall
  ) -> String {
    call.emit("Slice", [x, call.row([start]), call.row([end]), call.row([axis])])
  }

  /// The shape that Reshape is given: 0 for an extent that stays in its place, −1 for one that follows of the
  /// others.
  private static func reshaped(_ call: ONNXExportCall) throws -> String {
    let from = try call.exporter.extents(call.node.inputs[0])
    let to = try call.exporter.extents(call.node.outputs[0])
    let varying = to.indices.filter { if case .batch = to[$0] { true } else { false } }
    let open = varying.filter { $0 >= from.count || from[$0] != to[$0] }
    guard open.count <= 1 else { return try call.exporter.shape(to) }
    return call.row(
      to.enumerated().map { axis, extent in
        switch extent {
        case .fixed(let count): count
        case .batch: varying.count == 1 ? -1 : open.contains(axis) ? -1 : 0
        }
      })
  }
}
