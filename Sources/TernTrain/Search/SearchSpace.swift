import Foundation
import TernCore

/// The settings that a sweep varies, each as a number between 0 and 1.
package struct SearchSpace: Sendable {
  /// One setting, by its name in config.yaml.
  package struct Parameter: Sendable {
    package enum Domain: Sendable {
      case choices([AttributeValue])
      /// Between two numbers, both included; whole ones where `isInteger`.
      case range(low: Double, high: Double, isLogarithmic: Bool, isInteger: Bool)
    }

    package let name: String
    package let domain: Domain

    package init(name: String, domain: Domain) {
      self.name = name
      self.domain = domain
    }

    /// The value at `position` of [0, 1).
    package func value(at position: Double) -> AttributeValue {
      switch domain {
      case .choices(let values):
        return values[min(Int(position * Double(values.count)), values.count - 1)]
      case .range(let low, let high, let isLogarithmic, let isInteger):
        let value =
          isLogarithmic ? low * pow(high / low, position) : low + (high - low) * position
        guard isInteger else { return .double(value) }
        let whole = min(max(value.rounded(), low), high)
        // The largest Int is none of the numbers that a Double has.
        return .int(Int(exactly: whole) ?? (whole < 0 ? .min : .max))
      }
    }

    /// Where ``value(at:)`` gives `value`; of a choice the middle.
    package func position(of value: AttributeValue) -> Double {
      switch domain {
      case .choices(let values):
        return (Double(values.firstIndex(of: value) ?? 0) + 0.5) / Double(values.count)
      case .range(let low, let high, let isLogarithmic, _):
        let number = value.number ?? low
        guard high > low else { return 0 }
        return isLogarithmic ? log(number / low) / log(high / low) : (number - low) / (high - low)
      }
    }

    /// The values that a grid visits: every choice, or `count` positions, the ends included.
    func gridPositions(_ count: Int) -> [Double] {
      if case .choices(let values) = domain {
        return values.indices.map { (Double($0) + 0.5) / Double(values.count) }
      }
      return (0..<count).map { count == 1 ? 0.5 : Double($0) / Double(count - 1) }
    }
  }

  package let parameters: [Parameter]

  package init(_ parameters: [Parameter]) { self.parameters = parameters }

  /// The settings at a point of the unit cube.
  package func settings(at point: [Double]) -> [String: AttributeValue] {
    Dictionary(
      uniqueKeysWithValues: zip(parameters, point).map { ($0.name, $0.value(at: $1)) })
  }

  /// A point of a grid, the last setting changing fastest.
  ///
  /// - Parameter points: positions per range.
  package func gridPoint(_ number: Int, points: Int) -> [Double] {
    var rest = number
    return parameters.reversed().map { parameter in
      let positions = parameter.gridPositions(points)
      defer { rest /= positions.count }
      return positions[rest % positions.count]
    }.reversed()
  }

  /// A point drawn uniformly, by trial number.
  package func random(trial: Int, seed: UInt64) -> [Double] {
    Philox(seed: seed, stream: .data).uniforms(parameters.count, UInt32(trial), 1).map(Double.init)
  }
}

extension AttributeValue {
  /// The number that it is.
  var number: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }
}
