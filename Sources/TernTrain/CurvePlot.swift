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

  private struct Curve {
    let label: String
    let color: String
    let isDashed: Bool
    /// Epoch and value.
    let points: [(x: Double, y: Double)]
  }

  private static let colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
  private static let panelWidth = 400.0
  private static let panelHeight = 260.0
  private static let margin = (left: 56.0, right: 16.0, top: 36.0, bottom: 44.0)

  public let runs: [Run]

  public init(runs: [Run]) { self.runs = runs }

  public var svg: String {
    func curves(_ series: [(String, Bool, (TrainingEvent.Epoch) -> Double)]) -> [Curve] {
      runs.enumerated().flatMap { index, run in
        series.map { label, isDashed, value in
          Curve(
            label: runs.count == 1 ? label : "\(run.name) \(label)",
            color: Self.colors[index % Self.colors.count], isDashed: isDashed,
            points: run.history.map { (Double($0.epoch), value($0)) }.filter { $0.1.isFinite })
        }
      }
    }
    let width = 2 * Self.panelWidth
    let panels =
      panel("loss", at: 0, curves([("train", true, \.trainLoss), ("test", false, \.test.loss)]))
      + panel("test accuracy", at: Self.panelWidth, curves([("test", false, \.test.accuracy)]))
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(width))" height="\(Int(Self.panelHeight))" \
      viewBox="0 0 \(Int(width)) \(Int(Self.panelHeight))" font-family="sans-serif" font-size="12">
      <rect width="100%" height="100%" fill="white"/>
      \(panels)</svg>

      """
  }

  private func panel(_ title: String, at x0: Double, _ curves: [Curve]) -> String {
    let points = curves.flatMap(\.points)
    guard let lowest = points.map(\.y).min(), let highest = points.map(\.y).max() else { return "" }
    let ticks = Self.ticks(lowest, highest)
    let (bottom, top) = (min(lowest, ticks.first ?? lowest), max(highest, ticks.last ?? highest))
    let last = max(points.map(\.x).max()!, 2)
    let m = Self.margin
    func px(_ x: Double) -> Double {
      x0 + m.left + (x - 1) / (last - 1) * (Self.panelWidth - m.left - m.right)
    }
    func py(_ y: Double) -> Double {
      let height = Self.panelHeight - m.top - m.bottom
      return m.top + height * (1 - (y - bottom) / max(top - bottom, 1e-12))
    }
    func number(_ value: Double) -> String { String(format: "%.1f", value) }

    var text = "<text x=\"\(number(x0 + m.left))\" y=\"20\" font-weight=\"bold\">\(title)</text>\n"
    for tick in ticks {
      let y = number(py(tick))
      text +=
        "<line x1=\"\(number(px(1)))\" x2=\"\(number(px(last)))\" y1=\"\(y)\" y2=\"\(y)\" "
        + "stroke=\"#ddd\"/>\n<text x=\"\(number(px(1) - 6))\" y=\"\(y)\" text-anchor=\"end\" "
        + "dominant-baseline=\"middle\" fill=\"#555\">\(String(format: "%.3g", tick))</text>\n"
    }
    for epoch in Self.ticks(1, last).filter({ $0 >= 1 && $0 == $0.rounded() }) {
      text +=
        "<text x=\"\(number(px(epoch)))\" y=\"\(number(Self.panelHeight - m.bottom + 16))\" "
        + "text-anchor=\"middle\" fill=\"#555\">\(Int(epoch))</text>\n"
    }
    text +=
      "<text x=\"\(number((px(1) + px(last)) / 2))\" y=\"\(number(Self.panelHeight - 8))\" "
      + "text-anchor=\"middle\" fill=\"#555\">epoch</text>\n"
    for (index, curve) in curves.enumerated() {
      let path = curve.points.map { "\(number(px($0.x))),\(number(py($0.y)))" }
      let dashes = curve.isDashed ? " stroke-dasharray=\"5 4\"" : ""
      text +=
        "<polyline points=\"\(path.joined(separator: " "))\" fill=\"none\" stroke=\"\(curve.color)\" "
        + "stroke-width=\"2\"\(dashes)/>\n"
      guard curves.count > 1 else { continue }
      let y = number(m.top + 10 + 16 * Double(index))
      let x = x0 + Self.panelWidth - m.right - 110
      text +=
        "<line x1=\"\(number(x))\" x2=\"\(number(x + 22))\" y1=\"\(y)\" y2=\"\(y)\" "
        + "stroke=\"\(curve.color)\" stroke-width=\"2\"\(dashes)/>\n"
        + "<text x=\"\(number(x + 28))\" y=\"\(y)\" dominant-baseline=\"middle\">"
        + "\(Self.escaped(curve.label))</text>\n"
    }
    return text
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
  }

  /// About five round numbers that span a range: multiples of 1, 2 or 5 times a power of ten.
  static func ticks(_ low: Double, _ high: Double) -> [Double] {
    guard high > low else { return [low] }
    let rough = (high - low) / 4
    let power = pow(10, log10(rough).rounded(.down))
    let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? rough
    return Array(
      stride(from: (low / step).rounded(.down) * step, through: high + step * 0.999, by: step))
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
