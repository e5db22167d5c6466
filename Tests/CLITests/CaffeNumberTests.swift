import Foundation
import Tern
import TernTestSupport
import Testing

/// Labels of databases and lists that a loss reads as numbers are those numbers, not the places of classes.
@Suite struct CaffeNumberTests {
  private func run(_ workspace: Workspace, _ arguments: String) throws -> Command.Result {
    try Command.run(arguments.split(separator: " ").map(String.init), in: workspace.path)
  }

  private static func net(_ type: String, _ settings: (_ part: String) -> String) -> String {
    ["train", "test"].map { part in
      """
      layer { name: "data" type: "\(type)" top: "data" top: "label" include { phase: \(part.uppercased()) }
        \(settings(part)) }

      """
    }.joined() + """
      layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 1 } }
      layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "label" top: "loss" }
      """
  }

  private static let database = net("Data") {
    "data_param { source: '\($0)' batch_size: 2 backend: LMDB }"
  }
  private static let list = net("ImageData") {
    "image_data_param { source: '\($0).txt' batch_size: 2 new_height: 2 new_width: 2 is_color: false }"
  }

  private func write(_ workspace: Workspace, _ name: String, _ labels: [Int]) throws {
    try LMDBWriter.write(
      labels.enumerated().map { index, label in
        (
          String(format: "%08d", index),
          LMDBWriter.datum([1, 2, 2], [1, 2, 3, UInt8(index)], label: label)
        )
      }, to: workspace.file(name))
  }

  /// Weights are 0 at first: the loss is half of the mean of the labels' squares, also of labels that
  /// training has not got.
  private func expectLoss(_ workspace: Workspace, _ device: String, _ loss: Double) throws {
    let trained = try run(
      workspace, "train net.prototxt --epochs 1 --lr 1e-30 --device \(device) --out run -q")
    #expect(trained.status == 0, "\(trained.errors)")
    let tested = try run(workspace, "test run --device \(device) --json")
    let measured = try JSON(parsing: tested.output)["loss"]?.doubleValue
    #expect(measured == loss, "\(tested.output)\(tested.errors)")
  }

  @Test(arguments: TestDevices.fast)
  func labelsOfDatabasesAreNumbers(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try write(workspace, "train", [3, 7, 20, 7])
    try write(workspace, "test", [9, 4])
    try workspace.write("net.prototxt", Self.database)
    try expectLoss(workspace, device, 0.5 * (81 + 16) / 2)
    // Without a test set some are held out, of numbers as of classes.
    let held = try run(
      workspace,
      "train net.prototxt --data lmdb:train --test-split 0.5 --epochs 1 --device \(device) --out held"
    )
    #expect(held.status == 0 && held.errors.contains("training 2 and test 2"), "\(held.errors)")
  }

  @Test(arguments: TestDevices.fast)
  func labelsOfListsAreNumbers(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writePictures("dark", 20)
    try workspace.write("train.txt", "dark/0.png 30\ndark/1.png -5\n")
    try workspace.write("test.txt", "dark/2.png 2.5\ndark/3.png 2.5\n")
    try workspace.write("net.prototxt", Self.list)
    try expectLoss(workspace, device, 0.5 * 6.25)
    try workspace.write("test.txt", "dark/2.png two\n")
    let word = try run(workspace, "train net.prototxt --device \(device) --out word")
    #expect(
      word.status == 65 && word.errors.contains("test.txt: label 'two' where numbers"),
      "\(word.errors)")
  }

  @Test func labelsAreNumbersOrClasses() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write(
      "net.prototxt",
      Self.database
        + "\nlayer { name: 'hinge' type: 'HingeLoss' bottom: 'ip' bottom: 'label' top: 'hinge' }")
    let result = try run(workspace, "summary net.prototxt --device cpu")
    #expect(
      result.status == 65 && result.errors.contains("'label' is read as numbers here"),
      "\(result.errors)")
  }
}
