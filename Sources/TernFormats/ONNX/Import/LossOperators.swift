import Foundation
import TernCore
import TernGraph

extension ONNXOperators {
  private static func lossReduction(_ call: ONNXCall) throws -> LossReduction {
    let name = try call.string("reduction", "mean")
    guard let reduction = LossReduction(rawValue: name) else {
      throw ONNXFault.invalid("reduction \(name)")
    }
    return reduction
  }

  static let losses: [String: ONNXOperator] = [
    "SoftmaxCrossEntropyLoss": .device { call in
      let (x, targets) = (try call.tensor(0), try call.importer.indices(call.value(1)))
      let weight = try call.optionalTensor(2)
      let loss = try x.crossEntropy(
        targets, weight: weight, reduction: lossReduction(call),
        ignoreIndex: call.int("ignore_index", -100))
      let type = try call.type(0)
      guard call.node.outputs.count > 1 else { return [.device(loss, type)] }
      return [.device(loss, type), .device(try x.logSoftmax(dim: 1), type)]
    },
    "NegativeLogLikelihoodLoss": .device { call in
      try call.result(
        try call.tensor(0).nllLoss(
          call.importer.indices(call.value(1)), weight: call.optionalTensor(2),
          reduction: lossReduction(call), ignoreIndex: call.int("ignore_index", -100)))
    },
  ]

  static let attention: [String: ONNXOperator] = [
    "Attention": .device { call in
      let (q, k, v) = (try call.tensor(0), try call.tensor(1), try call.tensor(2))
      guard !call.has(4), !call.has(5), call.node.outputs.count == 1,
        try call.float("softcap", 0) == 0, !call.has(6)
      else { throw ONNXFault.unsupported("with keys and values of before, or a softcap") }
      let isFlat = q.shape.rank == 3
      /// [N, L, H E] → [N, H, L, E]
      func heads(_ x: Tensor, _ count: Int) throws -> Tensor {
        guard isFlat else { return x }
        guard count > 0, x.shape[2] % count == 0 else {
          throw ONNXFault.invalid("\(count) heads of \(x.shape)")
        }
        return try x.reshape([x.shape[0], x.shape[1], count, x.shape[2] / count]).transpose(1, 2)
      }
      let query = try heads(q, call.int("q_num_heads", 0))
      var (key, value) = (
        try heads(k, call.int("kv_num_heads", 0)), try heads(v, call.int("kv_num_heads", 0))
      )
      guard query.shape.rank == 4, key.shape.rank == 4, value.shape.rank == 4,
        query.shape[1] % key.shape[1] == 0
      else { throw ONNXFault.invalid("queries of \(q.shape) and keys of \(k.shape)") }
      let shared = query.shape[1] / key.shape[1]
      if shared > 1 {
        // Groups of queries that read the same keys.
        func repeated(_ x: Tensor) throws -> Tensor {
          let s = x.shape
          return try x.reshape([s[0], s[1], 1, s[2], s[3]])
            .expand([s[0], s[1], shared, s[2], s[3]]).reshape([s[0], s[1] * shared, s[2], s[3]])
        }
        (key, value) = (try repeated(key), try repeated(value))
      }
      var mask: Tensor?
      if call.has(3) {
        mask = try call.finite(3)
        if try call.type(3) == .bool {
          mask = try call.tensor(3).affine(scale: 1e30, shift: -1e30)
        }
      }
      let isCausal = try call.flag("is_causal")
      if isCausal, mask != nil || query.shape[2] != key.shape[2] {
        let (rows, columns) = (query.shape[2], key.shape[2])
        try IndexMap.check([rows, columns])
        let hidden = call.builder.constant(
          HostTensor(
            [rows, columns],
            (0..<rows * columns).map { $0 % columns > $0 / columns ? Float(-1e30) : 0 }))
        mask = try mask.map { try $0 + hidden } ?? hidden
      }
      let scale = try call.float("scale", 1 / Float(query.shape[3]).squareRoot())
      let y = try query.scaledDotProductAttention(
        key: key, value: value, mask: mask, isCausal: isCausal && mask == nil, scale: scale)
      guard isFlat else { return try call.result(y) }
      return try call.result(
        try y.transpose(1, 2).reshape([q.shape[0], q.shape[1], y.shape[1] * y.shape[3]]))
    }
  ]

