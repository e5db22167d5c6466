import Foundation
import TernCore

/// The learning rate as a pure function of the step, so that a resumed run cannot shift it.
public struct Schedule: Hashable, Sendable {
  public enum Form: Hashable, Sendable {
    case constant
    /// Multiplied by `factor` every `epochs` epochs.
    case step(epochs: Int, factor: Double)
    /// Half a cosine from the base rate to 0 over the whole run. Loshchilov and Hutter, 2017.
    case cosine
    /// base / √t, t the epoch counted from 1, continuously.
    case inverseSqrt
  }

  public let form: Form
  public let baseRate: Double
  /// Epochs over which the rate rises linearly from 0 to the base rate.
  public let warmupEpochs: Double

  public init(_ form: Form, baseRate: Double, warmupEpochs: Double = 0) {
    self.form = form
    self.baseRate = baseRate
    self.warmupEpochs = warmupEpochs
  }

  public static let names = ["constant", "step", "cosine", "inverse-sqrt"]

  /// The schedule of that name.
  public init(named name: String, baseRate: Double, warmupEpochs: Double = 0) throws {
    let form: Form =
      switch name {
      case "constant": .constant
      case "step": .step(epochs: 30, factor: 0.1)
      case "cosine": .cosine
      case "inverse-sqrt": .inverseSqrt
      default:
        throw TernError(
          .usage, "unknown schedule '\(name)'; known are \(Self.names.joined(separator: ", "))")
      }
    self.init(form, baseRate: baseRate, warmupEpochs: warmupEpochs)
  }

  /// The rate of a step, counted from 0.
  ///
  /// - Parameters:
  ///   - stepsPerEpoch: how many steps an epoch has.
  ///   - totalSteps: how many the run has.
  public func rate(step: Int, stepsPerEpoch: Int, totalSteps: Int) -> Double {
    let warmupSteps = Int((warmupEpochs * Double(stepsPerEpoch)).rounded())
    if step < warmupSteps { return baseRate * Double(step + 1) / Double(warmupSteps) }
    let position = step - warmupSteps
    let length = max(totalSteps - warmupSteps, 1)
    switch form {
    case .constant: return baseRate
    case .step(let epochs, let factor):
      return baseRate * pow(factor, Double(position / (epochs * stepsPerEpoch)))
    case .cosine:
      return baseRate * 0.5 * (1 + cos(Double.pi * Double(min(position, length)) / Double(length)))
    case .inverseSqrt:
      return baseRate / (1 + Double(position) / Double(stepsPerEpoch)).squareRoot()
    }
  }
}
