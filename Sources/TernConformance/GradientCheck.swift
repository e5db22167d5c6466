import Tern
import TernReference

/// Checks the reference's gradients against central differences, in `Double`.
///
/// With cotangents c, the scalar L = Σ c·output has the gradient that differentiation must give:
/// ∂L/∂x ≈ (L(x + h) − L(x − h)) / 2h, h = 10⁻⁶.
package struct GradientCheck {
  package static let step = 1e-6
  package static let tolerance = 1e-5
  /// Elements checked per input; spread evenly where there are more.
  package static let elementLimit = 24

  package init() {}

  /// Checks every differentiable input of a case.
  ///
  /// - Returns: the first gradient that differs, or `nil`.
  package func firstFault(in opCase: OpCase) throws -> String? {
    let reference = CaseRunner(device: ReferenceDevice(rounding: .none))
    let testCase = try opCase.conformanceCase(reference: reference)
    guard !testCase.gradients.isEmpty, let operation = OperationCase(testCase) else {
      return "\(opCase.name): nothing to differentiate"
    }
    let executable = try Session(device: reference.device).compile(operation.graph())
    var values = testCase.inputs.mapValues(\.doubles)
    for (name, cotangent) in testCase.cotangents { values["cotangent.\(name)"] = cotangent.doubles }
    let analytic = try executable.runInFullPrecision(values)

    func loss(_ inputs: [String: [Double]]) throws -> Double {
      let outputs = try executable.runInFullPrecision(inputs)
      return testCase.cotangents.reduce(0) { sum, cotangent in
        zip(cotangent.value.doubles, outputs["output.\(cotangent.key)"]!).reduce(sum) {
          $0 + $1.0 * $1.1
        }
      }
    }
    for name in testCase.gradients.keys.sorted() {
      let count = values[name]!.count
      for index in stride(from: 0, to: count, by: max(1, count / Self.elementLimit)) {
        var shifted = values
        shifted[name]![index] += Self.step
        let above = try loss(shifted)
        shifted[name]![index] -= 2 * Self.step
        let difference = (above - (try loss(shifted))) / (2 * Self.step)
        let gradient = analytic["gradient.\(name)"]![index]
        let scale = max(1, abs(gradient), abs(difference))
        if !(abs(gradient - difference) <= Self.tolerance * scale) {
          return "\(opCase.name): gradient of \(name)[\(index)] is \(gradient), "
            + "differences give \(difference)"
        }
      }
    }
    return nil
  }
}
