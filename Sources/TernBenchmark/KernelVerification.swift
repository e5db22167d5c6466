import Tern
import TernConformance
import TernReference

/// Whether a device computes a pass correctly, on the shape that is timed.
struct KernelVerification {
  /// Floats of a result may differ by this part of the expected value, or of the root mean square
  /// of all expected values where that is larger: a sum of many terms may come out near zero.
  /// Where the device rounds operands, by several roundings.
  private let tolerance: Double

  private(set) var maximumRelativeError = 0.0
  /// Where the first value differs too much, and how.
  private(set) var fault: String?

  /// - Parameters:
  ///   - inputs: what the device was given, by name.
  ///   - results: what it computed: `output.NAME` or `gradient.NAME`.
  init(
    _ testCase: BenchmarkCase, _ pass: BenchmarkPass, _ kernel: KernelGraph,
    inputs: [String: HostTensor], results: [String: HostTensor], precision: Precision
  ) throws {
    tolerance = max(1e-4, 8 * precision.unitRoundoff)
    let sample = SampledCase(testCase, pass, kernel.cost)
    func parts(_ prefix: String) -> [String: HostTensor] {
      Dictionary(
        uniqueKeysWithValues: inputs.compactMap { name, tensor in
          guard name.hasPrefix(prefix) else { return nil }
          let bare = String(name.dropFirst(prefix.count))
          return (bare, sample.part(of: tensor, named: bare))
        })
    }
    let cotangents = parts("cotangent.")
    var operands = parts("").filter { !$0.key.hasPrefix("cotangent.") }
    if testCase.operation.hasPrefix("optimizer.") {
      operands["gradient.0"] = operands.removeValue(forKey: "gradient")
    }
    // A gradient may not depend on its own input, which the graph must have all the same.
    for (name, input) in testCase.opCase.inputs
    where operands[name] == nil && name != "gradient" {
      operands[name] = sample.part(of: BenchmarkData.tensor(input, key: name), named: name)
    }
    let expected = try CaseRunner(device: ReferenceDevice()).execute(
      ConformanceCase(
        name: testCase.name, operation: testCase.operation, attributes: sample.attributes,
        inputs: operands, cotangents: cotangents,
        gradients: Dictionary(uniqueKeysWithValues: kernel.targets.map { ($0, operands[$0]!) })))
    for (name, result) in results.sorted(by: { $0.key < $1.key }) {
      let base = name.split(separator: ".", maxSplits: 1).last.map(String.init) ?? name
      let expectedName = name == "output.parameter" ? "output.parameter.0" : name
      guard let target = expected?[expectedName] else {
        throw TernError(.runtime, "\(testCase.name): the reference computes no \(name)")
      }
      compare(name, got: sample.part(of: result, named: base), expected: target)
    }
  }

  private mutating func compare(_ name: String, got: HostTensor, expected: HostTensor) {
    guard got.shape == expected.shape else {
      fault = fault ?? "\(name): expected shape \(expected.shape), got \(got.shape)"
      return
    }
    let (values, targets) = (got.doubles, expected.doubles)
    let rootMeanSquare =
      (targets.reduce(0) { $0 + $1 * $1 } / Double(max(targets.count, 1))).squareRoot()
    for (index, (value, target)) in zip(values, targets).enumerated() where value != target {
      let error = abs(value - target) / max(abs(target), rootMeanSquare)
      maximumRelativeError = max(maximumRelativeError, error.isNaN ? .infinity : error)
      // Written so that NaN fails.
      if !(error <= tolerance), fault == nil {
        fault = "\(name), element \(index): expected \(target), got \(value)"
      }
    }
  }
}
