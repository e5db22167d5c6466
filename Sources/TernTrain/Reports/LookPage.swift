import Foundation
import TernCore
import TernData
import TernNN

/// What was seen inside a network, as pictures and on one page that needs no other file.
package struct LookPage {
  private let title: String
  private var sections: [(title: String, body: String)] = []
  /// What is written beside the page, by name.
  package private(set) var files: [(name: String, data: Data)] = []

  /// An empty page.
  package init(title: String) { self.title = title }

  private mutating func add(_ title: String, _ note: String, _ body: String) {
    sections.append((title, "<p>\(note.escapedForMarkup)</p>\n\(body)"))
  }

  /// - Parameter name: of the file beside the page.
  private mutating func figure(_ picture: LayerPicture, _ name: String) -> String {
    let png = picture.sheet.png
    let file =
      name + "-"
      + String(
        picture.layer.map { $0.isLetter || $0.isNumber || "._-".contains($0) ? $0 : "_" }) + ".png"
    files.append((file, png))
    return """
      <figure><img class="look" src="\(SamplePicture.dataURI(png: png))" \
      alt="\(picture.layer.escapedForMarkup)">
      <figcaption><b>\(picture.layer.escapedForMarkup)</b>: \(picture.caption.escapedForMarkup)\
      </figcaption></figure>

      """
  }

  private mutating func drawing(_ svg: String, _ name: String) -> String {
    files.append((name + ".svg", Data(svg.utf8)))
    return "<div class=\"curves\">\n\(svg)</div>\n"
  }

  /// Filters of the first layers.
  package mutating func add(filters: [LayerPicture]) {
    guard !filters.isEmpty else { return }
    var body = ""
    for picture in filters { body += figure(picture, "filters") }
    add(
      "Filters", "What the first layers look for; each filter from its least to its largest.", body)
  }

  /// Maps of a picture.
  ///
  /// - Parameter sample: what the picture is called.
  package mutating func add(featureMaps: [LayerPicture], of sample: String) {
    guard !featureMaps.isEmpty else { return }
    var body = ""
    for picture in featureMaps { body += figure(picture, "features") }
    add(
      "Feature maps", "What the layers make of \(sample); each map from its least to its largest.",
      body)
  }

  /// The inputs that units like most.
  package mutating func add(maximalInputs: LayerPicture) {
    let body = figure(maximalInputs, "maximal")
    add(
      "What units look for",
      "The pictures that make units largest, found by going uphill from grey, each unit by itself.",
      body)
  }

  /// Distributions of outputs, and units that say nothing.
  package mutating func add(activations: [ActivationStatistics]) {
    guard !activations.isEmpty else { return }
    let panels = activations.enumerated().map { index, layer in
      let (low, width) = (layer.range.lowerBound, layer.range.upperBound - layer.range.lowerBound)
      let total = Double(max(layer.histogram.reduce(0, +), 1))
      return LinePanel(
        title: layer.name, xLabel: layer.kind, xScale: .linear,
        curves: [
          .init(
            label: layer.name, color: LinePanel.colors[index % LinePanel.colors.count],
            points: layer.histogram.enumerated().map {
              (low + width * (Double($0) + 0.5) / Double(layer.histogram.count), Double($1) / total)
            })
        ], hasLegend: false)
    }
    // Three in a row.
    var body = ""
    for (row, start) in stride(from: 0, to: panels.count, by: 3).enumerated() {
      body += drawing(
        LinePanel.picture(
          Array(panels[start..<min(start + 3, panels.count)]), width: 280, height: 200),
        "activations-\(row + 1)")
    }
    let rows = activations.map { layer in
      let dead = layer.deadUnits.prefix(8).map(String.init).joined(separator: ", ")
      let cells = [
        layer.name, layer.kind, String(format: "%.3g", layer.mean),
        String(format: "%.3g", layer.deviation), String(format: "%.1f %%", layer.zeroShare * 100),
        "\(layer.deadUnits.count) of \(layer.unitCount)"
          + (layer.deadUnits.isEmpty ? "" : " (\(dead)\(layer.deadUnits.count > 8 ? ", …" : ""))"),
      ]
      return "<tr>" + cells.map { "<td>\($0.escapedForMarkup)</td>" }.joined() + "</tr>"
    }
    body += """
      <div class="wide"><table class="number">
      <tr><th>layer</th><th>type</th><th>mean</th><th>deviation</th><th>zeros</th><th>dead units</th></tr>
      \(rows.joined(separator: "\n"))
      </table></div>

      """
    add(
      "Activations",
      "How the outputs of layers are distributed over test samples, as parts of all. A unit is dead "
        + "that gives the same for every one of them.", body)
  }

  /// How far layers see.
  package mutating func add(receptiveFields layers: [LayerSummary], input: Shape) {
    let seen = layers.filter { $0.receptiveField != nil }
    guard let widest = seen.compactMap(\.receptiveField).max(), input.rank == 3, widest > 1 else {
      return
    }
    let side = 260.0
    let scale = side / Double(max(widest, input[2]))
    var drawn = ""
    let fields = Set(seen.compactMap(\.receptiveField)).sorted(by: >)
    let (height, width) = (Double(input[1]) * scale, Double(input[2]) * scale)
    drawn +=
      "<rect x=\"\(LinePanel.number(20 + (side - width) / 2))\" "
      + "y=\"\(LinePanel.number(20 + (side - height) / 2))\" width=\"\(LinePanel.number(width))\" "
      + "height=\"\(LinePanel.number(height))\" style=\"fill: #dddddd\"/>\n"
    for (index, field) in fields.enumerated() {
      let extent = Double(field) * scale
      let corner = LinePanel.number(20 + (side - extent) / 2)
      drawn +=
        "<rect x=\"\(corner)\" y=\"\(corner)\" width=\"\(LinePanel.number(extent))\" "
        + "height=\"\(LinePanel.number(extent))\" style=\"fill: none\" "
        + "stroke=\"\(LinePanel.colors[index % LinePanel.colors.count])\" stroke-width=\"1.5\"/>\n"
    }
    let svg = LinePanel.picture(width: side + 40, height: side + 40, drawn)
    let rows = seen.map {
      "<tr><td>\($0.name.escapedForMarkup)</td><td>\($0.kind.escapedForMarkup)</td>"
        + "<td>\($0.receptiveField ?? 0)×\($0.receptiveField ?? 0)</td></tr>"
    }
    let body =
      drawing(svg, "receptive-fields")
        + """
        <div class="wide"><table class="number">
        <tr><th>layer</th><th>type</th><th>sees</th></tr>
        \(rows.joined(separator: "\n"))
        </table></div>

        """
    add(
      "Receptive fields",
      "How many pixels of the input (grey, \(input[2])×\(input[1])) an output of a layer sees.",
      body)
  }

  /// How the energy of a memory falls.
  package mutating func add(energies: [EnergyTrace]) {
    guard let first = energies.first else { return }
    let panel = LinePanel(
      title: "energy while patterns are recalled", xLabel: "units looked at", xScale: .linear,
      curves: energies.enumerated().map { index, trace in
        .init(
          label: "sample \(trace.sample)", color: LinePanel.colors[index % LinePanel.colors.count],
          points: trace.energies.enumerated().map { (Double($0), $1) })
      })
    let rises = energies.map { trace in
      zip(trace.energies, trace.energies.dropFirst()).count { $1 > $0 }
    }.reduce(0, +)
    let body = drawing(LinePanel.picture([panel], width: 640, height: 320), "energy")
    add(
      "Energy",
      "The energy of damaged test samples, unit by unit (\(first.energies.count - 1) of them). It rose in "
        + "\(rises) of \(energies.count * (first.energies.count - 1)) steps.", body)
  }

  /// How large gradients are from layer to layer.
  ///
  /// - Parameter course: the same at the end of each epoch of the training; none where nothing tells of it.
  package mutating func add(gradientFlow: [GradientFlow], course: [GradientFlow] = []) {
    guard let first = gradientFlow.first, !first.magnitudes.isEmpty else { return }
    let panel = LinePanel(
      title: "gradients of the weights", xLabel: "weights, from the first layer to the last",
      xScale: .counting,
      curves: gradientFlow.enumerated().map { index, flow in
        .init(
          label: flow.name, color: LinePanel.colors[index % LinePanel.colors.count],
          points: flow.magnitudes.enumerated().map {
            (Double($0 + 1), $1.mean > 0 ? log10($1.mean) : .nan)
          })
      })
    let rows = first.magnitudes.indices.map { place in
      let cells =
        ["\(place + 1)", first.magnitudes[place].parameter]
        + gradientFlow.map { String(format: "%.3g", $0.magnitudes[place].mean) }
      return "<tr>" + cells.map { "<td>\($0.escapedForMarkup)</td>" }.joined() + "</tr>"
    }
    let heads = gradientFlow.map { "<th>\($0.name.escapedForMarkup)</th>" }.joined()
    let body =
      drawing(LinePanel.picture([panel], width: 640, height: 300), "gradients")
        + """
        <div class="wide"><table class="number">
        <tr><th></th><th>weight</th>\(heads)</tr>
        \(rows.joined(separator: "\n"))
        </table></div>

        """
    let ratios = gradientFlow.map { "\($0.name) \(String(format: "%.3g", $0.ratio))" }
    add(
      "Gradient flow",
      "The logarithm (base 10) of the mean magnitude of each weight's gradient, on a batch of training "
        + "samples. Gradients that vanish on their way back rise from the first layer to the last, those "
        + "that explode fall. Largest over smallest: \(ratios.joined(separator: ", "))."
        + (course.isEmpty
          ? " Training with \(Setting.flag("histograms")) keeps their course over the epochs."
          : ""),
      body)
    guard !course.isEmpty else { return }
    add(
      "Gradient flow over training",
      "The same at the end of each epoch, a line per weight\(first.magnitudes.count > Self.courseCount ? ", of which some are shown" : "").",
      drawing(Self.coursePanel(course), "gradients-course"))
  }

  private static let courseCount = LinePanel.colors.count

  /// The logarithm of gradients over the epochs, a line per weight, from the first layer to the last.
  private static func coursePanel(_ course: [GradientFlow]) -> String {
    let names = course[0].magnitudes.map(\.parameter)
    let count = min(names.count, courseCount)
    let shown = (0..<count).map { names[$0 * (names.count - 1) / max(count - 1, 1)] }
    let tables = course.map {
      Dictionary($0.magnitudes.map { ($0.parameter, $0.mean) }) { first, _ in first }
    }
    let curves = shown.enumerated().map { index, name in
      LinePanel.Curve(
        label: name, color: LinePanel.colors[index],
        points: zip(course, tables).map { flow, table in
          let mean = table[name] ?? .nan
          return (Double(flow.epoch ?? 0), mean > 0 ? log10(mean) : .nan)
        })
    }
    let panel = LinePanel(
      title: "gradients of the weights", xLabel: "epoch", xScale: .counting, curves: curves)
    return LinePanel.picture([panel], width: 640, height: 320)
  }

  /// The loss around the weights.
  package mutating func add(surface: LossSurface) {
    let svg = SurfacePlot(surface: surface).svg
    guard !svg.isEmpty else { return }
    let body = drawing(svg, "loss-surface")
    add(
      "Loss surface",
      "The loss of \(surface.sampleCount) test samples around the weights, "
        + String(format: "%.4g", surface.center)
        + " at the circle, along two random directions in which every filter is as long as the network's "
        + "own (Li et al., 2018).", body)
  }

  /// The page.
  package var html: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(title.escapedForMarkup)</title>
    <style>\(RunReport.style)
    figure { margin: 0 0 18px } figure img.look { width: auto; height: auto; max-width: 100%;
      min-width: min(100%, 420px); border: 0 }
    </style>
    </head>
    <body>
    <h1>\(title.escapedForMarkup)</h1>
    \(sections.map { "<h2>\($0.title)</h2>\n\($0.body)" }.joined(separator: "\n"))
    </body>
    </html>

    """
  }
}
