import Foundation
import Tern
import TernCore
import Testing

/// Runs on samples in archives.
@Suite struct ShardRunTests {
  private static let weights = "checkpoints/last/weights.safetensors"

  /// Three archives of pictures of numbers, the second packed.
  private func write(_ workspace: Workspace) throws {
    let draws = Philox(seed: 5, stream: .data)
    for shard in 0..<3 {
      var archive = TarFixture()
      for number in 40 * shard..<40 * shard + 40 {
        let values = draws.uniforms(784, UInt32(number))
        archive.add("\(number).npy", TarFixture.array(values, shape: "(28, 28)"))
        archive.add("\(number).cls", Array("\(number % 3)".utf8))
      }
      let name = "part-\(shard).tar"
      try Data(archive.file).write(to: URL(fileURLWithPath: workspace.file(name)))
      if shard == 1 {
        #expect(try Command.shell("gzip \(name)", in: workspace.path).status == 0)
      }
    }
  }

  /// Killed in the middle of an epoch and of an archive, and gone on with from another folder with other
  /// threads: the bytes of a run that was never stopped.
  @Test func aRunGoesOnWithTheSameBytes() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try write(workspace)
    let settings = [
      "train", "lenet5", "--data", "tar:part-*.tar*", "--epochs", "60", "--batch-size", "7",
      "--save-every", "5", "--device", "cpu", "--threads", "1", "-q",
    ]
    func run(_ arguments: [String], in folder: String? = nil) throws -> Command.Result {
      try Command.run(arguments, in: folder ?? workspace.path)
    }
    let whole = try run(settings + ["--out", "whole"])
    #expect(whole.status == 0, "\(whole.errors)")
    let running = try Command.start(settings + ["--out", "parts"], in: workspace.path)
    running.wait { workspace.bytes("parts/\(Self.weights)") != nil }
    kill(running.process.processIdentifier, SIGKILL)
    #expect(running.wait().status != 0)
    try FileManager.default.createDirectory(
      atPath: workspace.file("elsewhere"), withIntermediateDirectories: true)
    let resumed = try run(
      ["train", "--resume", "../parts", "--workers", "3", "-q"], in: workspace.file("elsewhere"))
    #expect(resumed.status == 0, "\(resumed.errors)")
    let expected = try #require(workspace.bytes("whole/\(Self.weights)"))
    #expect(workspace.bytes("parts/\(Self.weights)") == expected)
    let tested = try run(["test", "parts", "--device", "cpu", "--json"])
    #expect(try JSON(parsing: tested.output)["samples"] == .int(24), "\(tested.errors)")
    // Other samples under the same names are not the run's.
    var other = TarFixture()
    for number in 0..<40 {
      other.add(
        "\(number).npy", TarFixture.array([Float](repeating: 0.5, count: 784), shape: "(28, 28)"))
      other.add("\(number).cls", Array("\(number % 2)".utf8))
    }
    try Data(other.file).write(to: URL(fileURLWithPath: workspace.file("part-2.tar")))
    let changed = try run(["train", "--resume", "parts", "--epochs", "61", "-q"])
    #expect(
      changed.status != 0 && changed.errors.split(separator: "\n").count == 1, "\(changed.errors)")
  }

  /// A dry run writes nothing, beside the data neither; samples that cannot be read are left out, told and counted.
  @Test func aDryRunWritesNothingAndDamageIsTold() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try write(workspace)
    var bad = TarFixture()
    for number in 0..<400 {
      bad.add(
        "\(number).npy",
        TarFixture.array([Float](repeating: number == 5 ? .nan : 1, count: 784), shape: "(28, 28)"))
      if number != 6 { bad.add("\(number).cls", Array("\(number % 2)".utf8)) }
    }
    try Data(bad.file).write(to: URL(fileURLWithPath: workspace.file("part-9.tar")))
    func names() throws -> Set<String> {
      try Set(FileManager.default.contentsOfDirectory(atPath: workspace.path))
    }
    let before = try names()
    func run(_ arguments: String...) throws -> Command.Result {
      try Command.run(
        ["train", "lenet5", "--device", "cpu", "--steps", "2"] + arguments, in: workspace.path)
    }
    let stopped = try run("--data", "tar:part-9.tar", "--dry-run")
    #expect(stopped.status == 65 && stopped.errors.contains("'6': no label"), "\(stopped.errors)")
    let dry = try run("--data", "tar:part-*.tar*", "--on-error", "skip", "--dry-run")
    #expect(dry.status == 0, "\(dry.errors)")
    #expect(try names() == before)
    let trained = try run("--data", "tar:part-*.tar*", "--on-error", "skip", "--out", "run")
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(trained.errors.contains("skipped 2 of 520 samples, which cannot be read"))
    #expect(trained.errors.contains("5.npy: holds a number that is not finite"))
    #expect(try names().subtracting(before).contains { $0.hasPrefix(".tern-index-") })
  }

  @Test func badArchivesAreOneLine() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    var archive = TarFixture()
    archive.add("../0.cls", [0x30])
    try Data(archive.file).write(to: URL(fileURLWithPath: workspace.file("x.tar")))
    for (data, status, message) in [
      ("tar:x.tar", Int32(65), "leads out of the archive"),
      ("tar:y-{0..3}.tar", 66, "no file 'y-0.tar'"),
      ("tar:{0.tar", 64, "'{' without '}'"), ("tar:", 64, "needs a pattern of files"),
      ("lmdb:x.tar", 65, "not an LMDB file"), ("lmdb:nowhere", 66, "no folder 'nowhere'"),
    ] {
      let result = try Command.run(
        ["train", "lenet5", "--data", data, "--device", "cpu", "--out", "run"], in: workspace.path)
      #expect(result.status == status && result.errors.contains(message), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
  }
}
