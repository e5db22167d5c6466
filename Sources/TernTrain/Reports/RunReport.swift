import Foundation
import TernCore
import TernData

/// A run on one page that needs no other file: results, curves, confusion matrix, the worst
/// mistakes, settings and device.
struct RunReport {
  let title: String
  /// What the page begins with: names and values.
  let facts: [(name: String, value: String)]
  let history: [TrainingEvent.Epoch]
  /// The newest sheet of a network that makes pictures, as PNG.
  let sheet: Data?
  let metrics: ClassificationMetrics?
  /// The set that ``metrics`` were taken on.
  let testSet: any Dataset
  let settings: [(name: String, value: AttributeValue)]

  /// How many mistakes are shown.
  private static let mistakeCount = 24
  /// A table of more rows is scrolled.
  private static let tallTable = 20
  /// How many pairs of classes are listed where there is no confusion matrix.
  private static let confusionCount = 20
  /// A confusion matrix of more classes is unreadable.
  private static let largestMatrix = 40

  var html: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(title.escapedForMarkup)</title>
    <style>\(Self.style)</style>
    </head>
    <body>
    <h1>\(title.escapedForMarkup)</h1>
    \(table(facts.map { ($0.name, $0.value) }, className: "facts"))
    \(curves)\(pictures)\(classes)\(confusion)\(mistakes)\(masks)
    <h2>Settings</h2>
    <div class="settings">
    \(settings.map { Self.setting($0.name, $0.value) }.joined(separator: "\n"))
    </div>
    </body>
    </html>