  static let control: [String: ONNXOperator] = [
    "If": ONNXOperator(
      host: { try branch($0) }, device: { try branch($0) }, isShapeArithmetic: true)
  ]

  private static func branch(_ call: ONNXCall) throws -> [ONNXValue] {
    let isTrue = try call.constant(0).scalar() != 0
    guard case .graph(let graph)? = call.node.attributes[isTrue ? "then_branch" : "else_branch"]
    else { throw ONNXFault.invalid("a branch is missing") }
    return try call.importer.run(graph)
  }

  // MARK: Training

  /// ai.onnx.preview.training: the rules of optimizers, and a gradient.
  static let training: [String: ONNXOperator] = [
    "Adagrad": update(slots: 1) { call, x, g, slots, rate, t in
      let step = rate * (1 / (1 + t * (try call.float("decay_factor", 0))))
      let squares = try slots[0] + g.square()
      let adaptive = try squares.sqrt().affine(scale: 1, shift: call.float("epsilon", 1e-6))
      return (try x - (g / adaptive).affine(scale: step), [squares])
    },
    "Adam": update(slots: 2) { call, x, g, slots, rate, t in
      let (alpha, beta) = (try call.float("alpha", 0.9), try call.float("beta", 0.999))
      let mean = try slots[0].affine(scale: alpha) + g.affine(scale: 1 - alpha)
      let squares = try slots[1].affine(scale: beta) + g.square().affine(scale: 1 - beta)
      let step = t > 0 ? rate * (1 - pow(beta, t)).squareRoot() / (1 - pow(alpha, t)) : rate
      let root = try squares.sqrt().affine(scale: 1, shift: call.float("epsilon", 1e-6))
      let moved = try x - (mean / root).affine(scale: step)
      return (
        try moved.affine(scale: 1 - call.float("norm_coefficient_post", 0)), [mean, squares]
      )
    },
    "Momentum": update(slots: 1) { call, x, g, slots, rate, t in
      let alpha = try call.float("alpha", 0)
      let beta = t > 0 ? try call.float("beta", 1) : 1
      let velocity = try slots[0].affine(scale: alpha) + g.affine(scale: beta)
      let isNesterov = try call.string("mode", "standard") == "nesterov"
      let direction = isNesterov ? try g + velocity.affine(scale: alpha) : velocity
      return (try x - direction.affine(scale: rate), [velocity])
    },
    "Gradient": .device { call in
      guard case .string(let y)? = call.node.attributes["y"], let xs = try call.strings("xs") else {
        throw ONNXFault.invalid("xs and y are missing")
      }
      let value = try call.importer.tensor(call.importer.value(named: y))
      let targets = try xs.map { try call.importer.tensor(call.importer.value(named: $0)) }
      let gradients = try call.builder.gradients(
        of: [(value, call.builder.constant(1).expand(value.shape))], withRespectTo: targets)
      return try zip(gradients, targets).map { gradient, target in
        .device(try gradient ?? call.number(0).expand(target.shape), .float)
      }
    },
  ]

  /// A rule for any number of tensors: rate, step, the tensors, their gradients, and their slots.
  private static func update(
    slots: Int,
    _ rule:
      @escaping @Sendable (ONNXCall, Tensor, Tensor, [Tensor], Float, Float) throws -> (
        Tensor, [Tensor]
      )
  ) -> ONNXOperator {
    .device { call in
      let (rate, t) = (try Float(call.constant(0).scalar()), try Float(call.constant(1).scalar()))
      let count = (call.inputs.count - 2) / (2 + slots)
      guard count >= 1, call.inputs.count == 2 + count * (2 + slots) else {
        throw ONNXFault.invalid("\(call.inputs.count) inputs")
      }
      var (moved, kept) = ([ONNXValue](), [[ONNXValue]](repeating: [], count: slots))
      for index in 0..<count {
        let x = try call.tensor(2 + index)
        let g =
          try call.tensor(2 + count + index)
          + x.affine(scale: call.float("norm_coefficient", 0))
        let (y, after) = try rule(
          call, x, g, (0..<slots).map { try call.tensor(2 + (2 + $0) * count + index) }, rate, t)
        moved.append(.device(y, .float))
        for (slot, value) in after.enumerated() { kept[slot].append(.device(value, .float)) }
      }
      return moved + kept.joined()
    }
  }
}
