import Foundation
import TernCore

/// Loss and accuracy of runs over their epochs, as an SVG picture: two panels side by side.
public struct CurvePlot {
  public struct Run: Sendable {
    public let name: String
    public let history: [TrainingEvent.Epoch]

    public init(name: String, history: [TrainingEvent.Epoch]) {
      self.name = name
      self.history = history
    }
  }

  public let runs: [Run]

  public init(runs: [Run]) { self.runs = runs }

  public var svg: String {
    func curves(_ series: [(String, Bool, (TrainingEvent.Epoch) -> Double)]) -> [LinePanel.Curve] {
      runs.enumerated().flatMap { index, run in
        series.map { label, isDashed, value in
          LinePanel.Curve(
            label: runs.count == 1 ? label : "\(run.name) \(label)",
            color: LinePanel.colors[index % LinePanel.colors.count], isDashed: isDashed,
            points: run.history.map { (Double($0.epoch), value($0)) }.filter { $0.1.isFinite })
        }
      }
    }
    return LinePanel.picture(
      [
        LinePanel(
          title: "loss", xLabel: "epoch", xScale: .counting,
          curves: curves([("train", true, \.trainLoss), ("test", false, \.test.loss)])),
        LinePanel(
          title: "test accuracy", xLabel: "epoch", xScale: .counting,
          curves: curves([("test", false, \.test.accuracy)])),
      ], width: 400, height: 260)
  }
}

extension CurvePlot.Run {
  /// A run's folder.
  public init(directory: String) throws {
    let run = try RunDirectory.open(path: directory)
    guard let checkpoint = try run.lastCheckpoint() else {
      throw TernError(.badData, "\(directory): no checkpoint there yet")
    }
    self.init(
      name: (directory as NSString).lastPathComponent, history: checkpoint.progress.history)
  }
}
