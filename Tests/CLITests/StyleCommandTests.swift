import Foundation
import Tern
import Testing

/// `tern style`, from the command line.
@Suite struct StyleCommandTests {
  private static let layers = [
    "--content-layers", "relu1_2", "--style-layers", "relu1_1,relu2_1=2", "--size", "32",
    "--device", "cpu",
  ]

  private func workspace() throws -> Workspace {
    let workspace = try Workspace()
    for (name, phase) in [("a.png", 3), ("b.png", 7)] {
      let pixels = (0..<40 * 24 * 3).map { UInt8($0 * phase % 251) }
      try PNGWriter.encoded(pixels, width: 40, height: 24, channels: 3).write(
        to: URL(fileURLWithPath: workspace.file(name)))
    }
    return workspace
  }

  @Test func aPictureIsPaintedWithItsStepsBetween() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let result = try Command.run(
      [
        "style", "--content", "a.png", "--style", "b.png", "--out", "c.png", "--steps", "20",
        "--save-every", "10", "--log-every", "5", "--json", "--grams", "g.safetensors",
      ]
        + Self.layers, in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    let lines = try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    let losses = lines.filter { $0["event"] == .string("step") }.compactMap {
      $0["loss"]?.doubleValue
    }
    #expect(losses.count == 5, "the first, and every fifth")
    #expect(losses.last! < losses[0])
    #expect(lines.last?["picture"] == .string("c.png"))
    let picture = try Picture(contentsOf: workspace.file("c.png"))
    #expect(picture.width == 32 && picture.height == 19, "the content's aspect")
    #expect(workspace.bytes("c-step-10.png") != nil && workspace.bytes("c-step-20.png") == nil)
    let grams = try Safetensors(contentsOf: workspace.file("g.safetensors")).tensors
    #expect(grams["relu1_1"]?.shape == [64, 64] && grams["relu2_1"]?.shape == [128, 128])
  }

  @Test(arguments: [
    (["--content", "none.png"], 66, "none.png"),
    (["--style-layers", "relu9_1"], 64, "no layer of the features is called 'relu9_1'"),
    (["--style-layers", "relu1_1=x"], 64, "expected LAYER[=WEIGHT]"),
    (["--content-layers", "pool5", "--size", "24,16"], 64, "layer features."),
    (["--weights", "w.safetensors"], 65, "w.safetensors: features.0.weight"),
    (["--weights", "away.safetensors"], 66, "away.safetensors"),
    (["--out", "c.jpg"], 64, "is written as .png"),
    (["--out", "no/such/folder/c.png"], 73, "no/such/folder"),
    (["--size", "8"], 64, "size: expected"),
    (["--style-weight", "-1"], 64, "style-weight: expected"),
    (["--content-weight", "0", "--style-weight", "0"], 64, "every weight of the loss is 0"),
    (["--steps", "0"], 64, "steps: expected"),
  ]) func whatIsWrongIsOneLine(arguments: [String], status: Int32, words: String) throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    try Safetensors(tensors: ["features.0.weight": HostTensor(repeating: 0, [64, 3, 5, 5])])
      .encoded().write(to: URL(fileURLWithPath: workspace.file("w.safetensors")))
    // What is asked for last counts.
    var flags = ["--content": "a.png", "--style": "b.png", "--out": "c.png", "--steps": "1"]
    for index in stride(from: 0, to: Self.layers.count, by: 2) {
      flags[Self.layers[index]] = Self.layers[index + 1]
    }
    for index in stride(from: 0, to: arguments.count, by: 2) {
      flags[arguments[index]] = arguments[index + 1]
    }
    let line = flags.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let result = try Command.run(["style"] + line, in: workspace.path)
    #expect(result.status == status, "\(result.errors)")
    #expect(result.errors.contains(words), "\(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    #expect(workspace.bytes("c.png") == nil)
  }
}
