import Foundation
import TernCore
import TernRuntime
import Testing

/// Which of several candidates a device takes.
@Suite struct CandidateTests {
  private static let problem = CandidateProblem(
    "product",
    [
      Candidate("tile 64x64", cost: 3), Candidate("tile 128x128", cost: 2),
      Candidate("library", cost: 2), Candidate("rows 4x4", cost: 50),
    ])

  private func registry(_ request: CandidateRequest = CandidateRequest()) -> CandidateRegistry {
    CandidateRegistry(
      TuningTable(
        nil, .init(device: "d", driver: "1", architecture: "a"),
        warn: { Issue.record("\($0)") }), request)
  }

  @Test func theCheapestIsTakenAndOfTwoAlikeTheFirst() {
    #expect(registry().choice(of: Self.problem).name == "tile 128x128")
  }

  @Test func aMakerMayPreferAnother() {
    let problem = CandidateProblem(
      Self.problem.description, Self.problem.candidates, untuned: "tile 64x64")
    #expect(registry().choice(of: problem).name == "tile 64x64")
    #expect(
      registry(.init(forbidden: ["tile"])).choice(of: problem).name == "library")
  }

  @Test func whatWasMeasuredGoesBeforeTheEstimate() throws {
    let registry = registry()
    try registry.tuning.record("product", .init(implementation: "rows 4x4", seconds: 1))
    #expect(registry.choice(of: Self.problem).name == "rows 4x4")
    // What this build does not know is no choice.
    try registry.tuning.record("product", .init(implementation: "rows 8x8", seconds: 1))
    #expect(registry.choice(of: Self.problem).name == "tile 128x128")
  }

  @Test func theUserGoesBeforeBoth() throws {
    for (request, expected) in [
      (CandidateRequest(wanted: ["library"]), "library"),
      (CandidateRequest(wanted: ["tile 64x64"]), "tile 64x64"),
      (CandidateRequest(wanted: ["tile"]), "tile 128x128"),
      (CandidateRequest(wanted: ["rows", "library"]), "rows 4x4"),
      (CandidateRequest(forbidden: ["rows"]), "tile 128x128"),
      (CandidateRequest(wanted: ["tile"], forbidden: ["tile 128x128", "rows"]), "tile 64x64"),
      // Where nothing is left the user has no say.
      (CandidateRequest(wanted: ["winograd"]), "rows 4x4"),
      (CandidateRequest(forbidden: ["tile", "library", "rows"]), "rows 4x4"),
    ] {
      let registry = registry(request)
      try registry.tuning.record("product", .init(implementation: "rows 4x4", seconds: 1))
      #expect(registry.choice(of: Self.problem).name == expected, "\(request)")
    }
  }

  @Test func whatDoesNotFitIsPassedOver() {
    let registry = registry()
    registry.passOver("tile 128x128", "product")
    #expect(registry.choice(of: Self.problem).name == "library")
    #expect(registry.fits("tile 128x128", "another product"))
    for candidate in Self.problem.candidates { registry.passOver(candidate.name, "product") }
    #expect(registry.choice(of: Self.problem).name == "tile 128x128")
  }

  /// One of each kind first, none far from the best, and no more than a handful.
  @Test func fewAreWorthMeasuring() {
    #expect(
      Self.problem.measured(within: 4).map(\.name) == ["tile 128x128", "library", "tile 64x64"])
    #expect(Self.problem.measured(within: 100).count == 4)
    let many = CandidateProblem("many", (1...40).map { Candidate("tile \($0)", cost: Double($0)) })
    #expect(
      many.measured(within: 100).map(\.name)
        == (1...CandidateProblem.mostMeasured).map { "tile \($0)" })
  }

  /// A table for the device itself goes before one for devices like it.
  @Test func tablesAreShippedForAFamilyOfDevices() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(at: folder) }
    let identity = TuningTable.Identity(
      device: "d", driver: "1", architecture: "many threads", family: "sm_86")
    let name = try #require(TuningTable.shippedName(identity))
    #expect(name == "tuning-many-threads-sm_86.json")
    func content(_ architecture: String) -> Data {
      Data(
        """
        {"architecture": "\(architecture)", "family": "sm_86", "version": "\(TernRelease.version)",
         "results": {"p": {"implementation": "shipped", "seconds": 1},
                     "q": {"implementation": "shipped", "seconds": 1}}}
        """.utf8)
    }
    let cache = CacheDirectory(path: folder.path)
    func table(_ identity: TuningTable.Identity, warn: (String) -> Void = { Issue.record("\($0)") })
      -> TuningTable
    {
      TuningTable(nil, identity, systemDirectories: [cache], warn: warn)
    }
    try content("many threads").write(to: folder.appending(path: name))
    #expect(table(identity)["p"] == "shipped")
    try TuningTable(cache, identity, warn: { Issue.record("\($0)") })
      .record("p", .init(implementation: "measured", seconds: 1))
    #expect(table(identity)["p"] == "measured" && table(identity)["q"] == "shipped")
    let another = TuningTable.Identity(
      device: "d", driver: "1", architecture: "many threads", family: "sm_90")
    #expect(table(another)["q"] == nil)
    var warnings = 0
    try content("few threads").write(to: folder.appending(path: name))
    #expect(table(identity, warn: { _ in warnings += 1 })["q"] == nil && warnings == 1)
  }
}
