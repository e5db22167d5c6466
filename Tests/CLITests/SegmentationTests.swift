import Foundation
import Tern
import Testing

/// Folders of pictures and masks.
@Suite struct SegmentationCommandTests {
  /// Grey pictures with a bright square, and masks: 1 where the square is, 255 at the border.
  private func writeFolder(_ name: String, count: Int, in workspace: Workspace) throws {
    for kind in ["images", "masks"] {
      try FileManager.default.createDirectory(
        atPath: workspace.file("\(name)/\(kind)"), withIntermediateDirectories: true)
    }
    for index in 0..<count {
      var (picture, mask) = ([UInt8](), [UInt8]())
      let (top, left) = (2 + index * 3 % 9, 2 + index * 5 % 9)
      for y in 0..<16 {
        for x in 0..<16 {
          let isInside = (top..<top + 5).contains(y) && (left..<left + 5).contains(x)
          picture.append(isInside ? 220 : UInt8(20 + (x * 7 + y * 3) % 30))
          mask.append(y == 0 ? 255 : isInside ? 1 : 0)
        }
      }
      for (kind, pixels) in [("images", picture), ("masks", mask)] {
        try PNGWriter.encoded(pixels, width: 16, height: 16, channels: 1).write(
          to: URL(fileURLWithPath: workspace.file("\(name)/\(kind)/\(index).png")))
      }
    }
  }

  @Test func trainsAndTests() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try writeFolder("data/train", count: 8, in: workspace)
    try writeFolder("data/test", count: 4, in: workspace)
    try workspace.write("data/classes.txt", "ground\nsquare\n")
    let training = try Command.run(
      [
        "train", "unet", "--data", "images:data", "--image-size", "16", "--epochs", "1",
        "--batch-size", "4", "--augment", "flip,crop:2,hsv", "--device", "cpu", "--out", "run",
        "--monitor", "test_mean_iou", "-q",
      ], in: workspace.path)
    #expect(training.status == 0, "\(training.errors)")
    // What is watched is told of every epoch.
    let results = String(decoding: try #require(workspace.bytes("run/results.csv")), as: UTF8.self)
    #expect(results.contains("test_mean_iou"), "\(results)")
    let test = try Command.run(["test", "run", "--json", "--device", "cpu"], in: workspace.path)
    #expect(test.status == 0, "\(test.errors)")
    let metrics = try JSON(parsing: test.output)
    #expect(metrics["mean_iou"]?.doubleValue != nil)
    guard case .array(let rows)? = metrics["confusion"] else {
      Issue.record("no confusion matrix in \(test.output)")
      return
    }
    // Every pixel but those of the border counts.
    var pixelCount = 0
    for row in rows {
      if case .array(let counts) = row { pixelCount += counts.compactMap(\.intValue).reduce(0, +) }
    }
    #expect(pixelCount == 4 * 16 * 15)
    let words = try Command.run(["test", "run", "--device", "cpu"], in: workspace.path).output
    #expect(words.contains("mean IoU") && words.contains("square"))
    try checkPredictions(in: workspace)
  }

  /// Masks have the extents of their pictures and can be read as such; the report has IoU.
  private func checkPredictions(in workspace: Workspace) throws {
    try PNGWriter.encoded(
      [UInt8](repeating: 90, count: 40 * 24), width: 40, height: 24, channels: 1
    ).write(to: URL(fileURLWithPath: workspace.file("wide.png")))
    let result = try Command.run(
      [
        "predict", "run", "wide.png", "data/test/images/1.png", "--masks", "out", "--json",
        "--device", "cpu",
      ], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    let lines = try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(lines.map { $0["mask"] } == [.string("out/wide.png"), .string("out/1.png")])
    for line in lines {
      guard case .array(let classes)? = line["classes"] else { continue }
      #expect(abs(classes.compactMap { $0["share"]?.doubleValue }.reduce(0, +) - 1) < 1e-9)
    }
    let mask = try Picture(mask: workspace.file("out/wide.png"))
    #expect(mask.width == 40 && mask.height == 24)
    #expect(mask.pixels.allSatisfy { $0 < 2 })
    let twice = try Command.run(
      ["predict", "run", "wide.png", "data/wide.jpg", "--masks", "out"], in: workspace.path)
    #expect(twice.status == 64 && twice.errors.contains("out/wide.png"))
    let own = try Command.run(
      ["predict", "run", "wide.png", "--masks", ".", "--device", "cpu"], in: workspace.path)
    #expect(own.status == 64 && own.errors.contains("the picture itself"))
    let report = String(decoding: try #require(workspace.bytes("run/report.html")), as: UTF8.self)
    #expect(report.contains("<th>IoU</th><th>pixels</th>"))
    #expect(report.contains("Worst mistakes") && report.contains("alt=\"its mask\""))
  }

  @Test func masksKeepTheirClasses() throws {
    let mask = MaskPicture(classes: [0, 1, 2, 3, 4, 255], width: 3, height: 2)
    let path = NSTemporaryDirectory() + "tern-mask-\(UUID().uuidString).png"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try mask.png.write(to: URL(fileURLWithPath: path))
    #expect(try Picture(mask: path).pixels == mask.classes)
    #expect(Set(MaskPicture.palette).count == 256)
    #expect(mask.resized(width: 6, height: 4).classes.prefix(6) == [0, 0, 1, 1, 2, 2])
    #expect(mask.shares(classCount: 256)[4] == 1.0 / 6)
  }

  @Test func faultsAreOneLine() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for name in ["good", "missing", "extent", "color", "blank", "names"] {
      try writeFolder(name, count: 6, in: workspace)
    }
    try FileManager.default.removeItem(atPath: workspace.file("missing/masks/3.png"))
    func write(_ path: String, channels: Int, side: Int) throws {
      try PNGWriter.encoded(
        [UInt8](repeating: 1, count: side * side * channels), width: side, height: side,
        channels: channels
      ).write(to: URL(fileURLWithPath: workspace.file(path)))
    }
    try write("extent/masks/2.png", channels: 1, side: 8)
    try write("color/masks/1.png", channels: 3, side: 16)
    for index in 0..<6 {
      try PNGWriter.encoded(
        [UInt8](repeating: 255, count: 256), width: 16, height: 16, channels: 1
      ).write(to: URL(fileURLWithPath: workspace.file("blank/masks/\(index).png")))
    }
    try workspace.write("names/classes.txt", "ground\n")
    try workspace.writeDataset()
    let train = "train unet --image-size 16"
    for input in [
      BadInput("\(train) --data images:missing", 66, "missing/masks/3.png"),
      BadInput("\(train) --data images:extent", 65, "extent/masks/2.png", "8×8", "16×16"),
      BadInput("\(train) --data images:color", 65, "color/masks/1.png", "palette"),
      BadInput("\(train) --data images:blank", 65, "class 0 alone"),
      BadInput("\(train) --data images:names", 65, "classes.txt", "1 names"),
      BadInput("train lenet5 --image-size 28 --data images:good", 64, "per pixel (masks)"),
      BadInput("train unet --data idx:data", 64, "unet gives a class per pixel"),
      BadInput("\(train) --data images:good --augment rotate", 64, "rotate", "mask"),
      BadInput("\(train) --data images:good --augment mixup", 64, "mixup", "per pixel"),
    ] {
      try input.check(in: workspace)
    }
  }
}
