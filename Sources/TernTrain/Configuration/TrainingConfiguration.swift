import Foundation
import TernCore
import TernData
import TernFormats
import TernNN
import TernOptim
import TernRuntime

/// Everything that decides what a training run computes, and where it writes it.
///
/// It has a property for each of the settings that ``NetworkSettings``, ``OptimizationSettings``,
/// ``DataSettings`` and ``RunSettings`` declare: `configuration.batchSize = 32`. Their names are those of
/// `tern train`'s flags with underscores; ``init(_:)`` reads them from a config file or flags, ``settings``
/// gives them back for `config.yaml`.
@dynamicMemberLookup
public struct TrainingConfiguration: Equatable, Sendable {
  /// What was set, by name; the rest is as it is declared.
  private var values: [String: any Sendable] = [:]

  func value<Value: Sendable>(of name: String, _ initial: Value) -> Value {
    // A name has one declaration, and so values of one type.
    values[name].map { $0 as! Value } ?? initial
  }

  mutating func set<Value: Sendable>(_ value: Value, for name: String) { values[name] = value }

  private subscript<Value>(key: SettingKey<Value>) -> Value {
    get { value(of: key.setting.name, key.initial) }
    set { set(newValue, for: key.setting.name) }
  }

  private static let networkKeys = NetworkSettings()
  private static let optimizationKeys = OptimizationSettings()
  private static let dataKeys = DataSettings()
  private static let runKeys = RunSettings()

  /// The value of a setting.
  public subscript<Value>(
    dynamicMember path: KeyPath<NetworkSettings, SettingKey<Value>>
  ) -> Value {
    get { self[Self.networkKeys[keyPath: path]] }
    set { self[Self.networkKeys[keyPath: path]] = newValue }
  }

  /// The value of a setting.
  public subscript<Value>(
    dynamicMember path: KeyPath<OptimizationSettings, SettingKey<Value>>
  ) -> Value {
    get { self[Self.optimizationKeys[keyPath: path]] }
    set { self[Self.optimizationKeys[keyPath: path]] = newValue }
  }

  /// The value of a setting.
  public subscript<Value>(dynamicMember path: KeyPath<DataSettings, SettingKey<Value>>) -> Value {
    get { self[Self.dataKeys[keyPath: path]] }
    set { self[Self.dataKeys[keyPath: path]] = newValue }
  }

  /// The value of a setting.
  public subscript<Value>(dynamicMember path: KeyPath<RunSettings, SettingKey<Value>>) -> Value {
    get { self[Self.runKeys[keyPath: path]] }
    set { self[Self.runKeys[keyPath: path]] = newValue }
  }

  /// Whether every setting is the same.
  public static func == (left: TrainingConfiguration, right: TrainingConfiguration) -> Bool {
    Setting.all.allSatisfy { $0.value(left) == $0.value(right) }
  }

  /// Every setting at its default.
  public init() {}

  /// The numbers of the schedule.
  public var scheduleParameters: Schedule.Parameters {
    var parameters = Schedule.Parameters()
    parameters.stepEpochs = self.learningRateStep
    parameters.milestones = self.learningRateMilestones
    parameters.factor = self.learningRateFactor
    parameters.patience = self.learningRatePatience
    parameters.minimumRate = self.minimumLearningRate
    parameters.power = self.learningRatePower
    parameters.unit = self.learningRateUnit
    return parameters
  }

  /// The size given, or that of the model; 224 where its input is no picture.
  public var resolvedImageSize: Int {
    if let imageSize = self.imageSize { return imageSize }
    guard let shape = (try? Model.named(self.model))?.inputShape, shape.rank == 3 else {
      return 224
    }
    return shape[2]
  }

  /// The rate given, or one that suits the optimizer.
  public var resolvedLearningRate: Double {
    self.learningRate
      ?? [
        "sgd": 0.03, "momentum_ema": 0.3, "normalized_gradient": 1e-3, "adagrad": 0.01,
        "rmsprop": 1e-3, "adadelta": 1.0, "adam": 1e-3, "adamw": 1e-3,
      ][self.optimizer] ?? 0.01
  }
}

