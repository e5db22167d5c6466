import Foundation
import TernCore

/// The learning rate as a pure function of the step and of the drops recorded so far, so that a
/// resumed run cannot shift it.
public struct Schedule: Hashable, Sendable {
  /// How the rate goes on.
  public enum Form: Hashable, Sendable {
    /// Always the base rate.
    case constant
    /// Multiplied by `factor` every `epochs` epochs.
    case step(epochs: Int, factor: Double)
    /// Multiplied by `factor` at the start of each of these epochs, counted from 0.
    case multiStep(epochs: [Int], factor: Double)
    /// Multiplied by `factor` every epoch, continuously.
    case exponential(factor: Double)
    /// base · (1 + factor · t)^−power, continuously: Caffe's `inv`.
    case inverse(factor: Double, power: Double)
    /// base · (1 − t / T)^power over the whole run of T: Caffe's `poly`.
    case polynomial(power: Double)
    /// base / (1 + e^(−factor · (t − center))), continuously: Caffe's `sigmoid`. It falls where the factor is
    /// below 0, and is half the base rate at the centre.
    case sigmoid(factor: Double, center: Int)
    /// base / √t, t the epoch counted from 1, continuously.
    case inverseSqrt
    /// Half a cosine from the base rate to the minimum over the whole run. Loshchilov and Hutter,
    /// 2017.
    case cosine
    /// Half a cosine up from base / 25 over the first 30 % of the run, half a cosine down to
    /// base / 250,000, which the last step has. Smith and Topin, 2018.
    case oneCycle
    /// Multiplied by `factor` once the monitored metric has not improved for `patience` epochs.
    case plateau(factor: Double, patience: Int)
  }

  /// What a schedule counts.
  public enum Unit: String, Hashable, Sendable, CaseIterable {
    /// Passes through the training set.
    case epoch
    /// Updates of the parameters.
    case step
  }

  /// The numbers of a form, where they are not its usual ones.
  public struct Parameters: Hashable, Sendable {
    /// Epochs, or steps, between the steps of `step`, or to the middle of `sigmoid`.
    public var stepEpochs: Int
    /// Where `multi-step` steps.
    public var milestones: [Int]
    /// What the rate is multiplied by; `nil` for the form's own.
    public var factor: Double?
    /// The epochs that `plateau` waits.
    public var patience: Int
    /// The rate never falls below this one after the warm-up.
    public var minimumRate: Double
    /// The exponent of `inverse` and `polynomial`; `nil` for the form's own.
    public var power: Double?
    /// What `step`, `multi-step`, `exponential`, `inverse` and `sigmoid` count.
    public var unit: Unit

    /// The usual numbers, where no others are given.
    public init(
      stepEpochs: Int = 30, milestones: [Int] = [], factor: Double? = nil, patience: Int = 5,
      minimumRate: Double = 0, power: Double? = nil, unit: Unit = .epoch
    ) {
      (self.power, self.unit) = (power, unit)
      self.stepEpochs = stepEpochs
      self.milestones = milestones
      self.factor = factor
      self.patience = patience
      self.minimumRate = minimumRate
    }
  }

  /// How the rate goes on.
  public let form: Form
  /// The rate after the warm-up.
  public let baseRate: Double
  /// Epochs over which the rate rises linearly from 0 to the base rate.
  public let warmupEpochs: Double
  /// The rate never falls below this one after the warm-up.
  public let minimumRate: Double

  /// What is counted: where it is steps, the numbers of a form are steps instead of epochs.
  public let unit: Unit

  /// A schedule of that form.
  public init(
    _ form: Form, baseRate: Double, warmupEpochs: Double = 0, minimumRate: Double = 0,
    unit: Unit = .epoch
  ) {
    self.unit = unit
    self.form = form
    self.baseRate = baseRate
    self.warmupEpochs = warmupEpochs
    self.minimumRate = minimumRate
  }

  /// Whether the rate depends on how long the run is.
  public var endsWithTheRun: Bool {
    switch form {
    case .cosine, .oneCycle, .polynomial: true
    case .constant, .step, .multiStep, .exponential, .inverse, .sigmoid, .inverseSqrt, .plateau:
      false
    }
  }

  /// The names of the forms, for ``init(named:baseRate:warmupEpochs:parameters:)``.
  public static let names = [
    "constant", "step", "multi-step", "exponential", "inverse", "inverse-sqrt", "polynomial",
    "sigmoid", "cosine", "one-cycle", "plateau",
  ]

