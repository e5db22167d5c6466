import Foundation
import Tern
import Testing

/// Sizes that no device has: one line that names the layer, before anything is lowered or allocated.
@Suite struct SizeTests {
  private struct Case {
    let layer: String
    var input = "[1, 28, 28]"
    /// What the line says.
    let fragment: String
  }

  private static let cases = [
    Case(
      layer: "conv2d: {out_channels: 6, kernel_size: 65536, padding: 32768}", fragment: "conv2d"),
    Case(
      layer: "conv2d: {out_channels: 6, kernel_size: [1, 65536], padding: [0, 32768]}",
      fragment: "kernel_size"),
    Case(
      layer: "conv2d: {out_channels: 1, kernel_size: 3, padding: 2147483648}", fragment: "padding"),
    Case(
      layer: "conv2d: {out_channels: 1, kernel_size: 3, padding: 2147483647, stride: 2147483647}",
      fragment: "stride"),
    Case(
      layer: "conv2d: {out_channels: 1, kernel_size: 3, padding: 1073741824, dilation: 1073741824}",
      fragment: "padding"),
    Case(
      layer: "conv_transpose2d: {out_channels: 1, kernel_size: 3, stride: 70000}",
      fragment: "stride"),
    Case(
      layer: "max_pool2d: {kernel_size: 2147483647, padding: 1073741823, stride: 1}",
      fragment: "kernel_size"),
    Case(
      layer: "avg_pool2d: {kernel_size: 100000, padding: 50000, stride: 100}",
      fragment: "kernel_size"),
    Case(layer: "pad: {pad: [2147483647, 0, 0, 0]}", fragment: "pad"),
    // Named is the layer that makes the tensor, not the next one.
    Case(layer: "interpolate: {size: 60000}", fragment: "layer interpolate_0: interpolate: output"),
    Case(
      layer: "adaptive_avg_pool2d: {output_size: 60000}",
      fragment: "layer adaptive_avg_pool2d_0: adaptive_avg_pool2d: output"),
    Case(layer: "pad: {pad: [60000, 0, 60000, 0]}", fragment: "layer pad_0: pad: output"),
    Case(
      layer: "conv2d: {out_channels: 1, kernel_size: 1}", input: "[1, 1, 4294967296]",
      fragment: "2^31"),
    Case(
      layer: "conv2d: {out_channels: 64, kernel_size: 3, padding: 1}", input: "[2, 30000, 30000]",
      fragment: "layer conv2d_0: conv2d: output"),
    Case(
      layer: "conv2d: {out_channels: 64, kernel_size: 3}", input: "[3, 30000, 30000]",
      fragment: "their product too"),
    // Of all its operations, forward and backward.
    Case(
      layer: "lstm: {hidden_size: 8}", input: "[20000, 4]",
      fragment: "of them in layer lstm_0: at most"),
  ]

  @Test(.timeLimit(.minutes(3)), arguments: ["cpu", "reference"])
  func areSaidBeforeAnythingIsLowered(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for (number, size) in Self.cases.enumerated() {
      try workspace.write(
        "m\(number).yaml",
        "name: m\ninput: \(size.input)\nclasses: 10\nlayers:\n  - \(size.layer)\n"
          + (size.layer.hasPrefix("lstm") ? "" : "  - flatten\n")
          + "  - linear: {out_features: 10}\n")
      let result = try Command.run(
        ["summary", "m\(number).yaml", "--device", device, "--batch-size", "16"],
        in: workspace.path)
      let what = "\(size.layer): \(result.status) \(result.errors)"
      #expect([1, 64, 65].contains(result.status), "\(what)")
      #expect(result.errors.split(separator: "\n").count == 1, "\(what)")
      #expect(result.errors.contains(size.fragment), "\(what)")
    }
  }

  /// What the plan takes, whatever the process around it weighs.
  @Test func theSummaryCountsThePlanAlone() throws {
    let result = try Command.run(["summary", "lenet5", "--device", "cpu", "--json"])
    let bytes = try #require(JSON(parsing: result.output)["train_peak_bytes"]?.intValue)
    #expect((1 << 20...8 << 20).contains(bytes))
  }

  /// Threads that the system does not give: one line, and nobody waits for them.
  @Test(.timeLimit(.minutes(2)), arguments: ["--threads 1024", "--workers 1024 --batch-size 1"])
  func threadsThatCannotStart(setting: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    // Two batches for each worker: one that has but one may end before the next is started.
    try workspace.writeDataset(train: 2100)
    let result = try Command.shell(
      "ulimit -v 1000000; tern train lenet5 --data idx:data --device cpu --epochs 1 -q \(setting)",
      in: workspace.path)
    #expect(result.status == 1, "\(result.errors)")
    #expect(result.errors.contains("the system gives no thread"), "\(result.errors)")
  }

  @Test func countsOfThreadsAreBounded() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    for setting in ["--workers 1000000", "--threads 1000000", "--workers 0"] {
      try BadInput("train lenet5 --data idx:data \(setting)", 64, "1 to 1024").check(in: workspace)
    }
  }

  /// The last batch of an epoch, or of a fold's: said before anything is trained, with a size that does.
  @Test func aLastBatchOfOneSample() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 301)
    try workspace.write(
      "rows.yaml",
      """
      name: rows
      input: [1, 28, 28]
      classes: 10
      layers:
        - flatten
        - linear: {out_features: 8}
        - batch_norm
        - linear: {out_features: 10}
      """)
    try BadInput(
      "train rows.yaml --data idx:data --batch-size 100 --device cpu", 64, "batch-size 100",
      "301 samples", "--batch-size 101"
    ).check(in: workspace)
    // 301 samples in three folds: 201, 201 and 200 are trained on.
    try BadInput(
      "train rows.yaml --data idx:data --batch-size 199 --folds 3 --device cpu", 64,
      "batch-size 199", "fold 3"
    ).check(in: workspace)
  }
}
