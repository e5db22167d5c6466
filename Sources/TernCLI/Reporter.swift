import ArgumentParser
import Foundation
import Tern

enum LogFormat: String, ExpressibleByArgument, CaseIterable { case auto, bar, line, json }
enum ColorMode: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

/// Shows a run to whoever watches: a bar on a terminal, lines elsewhere, JSON for programs.
final class Reporter {
  private let format: LogFormat
  private let usesColor: Bool
  private let isQuiet: Bool
  private let configuration: TrainingConfiguration
  private var start: TrainingEvent.Start?
  private var lastEpoch: TrainingEvent.Epoch?
  private var hasOpenBar = false
  private let compilation: CompilationDisplay

  init(
    format: LogFormat, color: ColorMode, isQuiet: Bool, configuration: TrainingConfiguration
  ) {
    let environment = ProcessInfo.processInfo.environment
    let isTerminal = isatty(STDERR_FILENO) != 0 && environment["TERM"] ?? "dumb" != "dumb"
    self.format = format == .auto ? (isTerminal ? .bar : .line) : format
    usesColor =
      color == .always
      || (color == .auto && isTerminal && (environment["NO_COLOR"] ?? "").isEmpty)
    self.isQuiet = isQuiet
    self.configuration = configuration
    compilation = CompilationDisplay(isBar: self.format == .bar)
  }

  /// The devices, which tell of themselves where compiling takes a while.
  func watching(_ catalog: DeviceCatalog) -> DeviceCatalog {
    format == .json || isQuiet ? catalog : compilation.watching(catalog)
  }

  /// Runs what compiles kernels, and shows how far it is.
  func showingCompilation<R>(_ body: () throws -> R) rethrows -> R {
    guard format != .json, !isQuiet else {
      return try CompilationProgress.reporting({ _, _ in }, body)
    }
    return try compilation.during(body)
  }

  /// How often a bar moves; lines come with the logged steps alone.
  var pulse: Duration? { format == .bar && !isQuiet ? .milliseconds(200) : nil }

  func report(_ event: TrainingEvent) throws {
    if format == .json {
      Output.result(event.json)
      return
    }
    switch event {
    case .start(let event):
      start = event
      show("\(event.model): \(Format.count(event.parameterCount)) parameters")
      if !compilation.hasNamedDevice {
        show(
          CompilationDisplay.line(
            event.device, event.deviceName, event.deviceReason, configuration.precision))
      }
      show("plan \(Format.bytes(event.planByteCount)) at batch size \(configuration.batchSize)")
      if let recomputation = event.recomputation { show(recomputation) }
      for note in event.data.notes { show(note) }
      if let run = event.runDirectory { show("run \(run)") }
    case .firstStep(let seconds): show("first step after \(Format.fixed(seconds, 1)) s")
    case .step(let event): showStep(event)
    case .epoch(let event):
      lastEpoch = event
      show(
        "epoch \(event.epoch)/\(start?.epochs ?? configuration.epochs)  "
          + "train loss \(Format.loss(event.trainLoss))\(metrics(event.trainMetrics))  "
          + scores("test", event.test) + (event.validation.map { "  " + scores("val", $0) } ?? "")
          + "  \(Format.count(event.imagesPerSecond)) images/s  "
          + "\(Format.fixed(event.seconds, 1)) s", isOwn: true)
    case .gradients, .checkpoint, .end: break
    }
  }

  /// Loss, and accuracy where there are classes.
  private func scores(_ set: String, _ evaluation: TrainingEvent.Evaluation) -> String {
    let accuracy = "\(set) accuracy \(Format.fixed(evaluation.accuracy, 4))"
    return "\(set) loss \(Format.loss(evaluation.loss))\(metrics(evaluation.metrics))"
      + (evaluation.accuracy.isNaN ? "" : "  " + (set == "test" ? bold(accuracy) : accuracy))
  }

  /// The objective's own metrics.
  private func metrics(_ values: [String: Double]) -> String {
    values.sorted { $0.key < $1.key }.map { name, value in
      " \(name.replacing("_", with: " ")) \(Format.fixed(value, 4))"
    }.joined()
  }

