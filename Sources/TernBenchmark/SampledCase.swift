import Tern
import TernConformance

/// A part of a case that is small enough for the reference, cut so that what the part computes is a
/// part of what the whole computes: some samples, some channels, some columns.
///
/// The device runs the whole case; the reference the part. So a kernel is checked on the very shape
/// that is timed.
struct SampledCase {
  private let testCase: BenchmarkCase
  private let pass: BenchmarkPass
  private(set) var attributes: [String: AttributeValue]
  /// What is kept of tensors, by name and axis.
  private var ranges: [String: [Int: Range<Int>]] = [:]

  /// An axis that several tensors share.
  private struct SharedAxis {
    /// The number of the axis, by tensor.
    let numbers: [String: Int]
    let extent: Int
  }

  /// Floating-point operations, or bytes, that the reference may be given.
  private static let budget = 2e7

  init(_ testCase: BenchmarkCase, _ pass: BenchmarkPass, _ cost: Cost) {
    self.testCase = testCase
    self.pass = pass
    attributes = testCase.opCase.attributes
    var share = Self.budget / Double(max(cost.flops, cost.bytes, 1))
    keepOneGroup(&share)
    for axis in sharedAxes() where share < 1 {
      let kept = max(1, Int(Double(axis.extent) * share))
      // The last ones: where a kernel handles remainders.
      for (name, number) in axis.numbers {
        let end = ranges[name]?[number]?.upperBound ?? axis.extent
        ranges[name, default: [:]][number] =
          testCase.operation == "dropout" ? 0..<kept : end - kept..<end
      }
      share *= Double(axis.extent) / Double(kept)
    }
  }

  /// The part of a tensor.
  func part(of tensor: HostTensor, named name: String) -> HostTensor {
    (ranges[name] ?? [:]).sorted { $0.key < $1.key }.reduce(tensor) {
      $0.slice(axis: $1.key, $1.value)
    }
  }

  // MARK: - Which axes may be cut

  private var inputs: [String: OpCase.Input] { testCase.opCase.inputs }

  /// A grouped convolution is as many convolutions; the last one is kept.
  private mutating func keepOneGroup(_ share: inout Double) {
    guard testCase.operation == "conv2d", share < 1, case .int(let groups)? = attributes["groups"],
      groups > 1, let input = inputs["input"]?.shape, let weight = inputs["weight"]?.shape
    else { return }
    let filters = weight[0] - weight[0] / groups..<weight[0]
    ranges["input"] = [1: input[1] - input[1] / groups..<input[1]]
    for name in ["weight", "bias"] { ranges[name] = [0: filters] }
    ranges["output"] = [1: filters]
    attributes["groups"] = .int(1)
    share *= Double(groups)
  }

  /// The axes along which the pass computes one thing beside another, and sums nothing.
  private func sharedAxes() -> [SharedAxis] {
    func axis(_ numbers: [String: Int]) -> SharedAxis? {
      var numbers = numbers
      var extent: Int?
      for (name, number) in numbers {
        guard let shape = inputs[name]?.shape else {
          if name != "output" { numbers[name] = nil }
          continue
        }
        // A tensor of fewer axes cannot be cut there, so none is.
        guard shape.indices.contains(number) else { return nil }
        let own = ranges[name]?[number]?.count ?? shape[number]
        guard extent == nil || extent == own else { return nil }
        extent = own
      }
      return extent.map { SharedAxis(numbers: numbers, extent: $0) }
    }
    func choose(_ forward: [[String: Int]], _ data: [[String: Int]], _ weights: [[String: Int]])
      -> [SharedAxis]
    {
      let chosen =
        switch pass {
        case .forward: forward
        case .backwardData: data
        case .backwardWeights: weights
        }
      return chosen.compactMap(axis)
    }
    /// The first axis of every tensor.
    let leading = Dictionary(uniqueKeysWithValues: (inputs.keys + ["output"]).map { ($0, 0) })

    switch testCase.operation {
    case "conv2d":
      let (sample, filter, channel) = (
        ["input": 0, "output": 0], ["weight": 0, "bias": 0, "output": 1],
        ["input": 1, "weight": 1]
      )
      return choose([sample, filter], [sample, channel], [filter, channel])
    case "linear":
      let (row, feature, column) = (
        ["input": 0, "output": 0], ["weight": 0, "bias": 0, "output": 1],
        ["input": 1, "weight": 1]
      )
      return choose([row, feature], [row, column], [feature, column])
    case "matmul":
      let rank = inputs["input"]?.shape.rank ?? 0
      guard rank == inputs["other"]?.shape.rank, rank == 2 || rank == 3 else { return [] }
      let batch = rank == 3 ? [leading] : []
      let (m, n, k) = (
        ["input": rank - 2, "output": rank - 2], ["other": rank - 1, "output": rank - 1],
        ["input": rank - 1, "other": rank - 2]
      )
      return choose(batch + [m, n], batch + [m, k], batch + [n, k])
    case "batch_norm":
      let channel = leading.merging(["input": 1, "output": 1]) { _, new in new }
      return choose([channel], [channel], [])
    case "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "scaled_dot_product_attention":
      guard inputs.values.allSatisfy({ $0.shape.rank == 4 }) else { return [] }
      let both = [leading, leading.mapValues { _ in 1 }]
      return choose(both, both, [])
    case "pad", "interpolate", "local_response_norm", "dropout":
      let sample = leading.filter { $0.key != "step" }
      return choose([sample], [sample], [])
    case "layer_norm", "group_norm":
      let row = ["input": 0, "output": 0]
      return choose([row], [row], [])
    case "softmax", "log_softmax", "cat":
      let rank = inputs.values.map(\.shape.rank).max()!
      guard case .int(let axis)? = attributes["dim"], axis != 0, axis != -rank else { return [] }
      return choose([leading], [leading], [])
    case "embedding":
      let column = ["weight": 1, "output": inputs["input"]!.shape.rank]
      return choose([column], [], [column])
    case _ where testCase.operation.hasPrefix("optimizer."):
      return choose([leading], [], [])
    case let name where OperationSpec.isElementwise(name):
      // A tensor that is repeated is left as it is, and its gradient is a sum.
      let shapes = Set(inputs.values.map(\.shape))
      guard shapes.count == 1 else { return [] }
      return choose([leading], [leading], [])
    default: return []
    }
  }
}

extension OperationSpec {
  fileprivate static func isElementwise(_ name: String) -> Bool {
    guard let spec = named(name), spec.inputs == ["input"] || spec.inputs == ["input", "other"]
    else { return false }
    return OpCase.elementwise.contains { $0.operation == name }
      || OpCase.binary.contains { $0.operation == name }
  }
}

extension HostTensor {
  /// The elements at `range` of an axis.
  fileprivate func slice(axis: Int, _ range: Range<Int>) -> HostTensor {
    var target = shape
    target[axis] = range.count
    let inner = shape.elementCount(in: axis + 1..<shape.rank)
    let row = shape[axis] * inner
    func cut<Element>(_ values: [Element]) -> [Element] {
      var result: [Element] = []
      result.reserveCapacity(target.elementCount)
      for start in stride(from: 0, to: values.count, by: row) {
        result +=
          values[
            start + range.lowerBound * inner..<start + range.upperBound * inner]
      }
      return result
    }
    switch storage {
    case .float32(let values): return HostTensor(target, cut(values))
    case .int32(let values): return HostTensor(target, cut(values))
    case .uint8(let values): return HostTensor(target, cut(values))
    case .float16, .bfloat16: return HostTensor(target, cut(floats)).cast(to: type.dataType)
    }
  }
}
