import TernCore
import TernData
import TernFormats
import TernNN
import TernOptim
import TernRuntime

// What of a run's settings may differ where it goes on. All that decides about it is here.

/// What becomes of a setting that is given again where a run goes on.
enum ResumeRule: Sendable {
  /// It decides the result: another value is refused.
  case fixed
  /// It may grow.
  case growing
  /// Where something lies: another place is taken, what lies there is compared.
  case place
  /// It decides in what order numbers are added, and so their last bits: said.
  case rounding
  /// It decides nothing about the result.
  case free
  /// Nobody gives it; the run keeps it by itself.
  case own
}

extension TrainingConfiguration {
  static func resumeRule(_ name: String) -> ResumeRule { Setting.named(name)?.rule ?? .fixed }

  /// Whether this is what a run makes of `asked`: the same settings, but for those that a run
  /// decides where they are not given.
  public func isRun(of asked: TrainingConfiguration) -> Bool {
    var asked = asked
    if asked.device == "auto" || DeviceInfo.isID(self.device, of: asked.device) {
      asked.device = self.device
    }
    asked.imageSize = asked.imageSize ?? self.imageSize
    asked.monitor = asked.monitor ?? self.monitor
    asked.workingDirectory = self.workingDirectory
    asked.threads = asked.threads ?? self.threads
    return asked == self
  }

  /// The settings that cannot be changed between two parts of a run without changing what it
  /// computes.
  var decisiveSettings: [(name: String, value: String)] {
    settings.filter { Self.resumeRule($0.name) == .fixed }.map { ($0.name, $0.value.description) }
  }
}

extension TrainingConfiguration {
  /// A path of the settings as it is found from here: where the run was begun, or from here, if it is
  /// not there any more.
  func located(_ path: String) -> String {
    guard let workingDirectory = self.workingDirectory,
      workingDirectory != FileSystem.workingDirectory,
      !path.hasPrefix("/"), DataSource.isThere("\(workingDirectory)/\(path)")
    else { return path }
    return "\(workingDirectory)/\(path)"
  }

  /// ``data`` with its place as it is found from here.
  public var locatedData: String { Self.placing(self.data, located) }

  /// Replaces the paths of a specification such as `csv:TRAIN,TEST`.
  private static func placing(_ data: String, _ place: (String) -> String) -> String {
    guard let colon = data.utf8.firstIndex(of: UInt8(ascii: ":")) else { return data }
    let kind = String(data[...colon])
    let rest = String(data[data.utf8.index(after: colon)...])
    let tables =
      DataSource.formatsOfPairs.contains(String(kind.dropLast()))
      ? DataSource.tables(rest) { FileSystem.exists(place($0)) } : nil
    return kind + (tables ?? [rest]).map(place).joined(separator: ",")
  }

  /// A specification as it is meant from here, for a run that was begun elsewhere.
  func specification(_ data: String) -> String {
    guard let here = FileSystem.workingDirectory, let workingDirectory = self.workingDirectory,
      here != workingDirectory
    else { return data }
    return Self.placing(data) { $0.hasPrefix("/") ? $0 : "\(here)/\($0)" }
  }
}

/// How a run goes on: its settings with those that are given again, and what is to be said of it.
public struct Resumption {
  /// The settings that the run goes on with.
  public let configuration: TrainingConfiguration
  /// A line each.
  public let notes: [String]

  /// - Parameters:
  ///   - given: settings that are given again, by their names.
  ///   - restartsSchedule: whether a schedule that ends with the run is stretched over a larger
  ///     number of epochs, from the next step on.
  /// - Throws: ``TernError`` of kind `usage` where a setting that decides the result is another.
  public init(
    of run: RunDirectory, given: [String: AttributeValue], restartsSchedule: Bool = false
  ) throws {
    let stored = try run.configuration()
    var settings = Dictionary(uniqueKeysWithValues: stored.settings.map { ($0.name, $0.value) })
    var notes: [String] = []
    var differences: [(name: String, stored: AttributeValue, given: AttributeValue)] = []
    for (name, text) in given.sorted(by: { $0.key < $1.key }) {
      var value = text
      if name == "data", case .string(let data) = text {
        value = .string(stored.specification(data))
      }
      var changed = settings
      changed[name] = value
      let asked: TrainingConfiguration?
      do { asked = try TrainingConfiguration(changed) } catch {
        // A known setting that does not fit the others is one that differs; a number that fits
        // nothing is wrong by itself.
        let rule = TrainingConfiguration.resumeRule(name)
        guard settings[name] != nil, rule == .fixed || rule == .growing else { throw error }
        asked = nil
      }
      // Compared as configurations, so that 1 and 1.0 are the same.
      let current = try TrainingConfiguration(settings)
      if let asked, current.isRun(of: asked) { continue }
      let was = settings[name] ?? .null
      switch (TrainingConfiguration.resumeRule(name), asked) {
      case (.free, .some): settings = changed
      case (.rounding, .some):
        settings = changed
        let before = was == .null ? "none given" : was.words
        notes.append(
          "\(name) \(value.words) where the run had \(before): results may differ in their last bits "
            + "from here on")
      case (.growing, .some(let asked)) where asked.epochs >= stored.epochs: settings = changed
      case (.place, .some) where name == "data": settings = changed
      case (.place, .some) where name == "model" && Self.isSameModel(value, run, stored): break
      case (.place, .some) where name == "init" && Self.isSameFile(value, was): break
      default: differences.append((name, was, value))
      }
    }
    guard differences.isEmpty else {
      let flag = Setting.flag
      let was = differences.map { "\($0.name) \($0.stored)" }.joined(separator: ", ")
      let now = differences.map { "\($0.name) \($0.given)" }.joined(separator: ", ")
      throw TernError(
        .usage,
        "\(run.path) was trained with \(was), not with \(now); a run that goes on takes a larger "
          + "\(flag("epochs")), another place of the same \(flag("data")), \(flag("device")), "
          + "\(flag("threads")), \(flag("workers")) and what is logged")
    }
    var configuration = try TrainingConfiguration(settings)
    notes += try Self.planSchedule(&configuration, stored, restarts: restartsSchedule)
    self.configuration = configuration
    self.notes = notes
  }