  private func showStep(_ event: TrainingEvent.Step) {
    guard !isQuiet else { return }
    let stepsPerEpoch = start?.stepsPerEpoch ?? 1
    let position = (event.step - 1) % stepsPerEpoch + 1
    let ownSteps = min(stepsPerEpoch, stepCount - (event.step - position))
    let epoch = "epoch \(event.epoch)/\(start?.epochs ?? configuration.epochs)"
    let step = "step \(position)/\(ownSteps)"
    let loss = "loss \(Format.loss(event.loss))"
    let learningRate = "lr \(String(format: "%.4g", event.learningRate))"
    let scale = event.lossScale.map { ["scale \(String(format: "%.6g", $0))"] } ?? []
    let rate = "\(Format.count(event.imagesPerSecond)) images/s"
    guard format == .bar else {
      Output.progress(
        ([epoch, step, loss, learningRate] + scale + [rate]).joined(separator: "  "))
      return
    }
    // A line that wraps could not be drawn over.
    let columns = Output.terminalWidth - 1
    let line = ProgressLine.fitting(
      [
        (epoch, 2), (step, 0), (loss, 1), (learningRate, 4), (remaining(after: event), 3),
        (rate, 5),
      ], columns: columns)
    let bar = ProgressLine.bar(
      width: columns - line.count - 1, done: Double(position) / Double(ownSteps))
    Output.control("\r\u{1B}[K\(bar)\(bar.isEmpty ? "" : " ")\(line)")
    hasOpenBar = true
  }

  /// The steps of the whole run.
  private var stepCount: Int {
    min(configuration.steps ?? .max, (start?.epochs ?? 1) * (start?.stepsPerEpoch ?? 1))
  }

  /// How long the run will go on at the present speed.
  private func remaining(after event: TrainingEvent.Step) -> String {
    guard event.imagesPerSecond > 0 else { return "" }
    let samples =
      Double(stepCount - event.step) * Double(configuration.batchSize * configuration.accumulate)
    let seconds = samples / event.imagesPerSecond
    guard seconds >= 0, seconds < 1e7 else { return "" }
    let whole = Int(seconds.rounded(.up))
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    let clock = String(format: "%02d:%02d", minutes, whole % 60)
    return "ETA " + (hours > 0 ? "\(hours):\(clock)" : clock)
  }

  /// - Parameter isOwn: whether nothing from outside is in the text, so that it may have colours.
  private func show(_ text: String, isOwn: Bool = false) {
    guard !isQuiet else { return }
    if hasOpenBar { Output.control("\r\u{1B}[K") }
    hasOpenBar = false
    if isOwn { Output.control(text + "\n") } else { Output.progress(text) }
  }

  private func bold(_ text: String) -> String { usesColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

  /// Leaves the bar as it is; what follows begins on a new line.
  func closeBar() {
    if hasOpenBar { Output.control("\n") }
    hasOpenBar = false
  }

  /// What a dry run found, on stdout.
  func finishDryRun(loss: Double) {
    guard format != .json, let start else { return }
    Output.result(
      "\(start.model.visible) on \(start.device): dry run, loss \(Format.loss(loss)) on the first batch, "
        + "plan \(Format.bytes(start.planByteCount)); nothing was written")
  }

  /// The result of the run, on stdout.
  func finish(_ end: TrainingEvent.End, run: String?) {
    guard format != .json else { return }
    closeBar()
    guard let start else { return }
    var line = "\(start.model) on \(start.device): \(end.reason.rawValue)"
    if let lastEpoch {
      line +=
        (lastEpoch.test.accuracy.isNaN
          ? ", test loss \(Format.loss(lastEpoch.test.loss)), "
          : ", test accuracy \(Format.fixed(lastEpoch.test.accuracy, 4)) "
            + "(best \(Format.fixed(end.bestAccuracy, 4))), ")
        + "\(Format.count(lastEpoch.imagesPerSecond)) images/s"
    }
    line += ", plan \(Format.bytes(start.planByteCount)), \(Format.fixed(end.seconds, 1)) s"
    if let communication = end.communication {
      line +=
        ", communication \(Format.fixed(communication.seconds, 1)) s, "
        + "\(Int((100 * communication.hiddenShare).rounded())) % hidden"
    }
    Output.result((line + (run.map { ", \($0)" } ?? "")).visible)
  }
}
