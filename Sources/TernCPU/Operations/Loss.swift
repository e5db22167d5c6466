import TernCore
import TernGraph

extension Operations.NLLLoss: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let targets = ClassTargets(self, node.inputs[0].shape)
    let hasWeight = node.inputs.count == 3
    return Lowering { addresses in
      let (x, classes) = (addresses.input(0), addresses.integerInput(1))
      let weight = hasWeight ? addresses.input(2) : nil
      let (loss, weightSum) = (addresses.output(0), addresses.output(1))
      let check = targets.check("nll_loss", classes)
      let total = total(targets.count, loss: loss, weightSum: weightSum) {
        targets.loss(x, classes[$0], weight, at: $0)
      }
      return {
        try check()
        total()
      }
    }
  }

  /// Reduces the losses of `count` positions.
  func total(
    _ count: Int, loss: UnsafeMutablePointer<Float>, weightSum: UnsafeMutablePointer<Float>,
    _ position: @escaping (Int) -> (value: Float, weight: Float)
  ) -> () -> Void {
    {
      // In Double: there may be millions of pixels.
      var sum = 0.0
      var weights = 0.0
      for i in 0..<count {
        let (value, weight) = position(i)
        sum += Double(value)
        weights += Double(weight)
        if reduction == .none { loss[i] = value }
      }
      weightSum[0] = Float(weights)
      switch reduction {
      case .none: break
      case .sum: loss[0] = Float(sum)
      // Of nothing 0: what counts nothing adds nothing.
      case .mean: loss[0] = weights == 0 ? 0 : Float(sum / weights)
      }
    }
  }

  /// What arrives at the loss of a position.
  @inline(__always)
  func gradient(
    _ dy: UnsafePointer<Float>, _ weightSum: UnsafePointer<Float>, at position: Int
  ) -> Float {
    switch reduction {
    case .none: dy[position]
    case .sum: dy[0]
    case .mean: weightSum[0] == 0 ? 0 : dy[0] / weightSum[0]
    }
  }
}

extension Operations.NLLLossBackward: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let targets = ClassTargets(forward, inputShape)
    let hasWeight = node.inputs.count == 4
    return Lowering { addresses in
      let (dy, classes, weightSum) = (
        addresses.input(0), addresses.integerInput(1), addresses.input(2)
      )
      let weight = hasWeight ? addresses.input(3) : nil
      let dx = addresses.output(0)
      let check = targets.check("nll_loss_backward", classes)
      let grain = max(1, Threads.elementwiseGrain / targets.classCount)
      let fill = context.threads.loop(targets.count, grain: grain) { range in
        for i in range {
          targets.backward(
            forward.gradient(dy, weightSum, at: i), classes[i], weight, dx, at: i)
        }
      }
      return {
        try check()
        try fill()
      }
    }
  }
}

/// The targets of a negative log-likelihood over [N, C, *], one per position of [N, *].
struct ClassTargets {
  let classCount: Int
  let count: Int
  /// The product of the axes behind the classes.
  private let inner: Int
  private let ignoreIndex: Int32
  private let smoothing: Float

  init(_ loss: Operations.NLLLoss, _ shape: Shape) {
    classCount = shape[1]
    inner = shape.elementCount(in: 2..<shape.rank)
    count = shape[0] * inner
    ignoreIndex = loss.ignoreIndex
    smoothing = loss.labelSmoothing
  }

  /// A step that throws where a target is no class: targets come from outside.
  func check(_ operation: String, _ targets: UnsafePointer<Int32>) -> Step {
    {
      for i in 0..<count where targets[i] != ignoreIndex {
        guard targets[i] >= 0, Int(targets[i]) < classCount else {
          throw TernError(
            .badData,
            "\(operation): target \(targets[i]) at position \(i) is not a class "
              + "(0..<\(classCount))")
        }
      }
    }
  }

  /// Where the first class of a position is.
  private func start(_ position: Int) -> Int {
    let (image, pixel) = position.quotientAndRemainder(dividingBy: inner)
    return image * classCount * inner + pixel
  }

  /// The loss at a position, and the weight with which it counts in a mean.
  func loss(
    _ x: UnsafePointer<Float>, _ target: Int32, _ weight: UnsafePointer<Float>?, at position: Int
  ) -> (value: Float, weight: Float) {
    guard target != ignoreIndex else { return (0, 0) }
    let x = x + start(position)
    /// 0 of a class that weighs nothing, whatever its score.
    func term(_ c: Int) -> Float {
      let weight = weight?[c] ?? 1
      return weight == 0 ? 0 : x[c * inner] * weight
    }
    let own = weight?[Int(target)] ?? 1
    var value = -term(Int(target))
    if smoothing > 0 {
      var all: Float = 0
      for c in 0..<classCount { all -= term(c) }
      value = (1 - smoothing) * value + smoothing / Float(classCount) * all
    }
    return (value, own)
  }

  /// Writes the gradients of all classes at a position.
  func backward(
    _ gradient: Float, _ target: Int32, _ weight: UnsafePointer<Float>?,
    _ dx: UnsafeMutablePointer<Float>, at position: Int
  ) {
    let dx = dx + start(position)
    let isIgnored = target == ignoreIndex
    let share = isIgnored ? 0 : -gradient * smoothing / Float(classCount)
    for c in 0..<classCount { dx[c &* inner] = share == 0 ? 0 : share * (weight?[c] ?? 1) }
    if !isIgnored {
      dx[Int(target) * inner] -= gradient * (1 - smoothing) * (weight?[Int(target)] ?? 1)
    }
  }
}
