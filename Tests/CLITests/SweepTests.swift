import Foundation
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
}
