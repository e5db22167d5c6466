import Foundation

/// How values are distributed: counts in buckets whose widths grow by a tenth away from zero.
package struct Histogram: Sendable {
  package private(set) var minimum = Double.infinity
  package private(set) var maximum = -Double.infinity
  package private(set) var count = 0
  package private(set) var sum = 0.0
  package private(set) var sumOfSquares = 0.0
  /// The upper limits of the buckets that hold a value or stand between two that do, ascending, and
  /// how many values are in each: above the limit before, at most its own.
  package private(set) var buckets: [(limit: Double, count: Int)] = []

  /// ±1e-12 · 1.1ⁿ up to 1e20, and 0: the limits TensorBoard's own writer uses.
  private static let limits: [Double] = {
    let positive = sequence(first: 1e-12) { $0 < 1e20 ? $0 * 1.1 : nil }
    let values = Array(positive)
    return values.reversed().map { -$0 } + [0] + values + [.greatestFiniteMagnitude]
  }()

  /// Values that are not finite are left out.
  package init(_ values: [Float]) {
    var counts = [Int](repeating: 0, count: Self.limits.count)
    for value in values where value.isFinite {
      let value = Double(value)
      minimum = min(minimum, value)
      maximum = max(maximum, value)
      count += 1
      sum += value
      sumOfSquares += value * value
      counts[Self.bucket(of: value)] += 1
    }
    guard let first = counts.firstIndex(where: { $0 > 0 }),
      let last = counts.lastIndex(where: { $0 > 0 })
    else { return }
    // An empty bucket below the first says where it begins.
    buckets = (max(first - 1, 0)...last).map { (Self.limits[$0], counts[$0]) }
  }

  /// The first bucket whose limit is not below `value`.
  private static func bucket(of value: Double) -> Int {
    var (low, high) = (0, limits.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if limits[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
