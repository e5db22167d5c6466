import Foundation
import OpenCLCalls
import Synchronization
import TernCore
import TernOpenCL
import TernReference
import TernRuntime
import Testing

@Suite(.enabled(if: openCLDevice != nil)) struct ProgramCacheTests {
  private func experiment() throws -> ConvolutionExperiment {
    try ConvolutionExperiment([1, 2, 6, 6], weight: [3, 2, 3, 3], padding: [1, 1])
  }

  private func programs(_ cache: CacheDirectory) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: cache.path + "/programs").map {
      "\(cache.path)/programs/\($0)"
    }
  }

  @Test func aSecondProcessFindsThePrograms() throws {
    try withTemporaryCache { cache in
      let first = try open(DeviceOptions(), "stored-programs", cache: cache)
      let expected = try experiment().run(on: first)
      #expect(first.loadedProgramCount == 0)
      let second = try open(DeviceOptions(), "stored-programs", cache: cache)
      #expect(try experiment().run(on: second) == expected)
      #expect(second.loadedProgramCount == (try programs(cache)).count)
    }
  }

  /// What was built for a device is there for the next one, until a call fails.
  @Test func aDeviceThatIsOpenedAgainBuildsNothing() throws {
    try withTemporaryCache { cache in
      func opened() throws -> OpenCLDevice {
        try OpenCLBackend().open(#require(openCLDevice), cache: cache, sharesContext: true)
      }
      // Where another test's call fails in between, nothing is shared.
      var sharing = false
      for _ in 0..<5 where !sharing {
        let first = try opened()
        _ = try experiment().run(on: first)
        sharing = try !first.builds.isEmpty && opened().builds == first.builds
      }
      #expect(sharing)
      opencl_refuse_contexts_of_this_thread(true)
      defer { opencl_refuse_contexts_of_this_thread(false) }
      // One that is there serves; a context of one's own is refused, and with it what was there is let go.
      _ = try? opened()
      #expect(throws: TernError.self) {
        try OpenCLBackend().open(#require(openCLDevice), cache: cache)
      }
      #expect(throws: TernError.self) { try opened() }
      opencl_refuse_contexts_of_this_thread(false)
      #expect(try opened().builds.isEmpty)
    }
  }

  /// A network that shares some kernels with an earlier one compiles the others alone.
  @Test func kernelsAreFoundWhateverTheyWereCompiledWith() throws {
    try withTemporaryCache { cache in
      let first = try open(DeviceOptions(), "stored-programs", cache: cache)
      _ = try experiment().run(on: first)
      let earlier = Set(first.builds)
      let other = try ConvolutionExperiment([2, 2, 6, 6], weight: [3, 2, 3, 3], hasBias: false)
      let expected = try other.run(on: ReferenceDevice())
      let before = try programs(cache).count
      let second = try open(DeviceOptions(), "stored-programs", cache: cache)
      let got = try other.run(on: second)
      #expect(second.loadedProgramCount > 0)
      for (name, value) in expected {
        #expect(zip(got[name]!.floats, value.floats).allSatisfy { abs($0 - $1) <= 1e-4 })
      }
      // All that was compiled is known: a third process compiles nothing.
      let after = try programs(cache).count
      let third = try open(DeviceOptions(), "stored-programs", cache: cache)
      _ = try other.run(on: third)
      #expect(third.loadedProgramCount == second.loadedProgramCount + after - before)
      #expect(!earlier.isDisjoint(with: second.builds))
    }
  }

  @Test(arguments: [
    "", "\n\n", "no_kernel V=4\n", "unary V\n", "unary V=4;unary V=4\n", "unary V=4 a b=)\n",
    "\u{0}\u{FFFD}",
  ])
  func aListOfProgramsThatIsNoneIsPassedOver(content: String) throws {
    try withTemporaryCache { cache in
      let first = try open(DeviceOptions(), "stored-programs", cache: cache)
      let expected = try experiment().run(on: first)
      let folder = cache.path + "/compositions"
      let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        .filter { !$0.hasSuffix(".lock") }
      #expect(!names.isEmpty)
      for name in names {
        try Data(content.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      }
      let second = try open(DeviceOptions(), "stored-programs", cache: cache)
      #expect(try experiment().run(on: second) == expected)
      #expect(second.builds == first.builds)
    }
  }

  /// The binary of one program under the name and the key of another.
  @Test func anEntryOfAnotherKeyIsCompiledAgain() throws {
    try withTemporaryCache { cache in
      let expected = try experiment().run(
        on: open(DeviceOptions(), "stored-programs", cache: cache))
      let paths = try programs(cache)
      let contents = try paths.map { try #require(FileManager.default.contents(atPath: $0)) }
      /// The fields of the header, the key, the binary.
      func parts(_ content: Data) throws -> (header: [String], key: Data, binary: Data) {
        let end = try #require(content.firstIndex(of: UInt8(ascii: "\n")))
        let header = String(decoding: content[..<end], as: UTF8.self).split(separator: " ")
        let body = content[(end + 1)...]
        let keyCount = try #require(Int(header[1]))
        return (header.map(String.init), body.prefix(keyCount), body.dropFirst(keyCount))
      }
      for (index, path) in paths.enumerated() {
        let own = try parts(contents[index])
        let other = try parts(contents[(index + 1) % paths.count])
        let header =
          "\(own.header[0]) \(own.key.count) \(other.binary.count) \(other.header[3])\n"
        try (Data(header.utf8) + own.key + other.binary).write(to: URL(fileURLWithPath: path))
      }
      let device = try open(DeviceOptions(), "stored-programs", cache: cache)
      #expect(try experiment().run(on: device) == expected)
      #expect(paths.count > 1 && device.loadedProgramCount == 0)
    }
  }

  /// A folder that others may write to, or own, and files in it that they may have written.
  @Test(arguments: ["folder", "programs", "entries", "links", "owner"])
  func whatOthersMayWriteIsNotRun(_ fault: String) throws {
    try withTemporaryCache { cache in
      let expected = try experiment().run(
        on: open(DeviceOptions(), "stored-programs", cache: cache))
      let before = try programs(cache)
      for path in [cache.path, cache.path + "/programs"] {
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o022 == 0, "\(path)")
      }
      switch fault {
      case "folder": chmod(cache.path, 0o777)
      case "programs": chmod(cache.path + "/programs", 0o777)
      case "entries": for path in before { chmod(path, 0o666) }
      case "links":
        for path in before {
          rename(path, path + ".moved")
          symlink(path + ".moved", path)
        }
      default:
        // Only root can give a folder away.
        guard geteuid() == 0 else { return }
        chown(cache.path, 65534, 65534)
      }
      let device = try open(DeviceOptions(), "stored-programs", cache: cache)
      #expect(try experiment().run(on: device) == expected)
      #expect(device.loadedProgramCount == 0)
      if fault != "links" { #expect(try programs(cache).sorted() == before.sorted()) }
      chown(cache.path, geteuid(), getegid())
      chmod(cache.path, 0o700)
    }
  }

  @Test(arguments: ["", "x", "tern-program-2 1 1 0\n", "truncated", "changed"])
  func aCorruptEntryIsCompiledAgain(_ fault: String) throws {
    try withTemporaryCache { cache in
      let expected = try experiment().run(
        on: open(DeviceOptions(), "stored-programs", cache: cache))
      for path in try programs(cache) {
        var content = try #require(FileManager.default.contents(atPath: path))
        switch fault {
        case "truncated": content.removeLast(9)
        case "changed": content[content.count - 20] ^= 1
        default: content = Data(fault.utf8)
        }
        try content.write(to: URL(fileURLWithPath: path))
      }
      let device = try open(DeviceOptions(), "stored-programs", cache: cache)
      #expect(try experiment().run(on: device) == expected)
      #expect(device.loadedProgramCount == 0)
    }
  }

  @Test func aCacheThatCannotBeWrittenIsDoneWithout() throws {
    let device = try open(
      DeviceOptions(), "stored-programs", cache: CacheDirectory(path: "/dev/null/tern"))
    #expect(try experiment().error(on: device) <= 2e-5)
  }
}

@Suite struct CacheDirectoryTests {
  @Test func followsTheEnvironment() {
    #expect(CacheDirectory.standard(["HOME": "/home/a"])?.path == "/home/a/.cache/tern")
    #expect(
      CacheDirectory.standard(["HOME": "/home/a", "XDG_CACHE_HOME": "/c"])?.path == "/c/tern")
    #expect(
      CacheDirectory.standard(["HOME": "/home/a", "XDG_CACHE_HOME": "c"])?.path
        == "/home/a/.cache/tern")
    #expect(CacheDirectory.standard(["HOME": "/home/a", "TERN_CACHE": "off"]) == nil)
    #expect(CacheDirectory.standard([:]) == nil)
  }

  @Test func whatPackagesShipIsSharedData() {
    #expect(
      CacheDirectory.system([:]).map(\.path) == ["/usr/local/share/tern", "/usr/share/tern"])
    #expect(
      CacheDirectory.system(["XDG_DATA_DIRS": "/a:b:/c"]).map(\.path) == ["/a/tern", "/c/tern"])
  }
}

