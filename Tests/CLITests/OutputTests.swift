import Foundation
import Tern
import Testing

/// Results that do not get where they were sent.
@Suite struct OutputTests {
  @Test(arguments: ["devices", "models --json", "--help", "train --help", "summary lenet5"])
  func aFullDiskIsSaid(verb: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for target in ["> /dev/full", ">&-"] {
      let result = try Command.shell("tern \(verb) \(target)", in: workspace.path)
      #expect(result.status == 73, "\(verb) \(target): \(result.errors)")
      #expect(result.errors.hasPrefix("tern: error: stdout: cannot write: "), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1)
    }
    // A reader that has seen enough is no fault.
    let pipe = try Command.shell(
      "tern \(verb) | head -c 1; exit ${PIPESTATUS[0]}", in: workspace.path)
    #expect([0, 141].contains(pipe.status) && pipe.errors.isEmpty, "\(pipe.status) \(pipe.errors)")
  }

  /// The run itself is not lost with its log.
  @Test func aRunOutlivesItsLog() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 20, test: 10)
    let result = try Command.shell(
      "tern train linear --data idx:data --epochs 2 --device reference --json --out run > /dev/full",
      in: workspace.path)
    #expect(result.status == 73, "\(result.errors)")
    #expect(try Checkpoint(contentsOf: workspace.file("run/checkpoints/last")).progress.isFinished)
  }

  @Test func whatIsNoFileIsNotReplaced() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 20, test: 10)
    let result = try Command.shell(
      """
      tern train linear --data idx:data --epochs 1 --device reference --out run -q > /dev/null &&
      mkfifo pipe && ln -s /dev/null null.npz && ln -s secret.npz run.npz.tmp &&
      { cat pipe > through.svg & } && tern plot run --out pipe && wait &&
      tern export run --out null.npz && tern export run --out run.npz && test -p pipe &&
      test -L null.npz && test ! -e secret.npz && test -s through.svg && test -f run.npz
      """, in: workspace.path)
    #expect(result.status == 0, "\(result.output) \(result.errors)")
  }

  /// Where /proc is not mounted the command line is read all the same.
  @Test func worksWithoutProc() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let hides = "mount -t tmpfs none /proc"
    let can = try Command.shell("unshare -m bash -c '\(hides)' 2>&1", in: workspace.path)
    // A container may not let anybody mount.
    guard can.status == 0 else { return }
    let result = try Command.shell(
      "unshare -m bash -c '\(hides) && exec \"$0\" models --json' \"$0\"", in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.hasPrefix("{\"models\""))
  }
}
