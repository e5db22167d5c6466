import Foundation

/// A loss around a network's weights as an SVG picture: colours, and lines of equal loss.
struct SurfacePlot {
  let surface: LossSurface

  private static let side = 420.0
  private static let margin = (left: 52.0, top: 36.0, right: 96.0, bottom: 44.0)
  private static let levelCount = 10

  /// From low to high: dark blue, green, yellow. Its lightness rises evenly, as viridis' does.
  private static let colors: [(Double, Double, Double)] = [
    (68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37),
  ]

  private static func color(_ part: Double) -> String {
    let place = min(max(part, 0), 1) * Double(colors.count - 1)
    let low = min(Int(place), colors.count - 2)
    let rest = place - Double(low)
    func mixed(_ a: Double, _ b: Double) -> Int { Int((a + (b - a) * rest).rounded()) }
    let (a, b) = (colors[low], colors[low + 1])
    return String(format: "#%02x%02x%02x", mixed(a.0, b.0), mixed(a.1, b.1), mixed(a.2, b.2))
  }

  var svg: String {
    let finite = surface.losses.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return "" }
    // Far from the weights losses are many times those near: their logarithms are shown then.
    let isLogarithmic = low > 0 && high / low > 20
    func level(_ loss: Double) -> Double { isLogarithmic ? log10(loss) : loss }
    let (bottom, top) = (level(low), max(level(high), level(low) + 1e-12))
    func part(_ loss: Double) -> Double {
      loss.isFinite ? (level(loss) - bottom) / (top - bottom) : 1
    }
    let count = surface.positions.count
    let (m, side) = (Self.margin, Self.side)
    let cell = side / Double(count - 1)
    func px(_ column: Double) -> Double { m.left + column * cell }
    func py(_ row: Double) -> Double { m.top + side - row * cell }
    let number = LinePanel.number
    var text =
      "<text x=\"\(number(m.left))\" y=\"20\" font-weight=\"bold\">loss around the weights</text>\n"
    for row in 0..<count {
      for column in 0..<count {
        let (left, right) = (
          max(Double(column) - 0.5, 0), min(Double(column) + 0.5, Double(count - 1))
        )
        let (lower, upper) = (max(Double(row) - 0.5, 0), min(Double(row) + 0.5, Double(count - 1)))
        text +=
          "<rect x=\"\(number(px(left)))\" y=\"\(number(py(upper)))\" "
          + "width=\"\(number((right - left) * cell + 0.5))\" "
          + "height=\"\(number((upper - lower) * cell + 0.5))\" "
          + "style=\"fill: \(Self.color(part(surface.losses[row * count + column])))\"/>\n"
      }
    }
    for step in 1..<Self.levelCount {
      text += contour(Double(step) / Double(Self.levelCount), part, px, py)
    }
    let middle = Double(count - 1) / 2
    text +=
      "<circle cx=\"\(number(px(middle)))\" cy=\"\(number(py(middle)))\" r=\"4\" fill=\"none\" "
      + "stroke=\"#ffffff\" stroke-width=\"2\"/>\n"
    for place in [0, count / 2, count - 1] {
      let label = String(format: "%g", surface.positions[place])
      text +=
        "<text x=\"\(number(px(Double(place))))\" y=\"\(number(m.top + side + 16))\" "
        + "text-anchor=\"middle\" fill=\"#555\">\(label)</text>\n"
        + "<text x=\"\(number(m.left - 6))\" y=\"\(number(py(Double(place))))\" "
        + "text-anchor=\"end\" dominant-baseline=\"middle\" fill=\"#555\">\(label)</text>\n"
    }
    // What the colours stand for.
    let x = m.left + side + 16
    for step in 0..<40 {
      let y = m.top + side * (1 - Double(step + 1) / 40)
      text +=
        "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"14\" height=\"\(number(side / 40 + 0.5))\" "
        + "style=\"fill: \(Self.color((Double(step) + 0.5) / 40))\"/>\n"
    }
    for step in 0...4 {
      let value = bottom + (top - bottom) * Double(step) / 4
      let label = String(format: "%.3g", isLogarithmic ? pow(10, value) : value)
      text +=
        "<text x=\"\(number(x + 20))\" y=\"\(number(m.top + side * (1 - Double(step) / 4)))\" "
        + "dominant-baseline=\"middle\" fill=\"#555\">\(label)</text>\n"
    }
    text +=
      "<text x=\"\(number(m.left + side / 2))\" y=\"\(number(m.top + side + 36))\" "
      + "text-anchor=\"middle\" fill=\"#555\">along two random directions, in lengths of the filters"
      + "</text>\n"
    return LinePanel.picture(
      width: m.left + side + m.right, height: m.top + side + m.bottom, text)
  }

  /// The line of one level, cell by cell, between the points of the grid (marching squares).
  private func contour(
    _ level: Double, _ part: (Double) -> Double, _ px: (Double) -> Double,
    _ py: (Double) -> Double
  ) -> String {
    let count = surface.positions.count
    func value(_ column: Int, _ row: Int) -> Double { part(surface.losses[row * count + column]) }
    var path = ""
    for row in 0..<count - 1 {
      for column in 0..<count - 1 {
        let corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
        var crossings: [(Double, Double)] = []
        for side in 0..<4 {
          let (a, b) = (corners[side], corners[(side + 1) % 4])
          let (from, to) = (value(a.0, a.1) - level, value(b.0, b.1) - level)
          guard (from < 0) != (to < 0) else { continue }
          let t = from / (from - to)
          crossings.append(
            (Double(a.0) + t * Double(b.0 - a.0), Double(a.1) + t * Double(b.1 - a.1)))
        }
        for pair in stride(from: 0, to: crossings.count - 1, by: 2) {
          let (a, b) = (crossings[pair], crossings[pair + 1])
          let points = [px(a.0), py(a.1), px(b.0), py(b.1)].map(LinePanel.number)
          path += "M\(points[0]) \(points[1])L\(points[2]) \(points[3])"
        }
      }
    }
    return path.isEmpty
      ? "" : "<path d=\"\(path)\" fill=\"none\" stroke=\"#ffffff\" stroke-opacity=\"0.7\"/>\n"
  }
}
