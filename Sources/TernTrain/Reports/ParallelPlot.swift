import Foundation
import TernCore

/// The trials of a sweep as lines across an axis per setting, the metric's last, in SVG: the better a
/// trial, the darker its line.
package struct ParallelPlot {
  private let sweep: Sweep
  private let trials: [Sweep.Trial]

  package init(_ sweep: Sweep, _ trials: [Sweep.Trial]) {
    self.sweep = sweep
    self.trials = trials.filter { $0.result.isFinite }
  }

  private static let height = 320.0
  private static let top = 48.0
  private static let bottom = 290.0

  package var svg: String {
    let parameters = sweep.space.parameters
    let spacing = 150.0
    let width = spacing * Double(parameters.count) + 170
    func x(_ axis: Int) -> Double { 70 + spacing * Double(axis) }
    func y(_ position: Double) -> Double { Self.bottom - (Self.bottom - Self.top) * position }
    let number = LinePanel.number
    let range = trials.map(\.result).finiteRange ?? 0...1
    let (lowest, highest) = (range.lowerBound, range.upperBound)
    func position(_ result: Double) -> Double {
      // A trial that diverged stands at the worse end.
      guard result.isFinite else { return sweep.metric.metric.isBetterLarger ? 0 : 1 }
      return highest > lowest ? (result - lowest) / (highest - lowest) : 0.5
    }

    var text = ""
    // The best is drawn last, over the others.
    for (rank, trial) in sweep.ranked(trials).enumerated().reversed() {
      let positions =
        zip(parameters, trial.values).map { $0.position(of: $1) } + [position(trial.result)]
      let path = positions.enumerated().map { "\(number(x($0))),\(number(y($1)))" }
      let strength = 1 - 0.85 * Double(rank) / Double(max(trials.count - 1, 1))
      text +=
        "<polyline points=\"\(path.joined(separator: " "))\" fill=\"none\" "
        + "stroke=\"\(LinePanel.colors[rank == 0 ? 1 : 0])\" stroke-width=\"\(rank == 0 ? 3 : 1.5)\" "
        + "stroke-opacity=\"\(String(format: "%.2f", strength))\"/>\n"
    }
    for axis in 0...parameters.count {
      let isMetric = axis == parameters.count
      let name = isMetric ? sweep.metric.name : parameters[axis].name
      text +=
        "<line x1=\"\(number(x(axis)))\" x2=\"\(number(x(axis)))\" y1=\"\(number(Self.top))\" "
        + "y2=\"\(number(Self.bottom))\" stroke=\"#333\"/>\n"
        + "<text x=\"\(number(x(axis)))\" y=\"22\" text-anchor=\"middle\" font-weight=\"bold\">"
        + "\(name.escapedForMarkup)</text>\n"
      let labels =
        isMetric
        ? [(0.0, String(format: "%.4g", lowest)), (1.0, String(format: "%.4g", highest))]
        : Self.labels(parameters[axis])
      for (position, label) in labels {
        text +=
          "<text x=\"\(number(x(axis) + 6))\" y=\"\(number(y(position)))\" "
          + "dominant-baseline=\"middle\" fill=\"#333\" stroke=\"#fff\" stroke-width=\"3\" "
          + "paint-order=\"stroke\">\(label.escapedForMarkup)</text>\n"
      }
    }
    return LinePanel.picture(width: width, height: Self.height, text)
  }

  private static func labels(_ parameter: SearchSpace.Parameter) -> [(Double, String)] {
    if case .choices(let values) = parameter.domain {
      return values.map { value in
        let label = if case .string(let text) = value { text } else { "\(value)" }
        return (parameter.position(of: value), label)
      }
    }
    return [0.0, 0.5, 1.0].map { position in
      let value = parameter.value(at: position)
      return (position, String(format: "%.3g", value.number ?? 0))
    }
  }
}
