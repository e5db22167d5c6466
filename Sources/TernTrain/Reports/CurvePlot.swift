import Foundation
import TernCore

/// Loss and accuracy of runs over their epochs, as SVG pictures.
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

  /// The pictures of all panels side by side.
  public var svg: String { LinePanel.picture(panels, width: 400, height: 260) }

  /// A picture per panel.
  var pictures: [String] { panels.map { LinePanel.picture([$0], width: 400, height: 260) } }

  /// The loss, and the accuracy where there is one.
  private var panels: [LinePanel] {
    typealias Value = (TrainingEvent.Epoch) -> Double?
    func curves(_ series: [(label: String, isDashed: Bool, value: Value)]) -> [LinePanel.Curve] {
      runs.enumerated().flatMap { index, run in
        series.map { label, isDashed, value in
          LinePanel.Curve(
            label: runs.count == 1 ? label : "\(run.name) \(label)",
            // Three curves of one run are told apart by colour, two by their dashes.
            color: LinePanel.colors[
              (index + (label == "validation" ? 1 : 0)) % LinePanel.colors.count],
            isDashed: isDashed,
            points: run.history.compactMap { epoch in
              value(epoch).flatMap { $0.isFinite ? (Double(epoch.epoch), $0) : nil }
            })
        }.filter { !$0.points.isEmpty }
      }
    }
    let loss = curves([
      ("train", true, { $0.trainLoss }), ("test", false, { $0.test.loss }),
      ("validation", false, { $0.validation?.loss }),
    ])
    let accuracy = curves([
      ("test", false, { $0.test.accuracy }), ("validation", false, { $0.validation?.accuracy }),
    ])
    let title = accuracy.contains { $0.label == "validation" } ? "accuracy" : "test accuracy"
    return [("loss", loss), (title, accuracy)].filter { !$0.1.isEmpty }.map {
      LinePanel(title: $0.0, xLabel: "epoch", xScale: .counting, curves: $0.1)
    }
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