@Suite struct TuningTableTests {
  private let identity = TuningTable.Identity(device: "d", driver: "1", architecture: "wide")
  private let entry = TuningTable.Entry(implementation: "winograd 4x4", seconds: 0.25)

  private func table(
    _ cache: CacheDirectory, _ identity: TuningTable.Identity? = nil
  ) -> (table: TuningTable, warnings: [String]) {
    var warnings: [String] = []
    let table = TuningTable(cache, identity ?? self.identity) { warnings.append($0) }
    return (table, warnings)
  }

  @Test func findingsOutliveTheProcess() throws {
    try withTemporaryCache { cache in
      try table(cache).table.record("problem", entry)
      let (next, warnings) = table(cache)
      #expect(next.entry("problem") == entry)
      #expect(next.entry("another") == nil)
      #expect(warnings.isEmpty)
    }
  }

  /// Two tuners at work at once lose nothing that either found.
  @Test func findingsOfSeveralProcessesAreMerged() throws {
    try withTemporaryCache { cache in
      let tables = (0..<4).map { _ in table(cache).table }
      DispatchQueue.concurrentPerform(iterations: tables.count) { number in
        for problem in 0..<12 { try? tables[number].record("\(number) \(problem)", entry) }
      }
      #expect(table(cache).table.count == 48)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: cache.path).count == 1,
        "no lock is left")
      // What was measured whole is not replaced by what was cut short.
      let part = TuningTable.Entry(implementation: "direct", seconds: 1, isComplete: false)
      try tables[0].record("1 1", part)
      #expect(table(cache).table.entry("1 1") == entry)
    }
  }

  @Test func theUsersFindingsGoBeforeThoseOfAPackage() throws {
    try withTemporaryCache { user in
      try withTemporaryCache { package in
        try table(package).table.record("problem", entry)
        try table(package).table.record("another", entry)
        let mine = TuningTable.Entry(implementation: "direct", seconds: 1)
        try table(user).table.record("problem", mine)
        let both = TuningTable(user, identity, systemDirectories: [package]) {
          Issue.record("\($0)")
        }
        #expect(both.entry("problem") == mine)
        #expect(both.entry("another") == entry)
      }
    }
  }

  @Test func anotherDriverOrVersionStartsAnew() throws {
    try withTemporaryCache { cache in
      try table(cache).table.record("problem", entry)
      for other in [
        TuningTable.Identity(device: "d", driver: "2", architecture: "wide"),
        TuningTable.Identity(device: "d", driver: "1", architecture: "wide", version: "0"),
      ] {
        #expect(table(cache, other).table.count == 0)
      }
    }
  }

  @Test(arguments: [
    "", "[]", "{", "{\"device\": \"d\"}", "\u{0}",
    """
    {"device":"d","driver":"1","architecture":"wide","version":"\(TernRelease.version)",
     "results":{"problem":{"implementation":7}}}
    """,
  ])
  func aCorruptDatabaseIsReportedAndIgnored(_ content: String) throws {
    try withTemporaryCache { cache in
      let first = table(cache).table
      try first.record("problem", entry)
      try Data(content.utf8).write(to: URL(fileURLWithPath: #require(first.path)))
      let (next, warnings) = table(cache)
      #expect(next.count == 0)
      #expect(warnings.count == 1 && !warnings[0].contains("\n"))
    }
  }
}

@Suite(.enabled(if: openCLDevice != nil)) struct TuningTests {
  @Test func theDeviceTakesWhatWasFound() throws {
    try withTemporaryCache { cache in
      let experiment = try ConvolutionExperiment(
        [1, 2, 6, 6], weight: [3, 2, 3, 3], padding: [1, 1], hasBias: false)
      let device = try open(DeviceOptions(), "stored-programs", cache: cache)
      let nodes = try Session(device: device).plan(experiment.graph).graph
      let problems = try nodes.nodes.compactMap {
        try device.candidateProblem(of: $0.operation, inputs: nodes.types($0.inputs))
      }
      #expect(problems.count == 3)
      for problem in problems {
        #expect(Set(problem.candidates.map(\.name)).count == problem.candidates.count)
        try device.candidates.tuning.record(
          problem.description, .init(implementation: "im2col clblast", seconds: 1))
      }
      let next = try open(DeviceOptions(), "stored-programs", cache: cache)
      #expect(
        try experiment.implementations(on: next) == [String](repeating: "im2col clblast", count: 3))
      #expect(try experiment.error(on: next) <= 2e-5)
      // A user's wish goes before what was measured.
      let direct = try open(DeviceOptions(algorithm: .direct), cache: cache)
      #expect(
        try experiment.implementations(on: direct).allSatisfy { $0.hasPrefix("direct") })
    }
  }
}
