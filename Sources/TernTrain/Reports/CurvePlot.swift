import Foundation
import TernCore

/// Loss and accuracy of runs over their epochs, as SVG pictures.
package struct CurvePlot {
  package struct Run: Sendable {
    package let name: String
    package let history: [TrainingEvent.Epoch]

    package init(name: String, history: [TrainingEvent.Epoch]) {
      self.name = name
      self.history = history
    }
  }

  package let runs: [Run]

  package init(runs: [Run]) { self.runs = runs }

  /// The pictures of all panels side by side; what the curves of several runs are stands below.
  package var svg: String {
    let panels = panels
    guard runs.count > 1 else { return LinePanel.picture(panels, width: 400, height: 260) }
    let drawn = panels.flatMap(\.curves)
    let styles = Self.styles.filter { style in drawn.contains { $0.stroke == style.stroke } }
    return LinePanel.picture(
      panels, width: 400, height: 260,
      legend: runs.enumerated().map { .init($1.name, Self.color($0)) }
        + styles.map { .init($0.label, "#555", $0.stroke) })
  }

  private static let styles: [(label: String, stroke: LinePanel.Stroke)] = [
    ("train", .dashed), ("test", .solid), ("validation", .dotted),
  ]

  private static func color(_ index: Int) -> String {
    LinePanel.colors[index % LinePanel.colors.count]
  }

  /// A picture per panel.
  var pictures: [String] { panels.map { LinePanel.picture([$0], width: 400, height: 260) } }

  /// The loss, and the accuracy where there is one.
  private var panels: [LinePanel] {
    typealias Value = (TrainingEvent.Epoch) -> Double?
    func curves(_ values: [(label: String, value: Value)]) -> [LinePanel.Curve] {
      runs.enumerated().flatMap { index, run in
        values.map { label, value in
          // The runs are told apart by colour, their curves by dashes; those of one run by both.
          let isSecond = runs.count == 1 && label == "validation"
          return LinePanel.Curve(
            label: label, color: Self.color(index + (isSecond ? 1 : 0)),
            stroke: Self.styles.first { $0.label == label }?.stroke ?? .solid,
            points: run.history.compactMap { epoch in
              value(epoch).flatMap { $0.isFinite ? (Double(epoch.epoch), $0) : nil }
            })
        }.filter { !$0.points.isEmpty }
      }
    }
    let loss = curves([
      ("train", { $0.trainLoss }), ("test", { $0.test.loss }),
      ("validation", { $0.validation?.loss }),
    ])
    let accuracy = curves([
      ("test", { $0.test.accuracy }), ("validation", { $0.validation?.accuracy }),
    ])
    let title = accuracy.contains { $0.label == "validation" } ? "accuracy" : "test accuracy"
    return [("loss", loss), (title, accuracy)].filter { !$0.1.isEmpty }.map {
      LinePanel(
        title: $0.0, xLabel: "epoch", xScale: .counting, curves: $0.1, hasLegend: runs.count == 1)
    }
  }
}
