import Foundation
import Tern
import Testing

/// Runs on folders of pictures: what is lost when one of them is damaged, and other folders.
@Suite struct PictureRunTests {
  private static let train = [
    "train", "linear", "--data", "images:my pictures", "--image-size", "8", "--epochs", "3",
    "--batch-size", "2", "--normalize", "0.5,0.5", "--device", "cpu", "-q",
  ]

  /// Six pictures of each class, one bright, one dark; every fifth is for testing.
  private func makePictures(in workspace: Workspace, _ folder: String, _ classes: [String]) throws {
    for name in classes {
      let path = workspace.file("\(folder)/\(name)")
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      for index in 0..<6 {
        try picture(name, index).write(to: URL(fileURLWithPath: "\(path)/\(index).png"))
      }
    }
  }

  private func picture(_ name: String, _ index: Int) -> Data {
    PNGWriter.encoded(
      (0..<300).map {
        UInt8(
          truncatingIfNeeded: (name.hasPrefix("bright") ? 170 : 10) + ($0 * 31 + index * 57) % 70)
      },
      width: 10, height: 10, channels: 3)
  }

  private func weights(_ run: String, _ workspace: Workspace) -> Data? {
    workspace.bytes("\(run)/checkpoints/last/weights.safetensors")
  }

  /// A picture that is damaged when its turn comes, in training or in the evaluation after it: what
  /// was trained is saved, and with the picture mended the run ends as if nothing had been.
  @Test(arguments: [2, 4]) func aDamagedPictureCostsNothing(index: Int) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let classes = ["bright one's", "dark"]
    try makePictures(in: workspace, "my pictures", classes)
    let whole = try Command.run(Self.train + ["--out", "whole"], in: workspace.path)
    #expect(whole.status == 0, "\(whole.errors)")
    let place = URL(fileURLWithPath: workspace.file("my pictures/\(classes[0])/\(index).png"))
    try picture(classes[0], index).prefix(100).write(to: place)
    let broken = try Command.run(Self.train + ["--out", "the run"], in: workspace.path)
    #expect(broken.status == 65)
    let command = "tern train --resume 'the run'"
    #expect(
      broken.errors
        == "tern: error: my pictures/\(classes[0])/\(index).png: damaged PNG: truncated; "
        + "go on with: \(command)\n")
    let saved = try Checkpoint(contentsOf: workspace.file("the run/checkpoints/last"))
    #expect(index == 4 ? saved.progress.step == 5 : saved.progress.step < 5)
    try picture(classes[0], index).write(to: place)
    let resumed = try Command.shell("\(command) -q", in: workspace.path)
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(weights("the run", workspace) == weights("whole", workspace))
    func losses(_ run: String) -> [Substring] {
      String(decoding: workspace.bytes("\(run)/results.csv") ?? Data(), as: UTF8.self)
        .split(separator: "\n").map {
          $0.split(separator: ",").prefix(4).joined(separator: ",")[...]
        }
    }
    #expect(losses("the run") == losses("whole"))
  }

  /// A run that cannot write its first checkpoint leaves nothing, and can be started again.
  @Test func aRunThatCannotBeginLeavesNothing() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let train = ["train", "lenet5", "--data", "idx:data", "--epochs", "1", "--out", "run", "-q"]
    let full = try Command.start(train, in: workspace.path, fileSizeLimit: 64).wait()
    #expect(full.status == 73)
    #expect(full.errors.contains("cannot write"))
    #expect(!FileManager.default.fileExists(atPath: workspace.file("run")))
    // What was in the folder stays.
    try FileManager.default.createDirectory(
      atPath: workspace.file("run"), withIntermediateDirectories: false)
    try workspace.write("run/notes.txt", "mine")
    _ = try Command.start(train, in: workspace.path, fileSizeLimit: 64).wait()
    #expect(workspace.bytes("run/notes.txt") == Data("mine".utf8))
    let again = try Command.run(train, in: workspace.path)
    #expect(again.status == 0, "\(again.errors)")
  }

  /// All pictures of another folder, which may lack classes.
  @Test func testsAnotherFolder() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try makePictures(in: workspace, "my pictures", ["bright", "dark", "darker"])
    let run = try Command.run(Self.train + ["--out", "run"], in: workspace.path)
    #expect(run.status == 0, "\(run.errors)")
    try makePictures(in: workspace, "held out", ["darker", "bright"])
    let result = try Command.run(
      ["test", "run", "--data", "images:held out", "--json", "--device", "cpu"], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    let metrics = try JSON(parsing: result.output)
    #expect(metrics["samples"] == .int(12))
    guard case .array(let classes)? = metrics["per_class"] else {
      Issue.record("no classes in \(result.output)")
      return
    }
    #expect(classes.map { $0["support"] } == [.int(6), .int(0), .int(6)])
  }

  /// Classes that changed places since a run began are not taken for each other.
  @Test func changedClassesAreSaid() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try makePictures(in: workspace, "my pictures", ["bright", "dark"])
    let run = try Command.run(Self.train + ["--out", "run"], in: workspace.path)
    #expect(run.status == 0, "\(run.errors)")
    try FileManager.default.moveItem(
      atPath: workspace.file("my pictures/bright"), toPath: workspace.file("my pictures/light"))
    for verb in [["train", "--resume", "run", "--epochs", "4"], ["test", "run"]] {
      let result = try Command.run(verb, in: workspace.path)
      #expect(result.status == 65)
      #expect(
        result.errors == "tern: error: images:my pictures: changed since the network was trained: "
          + "class 'dark' is where 'bright' was\n")
    }
  }

  /// A network of grey samples takes coloured pictures.
  @Test func testsAGreyNetworkOnPictures() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let run = try Command.run(
      [
        "train", "lenet5", "--data", "idx:data", "--epochs", "1", "--out", "run", "-q", "--device",
        "cpu",
      ], in: workspace.path)
    #expect(run.status == 0, "\(run.errors)")
    try makePictures(in: workspace, "digits", ["3", "7"])
    let result = try Command.run(
      ["test", "run", "--data", "images:digits", "--json", "--device", "cpu"], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    #expect(try JSON(parsing: result.output)["samples"] == .int(12))
  }
}
