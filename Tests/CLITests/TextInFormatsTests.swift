import Foundation
import Tern
import Testing

/// Names of files and classes that mean something in YAML, JSON, HTML, CSV, a shell or a terminal.
@Suite struct TextInFormatsTests {
  static let names = [
    "my \"best\" pics", "a\\new", "line\nfeed", "# no comment", "key: value", "  leading", "trail ",
    "'single'", "{a: [b", "%TAG", "&anchor", "tab\there", "café 日本", "bell\u{7}\u{1B}[31mred",
    "\u{9B}31m", "null", "-x",
  ]

  @Test(arguments: names) func aRunOfSuchDataGoesOnAndIsTested(name: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(name, train: 20, test: 10)
    func run(_ arguments: [String], status: Int32 = 0) throws -> Command.Result {
      let result = try Command.run(arguments, in: workspace.path)
      #expect(result.status == status, "\(arguments): \(result.errors)")
      for text in [result.output, result.errors] {
        let commands = text.unicodeScalars.filter {
          $0 != "\n" && ($0.value < 0x20 || (0x7F...0x9F).contains($0.value))
        }
        #expect(commands.isEmpty, "\(arguments)")
      }
      return result
    }
    let out = "run of \(name)"
    _ = try run([
      "train", "linear", "--data", "idx:\(name)", "--device", "reference", "--epochs", "1", "--out",
      out,
    ])
    let config = try TrainingConfiguration(contentsOf: workspace.file("\(out)/config.yaml"))
    #expect(Array(config.data.utf8) == Array("idx:\(name)".utf8))
    _ = try run(["train", "--resume", out, "--epochs", "2"])
    _ = try run(["test", out, "--device", "reference"])
    _ = try run(["predict", out, "--index", "1", "--device", "reference"])
    _ = try run(["plot", out])
    // As the name of a run, of a file of weights, of nothing that is there.
    _ = try run(["export", out, "--out", "./\(name).npz"])
    _ = try run(["train", "linear", "--data=idx:no \(name)", "--epochs", "1"], status: 66)
    _ = try run(["train", "--resume=no \(name)"], status: 66)
  }

  @Test func sweepsOfSuchData() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let name = "my \"best\", a\\new: #1"
    try workspace.writeDataset(name, train: 20, test: 10)
    try workspace.write(
      "s.yaml",
      """
      settings: {model: linear, epochs: 1, device: reference}
      parameters: {data: [\(JSON.string("idx:\(name)")), \(JSON.string("idx:./\(name)"))]}
      """)
    for _ in 0..<2 {
      let result = try Command.run(["sweep", "s.yaml", "--out", "s"], in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
    }
    let csv = String(decoding: workspace.bytes("s/sweep.csv")!, as: UTF8.self)
    #expect(csv.contains("\"idx:my \"\"best\"\", a\\new: #1\""), "\(csv)")
  }

  /// Class names reach the page and the pictures as text, whatever joins their first character.
  @Test func classNamesAreNoMarkup() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let names = [
      "\u{600}<img src=x onerror=alert(1)>", "<b>\u{301}", "\"\u{301} onload=alert(1) x=",
      "</title\u{200D}><script>alert(1)",
    ]
    for (index, name) in names.enumerated() {
      let folder = workspace.file("pics/\(name.replacingOccurrences(of: "/", with: "\u{2215}"))")
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for number in 0..<10 {
        let pixels = (0..<64).map { UInt8(($0 * 37 + number * 11 + index * 60) % 256) }
        try PNGWriter.encoded(pixels, width: 8, height: 8, channels: 1).write(
          to: URL(fileURLWithPath: "\(folder)/\(number).png"))
      }
    }
    let result = try Command.run(
      [
        "train", "linear", "--data", "images:pics", "--image-size", "8", "--epochs", "2",
        "--device", "reference", "--out", "run <i>\u{600}<b>", "-q",
      ], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    let plot = try Command.run(
      ["plot", "run <i>\u{600}<b>", "run <i>\u{600}<b>", "--out", "two.svg"], in: workspace.path)
    #expect(plot.status == 0, "\(plot.errors)")
    for page in ["run <i>\u{600}<b>/report.html", "two.svg"] {
      let text = String(decoding: try #require(workspace.bytes(page)), as: UTF8.self)
      // Elements are what opens with a mark and a letter, by scalars and not by characters.
      let scalars = Array(text.unicodeScalars)
      var tags: Set<String> = []
      for (place, scalar) in scalars.enumerated() where scalar == "<" {
        let name = scalars[(place + 1)...].prefix { $0.properties.isAlphabetic || $0 == "/" }
        tags.insert(String(String.UnicodeScalarView(name)))
      }
      for tag in ["script", "b", "i", "/title\u{2215}"] { #expect(!tags.contains(tag), "\(page)") }
      #expect(!text.unicodeScalars.map(\.value).description.isEmpty)
      let pictures = text.components(separatedBy: "<img").dropFirst()
      #expect(pictures.allSatisfy { !$0.prefix(40).contains("src=x") }, "\(page)")
      #expect(text.utf8.count > 1000)
    }
  }
}