  /// Lets a schedule that is as long as the run end where it was to end, though the run goes on.
  private static func planSchedule(
    _ configuration: inout TrainingConfiguration, _ stored: TrainingConfiguration, restarts: Bool
  ) throws -> [String] {
    let planned = stored.scheduleEpochs ?? stored.epochs
    let (name, epochs) = (configuration.schedule, configuration.epochs)
    guard try configuration.makeSchedule().endsWithTheRun, configuration.steps == nil,
      epochs > planned
    else { return [] }
    if restarts {
      configuration.scheduleEpochs = nil
      return [
        "schedule \(name) is stretched over \(epochs) epochs: the learning rate jumps to where it "
          + "would be then"
      ]
    }
    configuration.scheduleEpochs = planned
    return [
      "schedule \(name) ends with epoch \(planned), as it was planned; the epochs after that keep its "
        + "last learning rate (restart-schedule stretches it over \(epochs))"
    ]
  }

  /// Whether a model file is what the run was begun with, wherever it lies.
  private static func isSameModel(
    _ value: AttributeValue, _ run: RunDirectory, _ stored: TrainingConfiguration
  ) -> Bool {
    guard case .string(let path) = value, Model.isFile(path), Model.isFile(stored.model),
      let given = try? InputFile.contents(of: path),
      let own = try? InputFile.contents(of: run.modelPath(stored.model))
    else { return false }
    return given == own
  }

  private static func isSameFile(_ value: AttributeValue, _ other: AttributeValue) -> Bool {
    guard case .string(let path) = value, case .string(let otherPath) = other else { return false }
    return FileSystem.isSame(path, otherPath)
  }
}

extension Checkpoint {
  /// Refuses to go on with other settings than those the checkpoint was made with, as where
  /// `config.yaml` was edited, and with other data.
  ///
  /// Data that stopped the run is expected to have been mended: what it is now is taken.
  ///
  /// - Returns: what is to be said.
  /// - Throws: ``TernError`` of kind `usage` with both values of each setting that differs.
  func check(
    _ configuration: TrainingConfiguration, sampleCount: Int, fingerprint: String
  ) throws -> [String] {
    var differences: [(was: String, now: String)] = []
    for (name, value) in configuration.decisiveSettings {
      if let was = settings[name], was != value {
        differences.append(("\(name) \(was)", "\(name) \(value)"))
      }
    }
    var notes: [String] = []
    let counts = (was: settings[Self.sampleCountKey], now: "\(sampleCount)")
    let isOtherCount = counts.was.map { $0 != counts.now } ?? false
    let isOtherData =
      settings[Self.fingerprintKey].map { !TrainingData.isSame($0, fingerprint) } ?? false
    if isOtherCount || isOtherData {
      let (was, now) =
        isOtherCount
        ? ("\(counts.was ?? "") samples", "\(counts.now) samples")
        : ("other samples", "those of \(configuration.data)")
      if settings[Self.dataFaultKey] != nil {
        notes.append(
          "the training set was changed after the run stopped at a fault in it: "
            + (isOtherCount ? "\(now) where there were \(was)" : "other samples")
            + "; the run goes on with what is there now")
      } else {
        differences.append((was, now))
      }
    }
    guard !differences.isEmpty else { return notes }
    throw TernError(
      .usage,
      "the run was trained with \(differences.map(\.was).joined(separator: ", ")), "
        + "it would go on with \(differences.map(\.now).joined(separator: ", ")): "
        + "put back what was changed, or start another run")
  }

  /// The names of what is known of the data, among ``settings``.
  static let sampleCountKey = "training_samples"
  static let fingerprintKey = "training_data"
  /// Why the data stopped the run, where it did.
  static let dataFaultKey = "data_fault"
}
