import Foundation
import Tern
import Testing

/// What may differ where a run goes on, and what is said of it.
@Suite struct ResumeRuleTests {
  private static let weights = "checkpoints/last/weights.safetensors"

  private func run(
    _ line: String, in directory: String, status: Int32 = 0
  ) throws -> Command.Result {
    let result = try Command.shell("tern \(line)", in: directory)
    #expect(result.status == status, "\(line): \(result.errors)")
    return result
  }

  private func folder(_ workspace: Workspace, _ name: String) throws {
    try FileManager.default.createDirectory(
      atPath: workspace.file(name), withIntermediateDirectories: true)
  }

  /// The same data at another place, or spelled otherwise, gives the bytes of a run that was never
  /// stopped.
  @Test func theSameDataAnywhere() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let path = workspace.path
    try workspace.writeDataset(train: 60, test: 20)
    let settings = "mlp --data idx:data --batch-size 16 --device reference -q"
    _ = try run("train \(settings) --epochs 2 --out whole", in: path)
    let whole = try #require(workspace.bytes("whole/\(Self.weights)"))
    _ = try run("train \(settings) --epochs 1 --out begun", in: path)
    try folder(workspace, "elsewhere")
    #expect(symlink(workspace.file("data"), workspace.file("link")) == 0)
    let places: [(given: String, directory: String)] = [
      ("--data idx:data/", path), ("--data idx:./data", path), ("--data idx:link", path),
      ("--data 'idx:\(path)/data'", path), ("--data idx:../data", path + "/elsewhere"),
      ("", path + "/elsewhere"), ("", "/"), ("--workers 3 --save-every 2 --log-every 1", path),
    ]
    for (number, place) in places.enumerated() {
      let copy = workspace.file("run-\(number)")
      _ = try Command.shell("cp -r begun 'run-\(number)'", in: path)
      let result = try run(
        "train --resume '\(copy)' --epochs 2 -q \(place.given)", in: place.directory)
      #expect(!result.errors.contains("bits"))
      #expect(workspace.bytes("run-\(number)/\(Self.weights)") == whole, "\(place)")
      // What was given is kept.
      _ = try run("test '\(copy)' --device reference", in: path)
    }
    // Moved away: said, with the way on.
    try FileManager.default.moveItem(
      atPath: workspace.file("data"), toPath: workspace.file("moved"))
    let lost = try run("train --resume begun --epochs 2", in: path, status: 66)
    #expect(lost.errors.contains("--data"), "\(lost.errors)")
    _ = try run("train --resume begun --epochs 2 -q --data idx:moved", in: path)
    #expect(workspace.bytes("begun/\(Self.weights)") == whole)
  }

  @Test func otherDataIsRefused() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    func table(_ name: String, _ change: (Int) -> Int = { $0 }) throws {
      try workspace.write(
        name,
        "a,b,label\n"
          + (0..<30).map { "\(change($0)),\($0 * 5 % 7),\($0 % 2 == 0 ? "x" : "y")\n" }.joined())
    }
    try table("t.csv")
    try table("one value.csv") { $0 == 17 ? 18 : $0 }
    let train = "train linear --data csv:t.csv --device reference --batch-size 8 -q"
    _ = try run("\(train) --epochs 1 --out run", in: workspace.path)
    let before = workspace.bytes("run/\(Self.weights)")
    let other = try run(
      "train --resume run --epochs 2 --data 'csv:one value.csv'", in: workspace.path, status: 64)
    #expect(other.errors.contains("other samples"), "\(other.errors)")
    // Changed where it lies.
    try table("t.csv") { $0 == 17 ? 18 : $0 }
    _ = try run("train --resume run --epochs 2", in: workspace.path, status: 64)
    #expect(workspace.bytes("run/\(Self.weights)") == before)
    // Put back: it goes on.
    try table("t.csv")
    _ = try run("train --resume run --epochs 2 -q", in: workspace.path)
  }

  /// Any one of many pictures that was exchanged, or called otherwise, is found by its name and size; so
  /// is a byte of those that are held in memory.
  @Test func everyPictureIsCompared() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    // More than the 64 whose content is compared.
    for folder in ["p/train/a", "p/train/b", "p/test/a", "p/test/b"] {
      try workspace.writePictures(folder, folder.hasSuffix("a") ? 40 : 160, count: 90)
    }
    let settings = "--device reference --batch-size 60 --image-size 8 --epochs 1 -q --out run"
    try workspace.write(
      "net.yaml",
      "name: net\ninput: [3, 8, 8]\nclasses: 2\nlayers:\n  - flatten\n"
        + "  - linear: {out_features: 2}\n")
    _ = try run("train net.yaml --data images:p \(settings)", in: workspace.path)
    func resume(_ status: Int32) throws {
      let result = try run(
        "train --resume run --epochs 2 --dry-run", in: workspace.path, status: status)
      #expect(status == 0 || result.errors.contains("other samples"), "\(result.errors)")
    }
    try resume(0)
    let (one, name) = (workspace.file("p/train/b/1.png"), workspace.file("p/train/b/1x.png"))
    let content = try #require(FileManager.default.contents(atPath: one))
    try AtomicFile.write(content + Data([0]), to: one)
    try resume(64)
    try AtomicFile.write(content, to: one)
    try resume(0)
    #expect(rename(one, name) == 0)
    try resume(64)
    #expect(rename(name, one) == 0)
    try resume(0)
    #expect(rename(workspace.file("p"), workspace.file("q")) == 0)
    _ = try run(
      "train --resume run --epochs 2 --dry-run --data images:q", in: workspace.path)

    try workspace.writeDataset(train: 200, test: 20)
    _ = try run(
      "train linear --data idx:data --device reference --epochs 1 -q --out memory",
      in: workspace.path)
    _ = try run("train --resume memory --epochs 2 --dry-run", in: workspace.path)
    let pixels = workspace.file("data/train-images-idx3-ubyte")
    var bytes = try #require(FileManager.default.contents(atPath: pixels))
    bytes[16 + 784 * 101 + 300] ^= 1
    try AtomicFile.write(bytes, to: pixels)
    _ = try run("train --resume memory --epochs 2 --dry-run", in: workspace.path, status: 64)
  }

  /// After the picture that stopped the run is gone, the command that was printed works.
  @Test func aRunGoesOnAfterADamagedPictureWasRemoved() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try folder(workspace, "pics/a")
    try folder(workspace, "pics/b")
    for number in 10..<35 {
      for (name, level) in [("a", 40), ("b", 200)] {
        let pixels = [UInt8](repeating: UInt8(level + number), count: 64)
        try PNGWriter.encoded(pixels, width: 8, height: 8, channels: 1).write(
          to: URL(fileURLWithPath: workspace.file("pics/\(name)/\(number).png")))
      }
    }
    // Damaged after the header, which is all that is looked at first.
    let victim = workspace.file("pics/a/12.png")
    let whole = try #require(FileManager.default.contents(atPath: victim))
    try whole.prefix(whole.count - 24).write(to: URL(fileURLWithPath: victim))
    let failed = try run(
      "train linear --data images:pics --image-size 8 --normalize none --batch-size 4 --epochs 3 "
        + "--device reference --out '-my run'", in: workspace.path, status: 64)
    #expect(failed.errors.contains("out"))
    let stopped = try Command.run(
      [
        "train", "linear", "--data", "images:pics", "--image-size", "8", "--normalize", "none",
        "--batch-size", "4", "--epochs", "3", "--device", "reference", "--out=-my run",
      ], in: workspace.path)
    #expect(stopped.status == 65, "\(stopped.errors)")
    let command = try #require(
      stopped.errors.firstRange(of: "tern train --resume").map {
        stopped.errors[$0.lowerBound...].split(separator: "\n")[0]
      })
    try FileManager.default.removeItem(atPath: victim)
    let resumed = try Command.shell(String(command), in: workspace.path)
    #expect(resumed.status == 0, "\(command): \(resumed.errors)")
    #expect(resumed.errors.contains("the training set was changed"), "\(resumed.errors)")
    let progress = try Checkpoint(contentsOf: workspace.file("-my run/checkpoints/last")).progress
    #expect(progress.history.count == 3 && progress.isFinished)
    // Changed once more, without a fault: that is another matter.
    try FileManager.default.removeItem(atPath: workspace.file("pics/a/13.png"))
    let changed = try Command.shell("\(command) --epochs 4", in: workspace.path)
    #expect(changed.status == 64, "\(changed.errors)")
  }

  @Test func whatChangesTheLastBitsIsSaid() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 40, test: 20)
    _ = try run(
      "train mlp --data idx:data --batch-size 16 --device reference --epochs 1 --out run -q",
      in: workspace.path)
    for (given, words) in [
      ("--device cpu", "device cpu where the run had reference"),
      ("--threads 1", "threads 1 where the run had none given"),
    ] {
      let result = try run(
        "train --resume run --epochs 2 \(given) --dry-run", in: workspace.path)
      #expect(result.errors.contains("\(words): results may differ"), "\(result.errors)")
    }
    _ = try run("train --resume run --epochs 2 --device cpu -q", in: workspace.path)
    #expect(
      String(decoding: workspace.bytes("run/config.yaml")!, as: UTF8.self)
        .contains("device: \"cpu\""))
    _ = try run("train --resume run --epochs 3 --workers 0", in: workspace.path, status: 64)
    _ = try run("train --resume run --epochs 3 --seed 1", in: workspace.path, status: 64)
  }

  /// As many threads as there were when it began, whatever there are where it goes on: the same bytes.
  @Test func aRunGoesOnWithAsManyThreads() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 200, test: 20)
    let train = "train lenet5 --data idx:data --batch-size 32 --device cpu -q"
    func weights(_ run: String) throws -> Data {
      try #require(workspace.bytes("\(run)/checkpoints/last/weights.safetensors"))
    }
    _ = try run("\(train) --epochs 2 --threads 2 --out whole", in: workspace.path)
    _ = try run("\(train) --epochs 2 --threads 1 --out alone", in: workspace.path)
    for line in [
      "export OMP_NUM_THREADS=2; tern \(train) --epochs 1 --out parts",
      "export OMP_NUM_THREADS=1; tern train --resume parts --epochs 2 -q",
    ] {
      let result = try Command.shell(line, in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
    }
    #expect(try weights("parts") == weights("whole"))
    #expect(try weights("alone") != weights("whole"))
  }

  /// The model file is compared with what the run keeps of it.
  @Test func theSameModelFileAnywhere() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 40, test: 20)
    func model(_ name: String, _ features: Int) throws {
      try workspace.write(
        name,
        """
        input: [1, 28, 28]
        classes: 10
        layers:
          - flatten
          - linear: {out_features: \(features)}
          - linear: {out_features: 10}
        """)
    }
    try model("my \"net\".yaml", 4)
    try model("other.yaml", 5)
    _ = try run(
      "train 'my \"net\".yaml' --data idx:data --device reference --epochs 1 --out run -q",
      in: workspace.path)
    try FileManager.default.moveItem(
      atPath: workspace.file("my \"net\".yaml"), toPath: workspace.file("moved.yaml"))
    _ = try run("train moved.yaml --resume run --epochs 2 -q", in: workspace.path)
    _ = try run("train other.yaml --resume run --epochs 3", in: workspace.path, status: 64)
  }

  /// The rates of the steps, from the log.
  private func rates(_ workspace: Workspace, _ run: String) throws -> [Double] {
    try String(decoding: #require(workspace.bytes("\(run)/log.jsonl")), as: UTF8.self)
      .split(separator: "\n").map { try JSON(parsing: String($0)) }
      .filter { $0["event"] == .string("step") }.compactMap { $0["lr"]?.doubleValue }
  }

  @Test(arguments: ["cosine", "one-cycle"]) func aLongerRunKeepsTheEndOfItsSchedule(
    schedule: String
  ) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 40, test: 10)
    _ = try run(
      "train linear --data idx:data --batch-size 10 --device reference --epochs 4 --log-every 1 "
        + "--schedule \(schedule) --out kept -q", in: workspace.path)
    _ = try Command.shell("cp -r kept restarted", in: workspace.path)
    let kept = try run("train --resume kept --epochs 8", in: workspace.path)
    #expect(kept.errors.contains("restart-schedule"), "\(kept.errors)")
    let rates = try rates(workspace, "kept")
    #expect(rates.count == 32)
    #expect(rates[16...].allSatisfy { $0 <= rates[15] }, "\(rates[14...])")
    // Resumed once more, it keeps the first plan still.
    _ = try run("train --resume kept --epochs 9 -q", in: workspace.path)
    #expect(try self.rates(workspace, "kept").suffix(4).allSatisfy { $0 <= rates[15] })
    let restarted = try run(
      "train --resume restarted --epochs 8 --restart-schedule", in: workspace.path)
    #expect(restarted.errors.contains("the learning rate jumps"), "\(restarted.errors)")
    let jumped = try self.rates(workspace, "restarted")
    #expect(jumped[16] > 10 * jumped[15])
  }

  @Test func theDefaultScheduleIsConstant() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 60, test: 10)
    let plain = try run(
      "train lenet5 --data idx:data --lr 0.01 --batch-size 2 --epochs 1 --log-every 1 --device cpu "
        + "--out run", in: workspace.path)
    #expect(!plain.errors.contains("recipe"))
    #expect(Set(try rates(workspace, "run")) == [0.01])
    let recipe = try run(
      "train vit --data idx:data --dry-run --device cpu --batch-size 2", in: workspace.path)
    #expect(
      recipe.errors.contains("recipe of vit: optimizer adamw, schedule cosine"),
      "\(recipe.errors)")
  }
}
