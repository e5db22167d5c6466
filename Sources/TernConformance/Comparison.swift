import Tern

/// Compares what a device computed with what it should have, element by element.
struct Comparison {
  let relativeTolerance: Double
  let absoluteTolerance: Double
  /// Beside both: of the largest element of a tensor, what its elements may be off.
  let scaledTolerance: Double
  private(set) var maximumAbsoluteError = 0.0
  private(set) var maximumRelativeError = 0.0
  private(set) var failure: (location: String, message: String)?

  init(relativeTolerance: Double, absoluteTolerance: Double, scaledTolerance: Double = 0) {
    self.relativeTolerance = relativeTolerance
    self.absoluteTolerance = absoluteTolerance
    self.scaledTolerance = scaledTolerance
  }

  /// - Parameter scale: what ``scaledTolerance`` is a part of, where it is not the largest element.
  mutating func compare(
    _ name: String, got: HostTensor?, expected: HostTensor, scale: Double? = nil
  ) {
    guard let got else {
      fail(name, "expected \(expected.type), got nothing")
      return
    }
    guard got.shape == expected.shape else {
      fail(name, "expected shape \(expected.shape), got \(got.shape)")
      return
    }
    compare(
      name, got: got.doubles, expected: expected.doubles, shape: expected.shape, scale: scale)
  }

  mutating func compare(
    _ name: String, got: [Double], expected: [Double], shape: Shape, scale: Double? = nil
  ) {
    let least =
      scaledTolerance > 0
      ? max(absoluteTolerance, scaledTolerance * (scale ?? expected.map(abs).max() ?? 0))
      : absoluteTolerance
    for (index, (value, target)) in zip(got, expected).enumerated() {
      if value == target { continue }
      let error = abs(value - target)
      // Written so that NaN fails.
      if !(error <= least + relativeTolerance * abs(target)) {
        fail("\(name)\(Self.coordinates(index, shape))", "expected \(target), got \(value)")
      }
      maximumAbsoluteError = max(maximumAbsoluteError, error.isNaN ? .infinity : error)
      if target != 0 {
        let relative = error / abs(target)
        maximumRelativeError = max(maximumRelativeError, relative.isNaN ? .infinity : relative)
      }
    }
  }

  mutating func fail(_ location: String, _ message: String) {
    if failure == nil { failure = (location, message) }
  }

  private static func coordinates(_ index: Int, _ shape: Shape) -> String {
    var remainder = index
    let position = shape.strides.map { stride in
      defer { remainder %= stride }
      return remainder / stride
    }
    return "\(position)"
  }
}
