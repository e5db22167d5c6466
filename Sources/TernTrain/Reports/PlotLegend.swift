import Foundation
import TernCore

/// The names of curves below a picture, in as many lines as they need.
struct PlotLegend {
  struct Entry {
    let label: String
    let color: String
    let stroke: LinePanel.Stroke

    init(_ label: String, _ color: String, _ stroke: LinePanel.Stroke = .solid) {
      self.label = label
      self.color = color
      self.stroke = stroke
    }

    /// About how wide it is; fonts differ.
    fileprivate var width: Double { PlotLegend.sampleWidth + 7 * Double(label.count) }

    /// A piece of the line and its name.
    func body(x: Double, y: Double) -> String {
      let number = LinePanel.number
      return "<line x1=\"\(number(x))\" x2=\"\(number(x + 22))\" y1=\"\(number(y))\" "
        + "y2=\"\(number(y))\" stroke=\"\(color)\" stroke-width=\"2\"\(stroke.attribute)/>\n"
        + "<text x=\"\(number(x + PlotLegend.sampleWidth))\" y=\"\(number(y))\" "
        + "dominant-baseline=\"middle\">\(label.escapedForMarkup)</text>\n"
    }
  }

  static let lineHeight = 16.0
  fileprivate static let sampleWidth = 28.0
  private static let gap = 18.0

  private let places: [(entry: Entry, x: Double, line: Int)]

  init(_ entries: [Entry], left: Double, right: Double) {
    var (x, line) = (left, 0)
    places = entries.map { full in
      // A name longer than the picture is wide is cut.
      let longest = max(Int((right - left - Self.sampleWidth) / 7), 1)
      let entry =
        full.label.count <= longest
        ? full : Entry(full.label.prefix(longest - 1) + "…", full.color, full.stroke)
      if x > left, x + entry.width > right { (x, line) = (left, line + 1) }
      defer { x += entry.width + Self.gap }
      return (entry, x, line)
    }
  }

  var height: Double {
    places.last.map { Double($0.line + 1) * Self.lineHeight + 12 } ?? 0
  }

  /// - Parameter y0: where the legend begins.
  func body(at y0: Double) -> String {
    places.map { $0.entry.body(x: $0.x, y: y0 + Self.lineHeight * (Double($0.line) + 0.5)) }
      .joined()
  }

  /// The room that entries need one below the other.
  static func columnWidth(_ entries: [Entry]) -> Double { entries.map(\.width).max() ?? 0 }
}
