import Foundation
import TernCore

/// Curves in a frame with axes, as part of an SVG picture.
struct LinePanel {
  struct Curve {
    let label: String
    let color: String
    var stroke = Stroke.solid
    var points: [(x: Double, y: Double)]
  }

  enum Stroke {
    case solid, dashed, dotted

    /// As an attribute of an SVG element.
    var attribute: String {
      switch self {
      case .solid: ""
      case .dashed: " stroke-dasharray=\"5 4\""
      case .dotted: " stroke-dasharray=\"1.5 3\""
      }
    }
  }

  enum Scale {
    /// Whole numbers from 1 on.
    case counting
    case logarithmic
    case linear
  }

  let title: String
  let xLabel: String
  let xScale: Scale
  let curves: [Curve]
  /// Whether the curves are named inside the frame.
  var hasLegend = true
  /// A place on the x axis that is marked by a line, and what is written there.
  var mark: (x: Double, label: String)?

  /// The first six are told apart also by those who do not see all colours. Okabe and Ito, 2008.
  static let colors = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#5e3c99",
    "#7f3b08", "#808000",
  ]
  private static let margin = (left: 56.0, right: 16.0, top: 36.0, bottom: 44.0)

  /// A picture of panels side by side, each of the given size.
  ///
  /// - Parameter legend: what stands below all of them.
  static func picture(
    _ panels: [LinePanel], width: Double, height: Double, legend: [PlotLegend.Entry] = []
  ) -> String {
    let total = width * Double(panels.count)
    let bodies = panels.enumerated().map {
      $1.body(at: width * Double($0), width: width, height: height)
    }
    let below = PlotLegend(legend, left: margin.left, right: total - margin.right)
    return picture(
      width: total, height: height + below.height, bodies.joined() + below.body(at: height))
  }

  /// A picture around its content.
  static func picture(width: Double, height: Double, _ content: String) -> String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(width))" height="\(Int(height))" \
    viewBox="0 0 \(Int(width)) \(Int(height))" font-family="sans-serif" font-size="12">
    <rect width="100%" height="100%" fill="white"/>
    \(content)</svg>

    """
  }

  private func body(at x0: Double, width: Double, height: Double) -> String {
    // What is not a number has no place in a picture.
    let curves = curves.map { curve in
      var curve = curve
      curve.points.removeAll {
        !$0.x.isFinite || !$0.y.isFinite || (xScale == .logarithmic && $0.x <= 0)
      }
      return curve
    }.filter { !$0.points.isEmpty }
    let points = curves.flatMap(\.points)
    guard
      let (lowest, highest) = points.map(\.y).finiteRange.map({ ($0.lowerBound, $0.upperBound) }),
      let (first, last) = points.map(\.x).finiteRange.map({ ($0.lowerBound, $0.upperBound) })
    else { return "" }
    // One value alone stands in the middle.
    let spread = lowest == highest ? max(abs(lowest) * 0.1, 1e-3) : 0
    let ticks = Self.ticks(lowest - spread, highest + spread)
    let tickLabels = Self.labels(ticks)
    let (bottom, top) = (min(lowest, ticks.first ?? lowest), max(highest, ticks.last ?? highest))
    let m = Self.margin
    let (left, right): (Double, Double) =
      switch xScale {
      case .counting: (1, max(last, 2))
      case .logarithmic: (log10(first), log10(last))
      case .linear: (first, last)
      }
    func px(_ x: Double) -> Double {
      let position = xScale == .logarithmic ? log10(x) : x
      return x0 + m.left + (position - left) / max(right - left, 1e-12)
        * (width - m.left - m.right)
    }
    func py(_ y: Double) -> Double {
      m.top + (height - m.top - m.bottom) * (1 - (y - bottom) / max(top - bottom, 1e-12))
    }
    let number = Self.number
    let (leftEdge, rightEdge) = (x0 + m.left, x0 + width - m.right)

    var text =
      "<text x=\"\(number(leftEdge))\" y=\"20\" font-weight=\"bold\">\(title.escapedForMarkup)</text>\n"
    for (tick, label) in zip(ticks, tickLabels) {
      let y = number(py(tick))
      text +=
        "<line x1=\"\(number(leftEdge))\" x2=\"\(number(rightEdge))\" y1=\"\(y)\" y2=\"\(y)\" "
        + "stroke=\"#ddd\"/>\n<text x=\"\(number(leftEdge - 6))\" y=\"\(y)\" text-anchor=\"end\" "
        + "dominant-baseline=\"middle\" fill=\"#555\">\(label.escapedForMarkup)</text>\n"
    }
    for (x, label) in xTicks(left, right) {
      text +=
        "<text x=\"\(number(px(x)))\" y=\"\(number(height - m.bottom + 16))\" "
        + "text-anchor=\"middle\" fill=\"#555\">\(label)</text>\n"
    }
    text +=
      "<text x=\"\(number((leftEdge + rightEdge) / 2))\" y=\"\(number(height - 8))\" "
      + "text-anchor=\"middle\" fill=\"#555\">\(xLabel.escapedForMarkup)</text>\n"
    if let mark {
      let x = number(px(mark.x))
      let isLeft = px(mark.x) < (leftEdge + rightEdge) / 2
      text +=
        "<line x1=\"\(x)\" x2=\"\(x)\" y1=\"\(number(m.top))\" y2=\"\(number(height - m.bottom))\" "
        + "stroke=\"\(Self.colors[1])\" stroke-dasharray=\"2 3\"/>\n"
        + "<text x=\"\(number(px(mark.x) + (isLeft ? 5 : -5)))\" "
        + "y=\"\(number(height - m.bottom - 8))\" text-anchor=\"\(isLeft ? "start" : "end")\" "
        + "fill=\"\(Self.colors[1])\">\(mark.label.escapedForMarkup)</text>\n"
    }
    for curve in curves {
      // A line of one point would not be seen.
      if curve.points.count == 1, let point = curve.points.first {
        text +=
          "<circle cx=\"\(number(px(point.x)))\" cy=\"\(number(py(point.y)))\" r=\"3.5\" "
          + "fill=\"\(curve.stroke == .solid ? curve.color : "none")\" stroke=\"\(curve.color)\"/>\n"
        continue
      }
      let path = curve.points.map { "\(number(px($0.x))),\(number(py($0.y)))" }
      text +=
        "<polyline points=\"\(path.joined(separator: " "))\" fill=\"none\" stroke=\"\(curve.color)\" "
        + "stroke-width=\"2\"\(curve.stroke.attribute)/>\n"
    }
    guard hasLegend, curves.count > 1 else { return text }
    let entries = curves.map { PlotLegend.Entry($0.label, $0.color, $0.stroke) }
    let (w, h) = (PlotLegend.columnWidth(entries), PlotLegend.lineHeight * Double(entries.count))
    // The corner through which the least of the curves runs.
    let corners = [m.top + 2, height - m.bottom - h - 4].flatMap { y in
      [rightEdge - w, leftEdge + 8].map { (x: $0, y: y) }
    }
    let places = curves.flatMap { $0.points.map { (x: px($0.x), y: py($0.y)) } }
    let crowds = corners.map { corner in
      places.count {
        ($0.x >= corner.x - 8 && $0.x <= corner.x + w)
          && ($0.y >= corner.y - 4 && $0.y <= corner.y + h + 4)
      }
    }
    let corner = corners[crowds.indices.min { crowds[$0] < crowds[$1] } ?? 0]
    for (index, entry) in entries.enumerated() {
      text += entry.body(x: corner.x, y: corner.y + PlotLegend.lineHeight * (Double(index) + 0.5))
    }
    return text
  }

  private func xTicks(_ left: Double, _ right: Double) -> [(x: Double, label: String)] {
    switch xScale {
    case .counting:
      Self.ticks(left, right).filter { $0 >= 1 && $0 == $0.rounded() && $0 <= right }
        .map { ($0, "\(Int($0))") }
    case .linear:
      zip(Self.ticks(left, right), Self.labels(Self.ticks(left, right)))
        .filter { $0.0 >= left && $0.0 <= right }.map { ($0, $1) }
    case .logarithmic:
      stride(from: left.rounded(.up), through: right, by: 1).map {
        (pow(10, $0), String(format: "1e%.0f", $0))
      }
    }
  }

  static func number(_ value: Double) -> String { String(format: "%.1f", value) }

  /// Numbers with as many decimals as tell them apart.
  private static func labels(_ ticks: [Double]) -> [String] {
    guard ticks.count > 1, let largest = ticks.map({ abs($0) }).max(), largest < 1e5 else {
      return ticks.map { String(format: "%.3g", $0) }
    }
    let decimals = max(0, Int((-log10(ticks[1] - ticks[0]) - 1e-9).rounded(.up)))
    guard decimals <= 6 else { return ticks.map { String(format: "%.3g", $0) } }
    return ticks.map { String(format: "%.\(decimals)f", $0) }
  }

  /// About five round numbers that span a range: multiples of 1, 2 or 5 times a power of ten.
  static func ticks(_ low: Double, _ high: Double) -> [Double] {
    let rough = (high - low) / 4
    guard rough > 0, rough.isFinite else { return [low] }
    let power = pow(10, log10(rough).rounded(.down))
    let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? rough
    return Array(
      stride(from: (low / step).rounded(.down) * step, through: high + step * 0.999, by: step))
  }
}
