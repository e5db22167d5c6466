import TernCore

/// What a network predicts over its one feature, as an SVG picture: the mean, where it gives one the
/// deviation around it, and samples.
package struct FitPlot {
  /// A place of the curve.
  package struct Place: Sendable {
    let x: Double
    let mean: Double
    /// `nil` where the network gives none.
    let deviation: Double?

    package init(x: Double, mean: Double, deviation: Double?) {
      (self.x, self.mean, self.deviation) = (x, mean, deviation)
    }
  }

  private let title: String
  private let feature: String
  private let samples: [(x: Double, y: Double)]
  private let places: [Place]

  /// - Parameter title: what is predicted.
  package init(
    title: String, feature: String, samples: [(x: Double, y: Double)], places: [Place]
  ) {
    (self.title, self.feature) = (title, feature)
    (self.samples, self.places) = (samples, places)
  }

  package var svg: String {
    let color = LinePanel.colors[1]
    var curves = [
      LinePanel.Curve(
        label: "samples", color: LinePanel.colors[5], stroke: .points, points: samples),
      LinePanel.Curve(label: "mean", color: color, points: places.map { ($0.x, $0.mean) }),
    ]
    for (sign, label) in [(1.0, "± deviation"), (-1, "")] {
      let points = places.compactMap { place in
        place.deviation.map { (x: place.x, y: place.mean + sign * $0) }
      }
      guard !points.isEmpty else { continue }
      curves.append(LinePanel.Curve(label: label, color: color, stroke: .dashed, points: points))
    }
    let panel = LinePanel(
      title: title, xLabel: feature, xScale: .linear, curves: curves, hasLegend: false)
    return LinePanel.picture(
      [panel], width: 560, height: 360,
      legend: curves.filter { !$0.label.isEmpty }.map { .init($0.label, $0.color, $0.stroke) })
  }
}