    """
  }

  /// Colours of curves and axes are set again for dark schemes, past the attributes that a picture of
  /// its own has.
  static let style = """
    :root { --ink: #222; --ground: #fff; --muted: #555; --line: #ddd }
    body { font: 15px/1.45 system-ui, sans-serif; max-width: 860px; margin: 2em auto; padding: 0 1em;
      color: var(--ink); background: var(--ground) }
    h1 { font-size: 1.5em; overflow-wrap: anywhere } h2 { font-size: 1.15em; margin-top: 2em }
    table { border-collapse: collapse } th { text-align: left; font-weight: 600 }
    td, th { padding: 2px 14px 2px 0; vertical-align: top; font-variant-numeric: tabular-nums }
    .number td + td, .number th + th { text-align: right }
    .curves { display: flex; flex-wrap: wrap; gap: 8px }
    .curves svg { max-width: 100%; height: auto }
    svg > rect { fill: var(--ground) } svg text:not([fill]) { fill: var(--ink) }
    svg text[fill="#555"] { fill: var(--muted) } svg line[stroke="#ddd"] { stroke: var(--line) }
    .wide { overflow-x: auto } .tall { max-height: 34em; overflow-y: auto }
    .tall tr:first-child th { position: sticky; top: 0; background: var(--ground) }
    .tall { border-bottom: 1px solid var(--line) }
    @media (max-width: 480px) { .number td, .number th { padding-right: 8px; font-size: 13px } }
    @media print { .tall { max-height: none } }
    .confusion td, .confusion th { padding: 4px 7px; text-align: right; font-size: 13px }
    th, td:first-child { white-space: nowrap }
    .mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(120px, 1fr));
      gap: 14px }
    figure { margin: 0; font-size: 12px }
    figure img { width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated;
      border: 1px solid var(--line) }
    .masks { display: grid; grid-template-columns: repeat(auto-fill, minmax(310px, 1fr)); gap: 14px }
    .sheet { width: 480px; max-width: 100%; image-rendering: pixelated }
    .settings { columns: 260px; column-gap: 28px; font-size: 13px }
    .settings div { display: flex; justify-content: space-between; gap: 12px; break-inside: avoid;
      border-bottom: 1px solid var(--line); padding: 2px 0 }
    .settings span + span { color: var(--muted); text-align: right; overflow-wrap: anywhere }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #ddd; --ground: #17191c; --muted: #a3a8ae; --line: #3a3f45 }
      svg [stroke="#0072b2"] { stroke: #56b4e9 }
      figure img { opacity: 0.92 }
    }
    """

  private static func setting(_ name: String, _ value: AttributeValue) -> String {
    let text =
      switch value {
      case .null: "–"
      case .string(let text): text
      default: "\(value)"
      }
    return
      "<div><span>\(name.escapedForMarkup)</span><span>\(text.escapedForMarkup)</span></div>"
  }

  private func table(_ rows: [(String, String)], className: String) -> String {
    let lines = rows.map {
      "<tr><th>\($0.escapedForMarkup)</th><td>\($1.escapedForMarkup)</td></tr>"
    }
    return "<table class=\"\(className)\">\n\(lines.joined(separator: "\n"))\n</table>\n"
  }

  private var curves: String {
    guard !history.isEmpty else { return "<p>No epoch is done yet.</p>\n" }
    let plot = CurvePlot(runs: [.init(name: title, history: history)])
    return "<h2>Curves</h2>\n<div class=\"curves\">\n\(plot.pictures.joined())</div>\n"
  }

  private var pictures: String {
    guard let sheet else { return "" }
    return """
      <h2>Samples</h2>
      <p>What the network makes after the last epoch.</p>
      <img class="sheet" src="\(SamplePicture.dataURI(png: sheet))" alt="a sheet of samples">

      """
  }

  private func name(_ index: Int) -> String {
    index < testSet.classNames.count ? testSet.classNames[index] : "\(index)"
  }

  /// The number of a class and its name, where it has one.
  private func numberAndName(_ index: Int) -> String {
    name(index) == "\(index)" ? "\(index)" : "\(index) \(name(index))"
  }

  private var classes: String {
    guard let metrics else { return "" }
    let overlaps = metrics.isPerPixel ? metrics.intersectionsOverUnion : []
    let rows = metrics.perClass.enumerated().map { index, score in
      let numbers = [score.precision, score.recall, score.f1] + overlaps.dropFirst(index).prefix(1)
      return "<tr><td>\(name(index).escapedForMarkup)</td>"
        + numbers.map { $0.isNaN ? "<td>–</td>" : "<td>\(String(format: "%.4f", $0))</td>" }
        .joined()
        + "<td>\(score.support)</td></tr>"
    }
    return """
      <h2>Classes</h2>
      <div class="wide\(rows.count > Self.tallTable ? " tall" : "")"><table class="number">
      <tr><th>class</th><th>precision</th><th>recall</th><th>F1</th>\
      \(metrics.isPerPixel ? "<th>IoU</th><th>pixels</th>" : "<th>samples</th>")</tr>
      \(rows.joined(separator: "\n"))
      </table></div>

      """
  }

  /// A row per true class; a cell is the more coloured, the larger its part of the row.
  private var confusion: String {
    guard let metrics else { return "" }
    guard metrics.classCount <= Self.largestMatrix else { return commonestConfusions(metrics) }
    let indices = 0..<metrics.classCount
    let header = indices.map { "<th title=\"\(name($0).escapedForMarkup)\">\($0)</th>" }.joined()
    let matrix = metrics.confusion
    let rows = indices.map { row in
      let counts = matrix[row]
      let total = max(counts.reduce(0, +), 1)
      let cells = counts.enumerated().map { column, count in
        let part = Double(count) / Double(total)
        let color = row == column ? "0, 114, 178" : "213, 94, 0"
        let ink = part > 0.6 ? "; color: #fff" : ""
        return "<td style=\"background: rgba(\(color), \(String(format: "%.3f", part)))\(ink)\">"
          + "\(count)</td>"
      }
      return "<tr><th>\(numberAndName(row).escapedForMarkup)</th>\(cells.joined())</tr>"
    }
    return """
      <h2>Confusion matrix</h2>
      <p>Rows are the true classes, columns what they were taken for.</p>
      <div class="wide"><table class="confusion">
      <tr><th></th>\(header)</tr>
      \(rows.joined(separator: "\n"))
      </table></div>

      """
  }

  /// What stands in place of a matrix that nobody could read.
  private func commonestConfusions(_ metrics: ClassificationMetrics) -> String {
    let rows = metrics.commonestConfusions(Self.confusionCount).map { pair in
      "<tr><td>\(name(pair.label).escapedForMarkup)</td>"
        + "<td>\(name(pair.prediction).escapedForMarkup)</td><td>\(pair.count)</td></tr>"
    }
    guard !rows.isEmpty else { return "" }
    return """
      <h2>Most frequent confusions</h2>
      <p>A confusion matrix of \(metrics.classCount) classes would not fit here; tern test --json has all
      counts.</p>
      <div class="wide"><table class="number">
      <tr><th>class</th><th>taken for</th><th>samples</th></tr>
      \(rows.joined(separator: "\n"))
      </table></div>

      """
  }

  /// The pictures that were segmented worst, each beside its mask and what was made of it.
  private var masks: String {
    let figures = (metrics?.worstMasks ?? []).compactMap { mistake -> String? in
      guard let picture = SamplePicture(testSet, mistake.index),
        let truth = MaskPicture(of: mistake.index, in: testSet)
      else { return nil }
      let found = MaskPicture(classes: mistake.classes, width: truth.width, height: truth.height)
      let images = [
        ("sample \(mistake.index)", picture.png), ("its mask", truth.png),
        ("its classes", found.png),
      ].map { "<img src=\"\(SamplePicture.dataURI(png: $1))\" alt=\"\($0)\">" }
      return """
        <figure>\(images.joined(separator: " "))
        <figcaption>sample \(mistake.index): \(String(format: "%.1f", mistake.mistakenPart * 100)) % \
        of its pixels mistaken</figcaption></figure>
        """
    }
    guard !figures.isEmpty else { return "" }
    return """
      <h2>Worst mistakes</h2>
      <p>Test samples, the true classes of their pixels, and the classes they were taken for.</p>
      <div class="masks">
      \(figures.joined(separator: "\n"))
      </div>

      """
  }

  private var mistakes: String {
    guard let metrics else { return "" }
    let figures = metrics.worstMistakes(Self.mistakeCount).compactMap { mistake -> String? in
      guard let picture = SamplePicture(testSet, mistake.index) else { return nil }
      return """
        <figure><img src="\(picture.dataURI)" alt="sample \(mistake.index)">
        <figcaption>\(name(mistake.label).escapedForMarkup), taken for \
        \(name(mistake.prediction).escapedForMarkup) (\(String(format: "%.0f", mistake.confidence * 100)) %)\
        </figcaption></figure>
        """
    }
    guard !figures.isEmpty else { return "" }
    return """
      <h2>Worst mistakes</h2>
      <p>The test samples whose own class was thought least likely.</p>
      <div class="mistakes">
      \(figures.joined(separator: "\n"))
      </div>

      """
  }
}
