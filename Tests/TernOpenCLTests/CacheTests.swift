import Foundation
import Synchronization
import TernCore
import TernOpenCL
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

  @Test(arguments: ["", "x", "tern-program-1 1 1 0\n", "truncated", "changed"])
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
      let device = try open(cache: cache)
      let nodes = try Session(device: device).plan(experiment.graph).graph
      let problems = try nodes.nodes.compactMap {
        try device.tuningProblem(of: $0.operation, inputs: nodes.types($0.inputs))
      }
      #expect(problems.count == 3)
      for problem in problems {
        #expect(Set(problem.candidates).count == problem.candidates.count)
        try device.tuning.record(
          problem.description, .init(implementation: "im2col clblast", seconds: 1))
      }
      let next = try open(cache: cache)
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