// MARK: - Settings by name

extension TrainingConfiguration {
  /// Reads settings by name; those not given keep their defaults.
  ///
  /// - Throws: ``TernError`` of kind `usage` for an unknown name, with the nearest known one, and
  ///   for a value of the wrong type or out of range.
  public init(_ values: [String: AttributeValue]) throws {
    self.init()
    let known = Setting.all.map(\.name)
    for key in values.keys.sorted() where !known.contains(key) {
      let hint = EditDistance.nearest(to: key, among: known).map { "; did you mean '\($0)'?" }
      throw TernError(
        .usage,
        "unknown setting '\(key)'" + (hint ?? "; known are \(known.joined(separator: ", "))"))
    }
    do { try read(Attributes("settings", Self.completed(values))) } catch let error as ShapeError {
      throw TernError(
        .usage,
        "\(error.subject.replacing("_", with: "-")): expected \(error.expected), got \(error.got)")
    }
    // An epoch has a step at least, so that this many are enough for all steps.
    if let steps = self.steps, values["epochs"] ?? .null == .null {
      self.epochs = max(self.epochs, steps)
    }
    try validate()
    // Written down with the run, whatever later versions start with.
    try resolve()
  }

  /// The settings with those of the model's recipe, where they are not given.
  private static func completed(_ values: [String: AttributeValue]) -> [String: AttributeValue] {
    values.merging(recipe(for: values)) { $0 == .null ? $1 : $0 }
  }

  /// What the recipe of the model adds to the settings that are given.
  public static func recipe(for values: [String: AttributeValue]) -> [String: AttributeValue] {
    guard case .string(let model)? = values["model"] else { return [:] }
    // What is wrong with a net's file is told when the network is built.
    var settings =
      CaffeNetwork.isPath(model)
      ? try? CaffeNetwork.settings(contentsOf: model) : try? ZooEntry.named(model).settings
    if case .string(let data)? = values["data"], !data.hasPrefix("hdf5:") {
      // The names of arrays are those of the net's own data.
      settings?["samples"] = nil
      settings?["target"] = nil
      settings?["channel_order"] = nil
    }
    return settings?.filter { values[$0.key] ?? .null == .null } ?? [:]
  }

  private mutating func read(_ source: Attributes) throws {
    var attributes = source
    for setting in Setting.all { try setting.read(&self, &attributes) }
  }

  /// Numbers separated by commas; `nil` where the text is not that.
  static func numbers(_ text: String) -> [Double]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map {
      Double($0.trimmingCharacters(in: .whitespaces))
    }
    return parts.contains(nil) ? nil : parts.compactMap(\.self)
  }

  /// Every setting by name, in the order of ``Setting/all``.
  public var settings: [(name: String, value: AttributeValue)] {
    Setting.all.map { ($0.name, $0.value(self)) }
  }

  /// Whether every setting is what it may be, and goes with the others.
  ///
  /// - Throws: ``TernError`` of kind `usage` for the first that does not.
  public func validate() throws {
    func refuse(_ name: String, _ expected: String, _ got: Any) -> TernError {
      TernError(.usage, "\(name): expected \(expected), got \(got)")
    }
    for setting in Setting.all {
      guard let expected = try setting.fault(self) else { continue }
      let got = setting.value(self)
      throw refuse(setting.flagName, expected, setting.kind == .text ? "'\(got.words)'" : got.words)
    }
    guard self.folds == 1 || self.validationSplit == 0 else {
      throw refuse("folds", "no validation-split beside it", self.validationSplit)
    }
    if let fold = self.fold, !(self.folds > 1 && (1...self.folds).contains(fold)) {
      throw refuse("fold", "1 to the number of folds", fold)
    }
  }

  /// What the device is opened with.
  public var deviceOptions: DeviceOptions {
    DeviceOptions(
      threads: self.threads, algorithm: self.algorithm?.algorithm,
      candidates: self.algorithm?.candidates ?? CandidateRequest(), precision: self.precision,
      forcesPrecision: self.forcesPrecision)
  }
}
