import Foundation
import Tern
import Testing

/// What a sweep refuses before it begins.
@Suite struct SweepTests {
  @Test(arguments: [
    // The choice between two good ones.
    ("optimizer: [sgd, adma, adam]", "", 65, "adma"),
    ("lr: {mix: 0.1, max: 1}", "", 65, "lr: min"),
    ("lr: [0.1, 0.2]", "metric: val_accuracy", 64, "--validation-split"),
  ])
  func faultsAreFoundBeforeTheFirstRun(
    parameter: String, line: String, status: Int32, words: String
  ) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 40, test: 20)
    try workspace.write(
      "sweep.yaml",
      """
      settings: {model: linear, data: "idx:data", epochs: 1, device: cpu}
      parameters: {\(parameter)}
      \(line)
      """)
    let result = try Command.run(["sweep", "sweep.yaml", "--out", "out"], in: workspace.path)
    #expect(result.status == status)
    #expect(result.errors.contains(words), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: workspace.file("out/trial-1")))
  }

  /// The curves of a sweep are named by what its runs differ in.
  @Test func itsPlotNamesWhatDiffers() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 40, test: 20)
    try workspace.write(
      "sweep.yaml",
      """
      settings: {model: linear, data: "idx:data", epochs: 1, device: reference}
      parameters:
        lr: [0.5, 0.25]
        optimizer: [sgd, adam]
      """)
    let sweep = try Command.run(["sweep", "sweep.yaml", "--out", "out"], in: workspace.path)
    #expect(sweep.status == 0, "\(sweep.errors)")
    for runs in [["out"], (1...4).map { "out/trial-\($0)" }] {
      let result = try Command.run(["plot"] + runs + ["--out", "p.svg"], in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
      let picture = String(decoding: try #require(workspace.bytes("p.svg")), as: UTF8.self)
      for name in [
        "trial-1: optimizer sgd, lr 0.5", "trial-2: optimizer adam, lr 0.5",
        "trial-3: optimizer sgd, lr 0.25", "trial-4: optimizer adam, lr 0.25",
      ] { #expect(picture.contains(">\(name)<"), "\(name)") }
    }
    // What the runs share is not named.
    let one = try Command.run(
      ["plot", "out/trial-1", "out/trial-2", "--out", "q.svg"], in: workspace.path)
    #expect(one.status == 0)
    let picture = String(decoding: try #require(workspace.bytes("q.svg")), as: UTF8.self)
    #expect(picture.contains(">trial-1: optimizer sgd<"))
  }
}

/// Trials that cannot be done among others that can.
@Suite struct ImpossibleTrialTests {
  @Test func oneImpossibleTrialIsRecordedAndTheOthersGoOn() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    func table(_ name: String, _ count: Int) throws {
      try workspace.write(
        name,
        "a,b,label\n" + (0..<count).map { "\($0),\($0 % 7),\($0 % 2 == 0 ? "x" : "y")\n" }.joined())
    }
    try table("train.csv", 65)
    try table("test.csv", 10)
    try workspace.write(
      "net.yaml",
      """
      input: [2]
      classes: 2
      layers:
        - linear: {out_features: 4}
        - batch_norm
        - linear: {out_features: 2}
      """)
    try workspace.write(
      "sweep.yaml",
      """
      settings: {model: net.yaml, data: "csv:train.csv,test.csv", epochs: 1, device: reference}
      parameters: {batch_size: [20, 64, 13], optimizer: [sgd, adam], momentum: [null, 0.9]}
      """)
    var outputs: [String] = []
    for _ in 0..<2 {
      let result = try Command.run(
        ["sweep", "sweep.yaml", "--out", "s", "--json"], in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
      outputs.append(result.output)
    }
    #expect(outputs[0] == outputs[1])
    let trials = try outputs[0].split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(trials.count == 12)
    for trial in trials {
      let settings = trial["settings"]
      // A batch of one sample has no variance; adam has no momentum.
      let isImpossible =
        settings?["batch_size"] == .int(64)
        || (settings?["optimizer"] == .string("adam") && settings?["momentum"] == .double(0.9))
      #expect((trial["error"] != .null) == isImpossible, "\(trial)")
      #expect((trial["value"] == .null) == isImpossible, "\(trial)")
    }
    let shown = try Command.run(["sweep", "sweep.yaml", "--out", "s"], in: workspace.path)
    #expect(shown.errors.contains("failed: "), "\(shown.errors)")
    let csv = String(decoding: try #require(workspace.bytes("s/sweep.csv")), as: UTF8.self)
    #expect(csv.hasPrefix("trial,batch_size,momentum,optimizer,test_accuracy,error\n"), "\(csv)")
    #expect(csv.split(separator: "\n").count == 13)
  }

  /// Where none can be done the first fault ends the sweep.
  @Test func noTrialAtAllIsAFault() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write(
      "sweep.yaml",
      """
      settings: {model: linear, data: "idx:nowhere", epochs: 1}
      parameters: {lr: [0.1, 0.2]}
      """)
    let result = try Command.run(["sweep", "sweep.yaml", "--out", "s", "-q"], in: workspace.path)
    #expect(result.status == 66, "\(result.errors)")
  }
}
