import Foundation
import Tern
import Testing

/// Nets and solvers of Caffe's on the command line.
@Suite struct CaffeRunTests {
  private static let cases =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/FormatCases/caffe/"

  private func workspace() throws -> Workspace {
    let workspace = try Workspace()
    try workspace.writeDataset()
    try FileManager.default.createDirectory(
      atPath: workspace.file("models"), withIntermediateDirectories: true)
    for name in ["digits_train_test.prototxt", "digits_solver.prototxt"] {
      try FileManager.default.copyItem(
        atPath: Self.cases + name, toPath: workspace.file("models/" + name))
    }
    return workspace
  }

  private func run(_ workspace: Workspace, _ arguments: String) throws -> Command.Result {
    try Command.run(arguments.split(separator: " ").map(String.init), in: workspace.path)
  }

  @Test(arguments: TestDevices.fast)
  func aSolverTrains(device: String) throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let solver = "train --solver models/digits_solver.prototxt --data idx:data --device \(device)"
    let trained = try run(workspace, "\(solver) --out run")
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(trained.errors.contains("left to Tern: test_iter"), "\(trained.errors)")
    let settings = try YAML.map(ofFile: workspace.file("run/config.yaml"))
    for (name, value) in [
      ("steps", AttributeValue.int(12)), ("batch_size", .int(20)), ("lr", .double(0.01)),
      ("schedule", .string("inverse")), ("lr_unit", .string("step")), ("lr_power", .double(0.75)),
      ("momentum", .double(0.9)), ("weight_decay", .double(0.0005)),
    ] {
      #expect(settings[name] == value, "\(name)")
    }
    // The run has the net with it.
    try FileManager.default.removeItem(atPath: workspace.file("models"))
    let tested = try run(workspace, "test run --device \(device) --json")
    #expect(tested.status == 0, "\(tested.errors)")
    #expect(try JSON(parsing: tested.output)["samples"] == .int(60))
    let exported = try run(workspace, "export run --out net.onnx")
    #expect(exported.status == 0 && exported.output.contains("images → ip2"), "\(exported.errors)")
  }

  @Test func flagsComeBeforeTheSolver() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let trained = try run(
      workspace,
      "train --solver models/digits_solver.prototxt --data idx:data --device cpu --out run --steps 3 --lr 0.5 -q"
    )
    #expect(trained.status == 0, "\(trained.errors)")
    let settings = try YAML.map(ofFile: workspace.file("run/config.yaml"))
    #expect(settings["steps"] == .int(3) && settings["lr"] == .double(0.5))
  }

  @Test func netsAreModels() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let net = "models/digits_train_test.prototxt"
    let summary = try run(workspace, "summary \(net) --input 1,28,28 --device cpu")
    #expect(summary.status == 0, "\(summary.errors)")
    #expect(
      summary.output.contains("Convolution") && summary.output.contains("21,166"),
      "\(summary.output)")
    let open = try run(workspace, "summary \(net) --device cpu")
    #expect(open.status == 65 && open.errors.contains("--input C,H,W"), "\(open.errors)")
    try workspace.write("bad.prototxt", "name: 'x'\nlayer { name: 'y' type: 'Sofmax' top: 'z' }\n")
    for command in [
      "summary bad.prototxt --input 1,8,8", "train bad.prototxt --data idx:data",
      "train --solver bad.prototxt --data idx:data",
    ] {
      let failed = try run(workspace, command)
      #expect(failed.status == 65 && failed.errors.contains("bad.prototxt:"), "\(failed.errors)")
      #expect(failed.errors.split(separator: "\n").count == 1, "\(failed.errors)")
    }
  }
}
