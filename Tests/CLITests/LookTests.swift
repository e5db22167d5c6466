import Foundation
import Tern
import Testing

/// `tern look`: pictures and a page of what is inside a run.
@Suite struct LookTests {
  private func trained(_ model: String, _ workspace: Workspace, _ more: [String] = []) throws {
    try workspace.writeDataset(train: 60, test: 20)
    let result = try Command.run(
      [
        "train", model, "--data", "idx:data", "--epochs", "3", "--batch-size", "20", "--device",
        "cpu",
        "--out", "run", "-q",
      ] + more, in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
  }

  private func look(_ workspace: Workspace, _ arguments: String) throws -> Command.Result {
    try Command.run(
      ["look", "run", "--device", "cpu"] + arguments.split(separator: " ").map(String.init),
      in: workspace.path)
  }

  @Test func aConvolutionalNetworkIsSeenWhole() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try trained("lenet5", workspace)
    let result = try look(workspace, "--points 5 --samples 16 --json")
    #expect(result.status == 0, "\(result.errors)")
    let found = try JSON(parsing: result.output)
    #expect(found["page"] == .string("run/look/index.html"))
    guard case .array(let pictures)? = found["pictures"] else {
      Issue.record("no pictures in \(found)")
      return
    }
    for picture in pictures.compactMap(\.stringValue) {
      let bytes = try #require(workspace.bytes(picture))
      let isPNG = bytes.starts(with: [0x89, 0x50, 0x4E, 0x47])
      #expect(isPNG || bytes.starts(with: Data("<svg".utf8)), "\(picture)")
    }
    let page = String(decoding: try #require(workspace.bytes("run/look/index.html")), as: UTF8.self)
    for title in [
      "Filters", "Feature maps", "What units look for", "Activations", "Receptive fields",
      "Gradient flow", "Loss surface",
    ] { #expect(page.contains("<h2>\(title)</h2>"), "\(title)") }
    // It needs nothing from elsewhere.
    for outside in ["src=\"http", "href=", "<script"] { #expect(!page.contains(outside)) }

    // The surface's middle is the network's own loss.
    let measured = try Command.run(
      ["test", "run", "--json", "--device", "cpu"], in: workspace.path)
    #expect(measured.status == 0)
    guard case .array(let losses)? = found["surface"]?["losses"] else {
      Issue.record("no surface in \(found)")
      return
    }
    #expect(losses.count == 25)
    #expect(losses[12].doubleValue == found["surface"]?["loss"]?.doubleValue)
    guard case .array(let layers)? = found["activations"] else {
      Issue.record("no activations in \(found)")
      return
    }
    for layer in layers {
      let (zeros, isReLU) = (layer["zeros"]?.doubleValue ?? .nan, layer["type"] == .string("relu"))
      #expect(!isReLU || (zeros > 0 && zeros < 1), "\(layer)")
    }
    guard case .array(let flows)? = found["gradients"] else {
      Issue.record("no gradients in \(found)")
      return
    }
    #expect(flows.count == 2 && flows[0]["mean_magnitudes"] != flows[1]["mean_magnitudes"])
  }

  /// Where distributions were asked for, the log keeps how large gradients were, epoch by epoch, also of
  /// a run that went on.
  @Test func gradientsAreFollowedOverTraining() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try trained("mlp", workspace, ["--histograms"])
    let more = try Command.run(
      ["train", "--resume", "run", "--epochs", "4", "-q"], in: workspace.path)
    #expect(more.status == 0, "\(more.errors)")
    let result = try look(workspace, "--only gradients --json")
    #expect(result.status == 0, "\(result.errors)")
    guard case .array(let flows)? = try JSON(parsing: result.output)["gradients"] else {
      Issue.record("no gradients in \(result.output)")
      return
    }
    #expect(
      flows.map { $0["state"]?.stringValue }
        == ["at the start", "now", "epoch 1", "epoch 2", "epoch 3", "epoch 4"])
    for flow in flows {
      let mean = flow["mean_magnitudes"]?["fc1.weight"]?.doubleValue ?? .nan
      #expect(mean > 0 && mean < 1, "\(flow)")
    }
    // The last epoch ended with the weights as they are, on another batch.
    #expect(flows[5]["mean_magnitudes"] != flows[2]["mean_magnitudes"])
    let page = String(decoding: try #require(workspace.bytes("run/look/index.html")), as: UTF8.self)
    #expect(page.contains("<h2>Gradient flow over training</h2>") && page.contains("fc2.weight"))
    #expect(workspace.bytes("run/look/gradients-course.svg") != nil)
  }

  /// Twice the same command is twice the same page; parts can be asked for by name.
  @Test func partsAreAskedForByName() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try trained("mlp", workspace)
    for out in ["a", "b"] {
      let result = try look(workspace, "--only filters,maximal,gradients --layer fc2 --out \(out)")
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output == "\(out)/index.html\n")
    }
    let page = try #require(workspace.bytes("a/index.html"))
    #expect(page == workspace.bytes("b/index.html"))
    let text = String(decoding: page, as: UTF8.self)
    #expect(text.contains("16 of 128 units") && !text.contains("Feature maps"))
    #expect(workspace.bytes("a/filters-fc1.png") != nil)
  }

  @Test(arguments: ["vae", "rbm", "lstm"]) func othersShowWhatTheyHave(model: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try trained(model, workspace)
    let result = try look(workspace, "--points 3 --samples 8")
    #expect(result.status == 0, "\(result.errors)")
    let page = String(decoding: try #require(workspace.bytes("run/look/index.html")), as: UTF8.self)
    #expect(page.contains("<h2>Activations</h2>") && page.contains("<h2>Loss surface</h2>"))
  }

  @Test(arguments: [
    ("--only filter", 64, "did you mean 'filters'?"),
    ("--only maximal --layer conv9", 64, "has no layer 'conv9'"),
    ("--points 4", 64, "points: expected an odd number"),
    ("--index 99", 64, "index: expected 0 to 19"),
    ("--image none.png --only features", 66, "none.png"),
    ("--radius 0", 64, "radius: expected"),
  ]) func whatIsWrongIsSaid(arguments: String, status: Int32, words: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try trained("lenet5", workspace)
    let result = try look(workspace, arguments)
    #expect(result.status == status, "\(result.errors)")
    #expect(result.errors.contains(words), "\(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
  }
}
