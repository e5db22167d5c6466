import TernCore
import TernGraph

extension Operations.Permute: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, y) = (inputs[0], outputs[0])
    let strides = x.shape.strides
    let source = StridedIndex(y.shape, strides: order.map { strides[$0] })
    return {
      for i in 0..<y.count { y[i] = x[source[i]] }
    }
  }
}

extension Operations.Cat: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let y = outputs[0]
    let strides = y.shape.strides
    var start = 0
    var parts: [(x: View, target: StridedIndex)] = []
    for x in inputs {
      parts.append((x, StridedIndex(x.shape, strides: strides, start: start * strides[axis])))
      start += x.shape[axis]
    }
    return { [parts] in
      for (x, target) in parts {
        for i in 0..<x.count { y[target[i]] = x[i] }
      }
    }
  }
}

extension Operations.Narrow: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, y) = (inputs[0], outputs[0])
    let strides = x.shape.strides
    let source = StridedIndex(y.shape, strides: strides, start: start * strides[axis])
    return {
      for i in 0..<y.count { y[i] = x[source[i]] }
    }
  }
}

extension Operations.Pad: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, y) = (inputs[0], outputs[0])
    let source = PaddedIndex(mode, before: before, input: x.shape, output: y.shape)
    let value: Double = if case .constant(let value) = mode { Double(value) } else { 0 }
    return {
      for i in 0..<y.count { y[i] = source[i].map { x[$0] } ?? value }
    }
  }
}

extension Operations.PadBackward: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dy, dx) = (inputs[0], outputs[0])
    let source = PaddedIndex(mode, before: before, input: dx.shape, output: dy.shape)
    return {
      dx.fill(0)
      for i in 0..<dy.count {
        if let source = source[i] { dx[source] += dy[i] }
      }
    }
  }
}

/// Which element of its input every element of a padded tensor repeats.
private struct PaddedIndex {
  private let mode: PaddingMode
  private let before: [Int]
  private let input: Shape
  private let output: Shape
  private let inputStrides: [Int]

  init(_ mode: PaddingMode, before: [Int], input: Shape, output: Shape) {
    self.mode = mode
    self.before = before
    self.input = input
    self.output = output
    inputStrides = input.strides
  }

  /// `nil` where the element is a constant.
  subscript(element: Int) -> Int? {
    var rest = element
    var place = 0
    for axis in before.indices.reversed() {
      let position = rest % output[axis] - before[axis]
      guard let source = source(position, extent: input[axis]) else { return nil }
      place += source * inputStrides[axis]
      rest /= output[axis]
    }
    return place
  }

  /// The position inside 0 ..< extent that one outside stands for.
  private func source(_ position: Int, extent: Int) -> Int? {
    if position >= 0, position < extent { return position }
    switch mode {
    case .constant: return nil
    case .reflect: return position < 0 ? -position : 2 * (extent - 1) - position
    case .replicate: return position < 0 ? 0 : extent - 1
    case .circular: return position < 0 ? position + extent : position - extent
    }
  }
}