  /// The schedule of that name.
  ///
  /// - Throws: ``TernError`` of kind `usage` for an unknown name or a number out of range.
  public init(
    named name: String, baseRate: Double, warmupEpochs: Double = 0,
    parameters: Parameters = Parameters()
  ) throws {
    func check(_ isValid: Bool, _ setting: String, _ expected: String, _ got: Any) throws {
      if !isValid { throw TernError(.usage, "\(setting): expected \(expected), got \(got)") }
    }
    let p = parameters
    try check(p.stepEpochs >= 1, "lr-step", "at least 1", p.stepEpochs)
    try check(p.patience >= 1, "lr-patience", "at least 1", p.patience)
    try check(
      p.factor.map { name == "sigmoid" ? $0.isFinite : $0 > 0 && $0 <= 1 } ?? true, "lr-gamma",
      name == "sigmoid" ? "a number" : "above 0, at most 1", p.factor ?? 1)
    try check(
      p.power.map { $0 > 0 && $0 <= 100 } ?? true, "lr-power", "above 0, at most 100", p.power ?? 1)
    try check(
      p.minimumRate >= 0 && p.minimumRate <= baseRate, "lr-min", "0 to the learning rate",
      p.minimumRate)
    try check(
      zip(p.milestones, p.milestones.dropFirst()).allSatisfy { $0 < $1 }
        && p.milestones.first ?? 1 >= 1,
      "lr-milestones", "ascending epochs from 1 on", p.milestones)
    switch name {
    case "constant": form = .constant
    case "step": form = .step(epochs: p.stepEpochs, factor: p.factor ?? 0.1)
    case "multi-step":
      try check(!p.milestones.isEmpty, "schedule multi-step", "lr-milestones", "none")
      form = .multiStep(epochs: p.milestones, factor: p.factor ?? 0.1)
    case "exponential": form = .exponential(factor: p.factor ?? 0.95)
    case "inverse": form = .inverse(factor: p.factor ?? 1, power: p.power ?? 1)
    case "inverse-sqrt": form = .inverseSqrt
    case "polynomial": form = .polynomial(power: p.power ?? 1)
    case "sigmoid": form = .sigmoid(factor: p.factor ?? -0.1, center: p.stepEpochs)
    case "cosine": form = .cosine
    case "one-cycle":
      try check(
        warmupEpochs == 0, "warmup-epochs", "0 with one-cycle, which warms up by itself",
        warmupEpochs)
      form = .oneCycle
    case "plateau": form = .plateau(factor: p.factor ?? 0.5, patience: p.patience)
    default:
      let hint = EditDistance.nearest(to: name, among: Self.names).map { "; did you mean '\($0)'?" }
      throw TernError(
        .usage,
        "unknown schedule '\(name)'"
          + (hint ?? "; known are \(Self.names.joined(separator: ", "))"))
    }
    self.baseRate = baseRate
    self.warmupEpochs = warmupEpochs
    minimumRate = p.minimumRate
    unit = p.unit
  }

  /// The rate of a step, counted from 0.
  ///
  /// - Parameters:
  ///   - stepsPerEpoch: how many steps an epoch has.
  ///   - totalSteps: how many the run has.
  ///   - drops: the steps before which `plateau` lowered the rate, ascending.
  public func rate(step: Int, stepsPerEpoch: Int, totalSteps: Int, drops: [Int] = []) -> Double {
    let warmupSteps = Int((warmupEpochs * Double(stepsPerEpoch)).rounded())
    if step < warmupSteps { return baseRate * Double(step + 1) / Double(warmupSteps) }
    let position = step - warmupSteps
    let length = max(totalSteps - warmupSteps, 1)
    let epoch = Double(position) / Double(stepsPerEpoch)
    // How many steps one of what is counted has.
    let unitSteps = unit == .step ? 1 : stepsPerEpoch
    let time = Double(position) / Double(unitSteps)
    let rate: Double
    switch form {
    case .constant: rate = baseRate
    case .step(let epochs, let factor):
      rate = baseRate * pow(factor, Double(position / epochs / unitSteps))
    case .multiStep(let epochs, let factor):
      rate = baseRate * pow(factor, Double(epochs.count { $0 <= step / unitSteps }))
    case .exponential(let factor): rate = baseRate * pow(factor, time)
    case .inverse(let factor, let power): rate = baseRate * pow(1 + factor * time, -power)
    case .sigmoid(let factor, let center):
      rate = baseRate / (1 + exp(-factor * (time - Double(center))))
    case .polynomial(let power):
      rate = baseRate * pow(1 - Double(min(position, length)) / Double(length), power)
    case .inverseSqrt: rate = baseRate / (1 + epoch).squareRoot()
    case .cosine:
      rate = Self.cosine(
        from: baseRate, to: minimumRate, Double(min(position, length)) / Double(length))
    case .oneCycle:
      let (peak, last) = (0.3 * Double(length) - 1, Double(length - 1))
      let (start, end) = (baseRate / 25, baseRate / 25 / 1e4)
      rate =
        Double(position) <= peak
        ? Self.cosine(from: start, to: baseRate, Double(position) / peak)
        : Self.cosine(
          from: baseRate, to: end, min((Double(position) - peak) / (last - peak), 1))
    case .plateau(let factor, _):
      rate = baseRate * pow(factor, Double(drops.count { $0 <= step }))
    }
    return max(rate, minimumRate)
  }

  /// Half a cosine: `start` at 0, `end` at 1.
  private static func cosine(from start: Double, to end: Double, _ position: Double) -> Double {
    end + (start - end) * 0.5 * (1 + cos(Double.pi * position))
  }

  /// Whether the rate drops now.
  ///
  /// - Parameter epochsWithoutImprovement: how long the monitored metric has not improved, or the
  ///   rate has not dropped, whichever is shorter.
  public func drops(afterEpochsWithoutImprovement epochs: Int) -> Bool {
    if case .plateau(_, let patience) = form { return epochs >= patience }
    return false
  }
}
