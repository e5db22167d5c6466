import TernCore
import TernRuntime
import Testing

/// What `auto` and `--device` choose, among devices that are not there.
@Suite struct DeviceCatalogTests {
  private struct Fake: Backend {
    let name: String
    var infos: [DeviceInfo] = []
    var spellings: [String] = []

    func devices() -> [DeviceInfo] { infos }
    var traits: [(spelling: String, help: String)] { spellings.map { ($0, "") } }
    func open(_ info: DeviceInfo, options: DeviceOptions) throws -> any Device {
      throw TernError(.deviceUnavailable, info.traits.joined(separator: ","))
    }
  }

  private static func gpu(
    _ index: String, units: Int = 32, gib: Double, shared: Bool = false, makers: Bool = true
  ) -> DeviceInfo {
    DeviceInfo(
      id: "opencl:\(index)", backend: "opencl", name: "GPU", kind: .gpu, computeUnits: units,
      memoryByteCount: Int(gib * 1_073_741_824), driver: "1", sharesHostMemory: shared,
      isMakersDriver: makers)
  }

  private static let cpu = DeviceInfo(
    id: "cpu", backend: "cpu", name: "CPU", kind: .cpu, computeUnits: 64,
    memoryByteCount: 1 << 40, driver: "1")
  private static let openCLOnCPU = DeviceInfo(
    id: "opencl:9.0", backend: "opencl", name: "CPU", kind: .cpu, computeUnits: 64,
    memoryByteCount: 1 << 40, driver: "1")

  private func catalog(_ infos: [DeviceInfo]) -> DeviceCatalog {
    DeviceCatalog([
      Fake(name: "cpu", infos: [Self.cpu]),
      Fake(name: "opencl", infos: infos, spellings: ["many-threads"]),
    ])
  }

  @Test func aGPUWithMemoryOfItsOwnGoesBeforeALargerOneOnTheProcessor() throws {
    let choice = try catalog([
      Self.openCLOnCPU, Self.gpu("0.0", units: 96, gib: 48, shared: true),
      Self.gpu("1.0", units: 28, gib: 12),
    ]).choose("auto")
    #expect(choice.info.id == "opencl:1.0")
    #expect(choice.reason == "the only GPU with memory of its own")
  }

  @Test func ofThoseTheOneWithMostMemoryIsTakenHoweverManyUnitsItCounts() throws {
    let infos = [
      Self.gpu("0.0", units: 512, gib: 16), Self.gpu("1.0", units: 48, gib: 24),
      Self.gpu("2.0", units: 128, gib: 8),
    ]
    for order in [infos, infos.reversed()] {
      let choice = try catalog(order).choose("auto")
      #expect(choice.info.id == "opencl:1.0")
      #expect(choice.reason == "the discrete GPU with most memory")
    }
  }

  @Test func ofTwoDriversOfOneGPUItsMakersIsTaken() throws {
    // Each keeps another part of the memory for itself.
    let infos = [Self.gpu("0.0", gib: 23.98), Self.gpu("1.0", gib: 24, makers: false)]
    for order in [infos, infos.reversed()] {
      let choice = try catalog(order).choose("auto")
      #expect(choice.info.id == "opencl:0.0")
      #expect(choice.reason.contains("its maker's driver"))
    }
  }

  @Test func ofEqualsTheFirstIsTaken() throws {
    let choice = try catalog([Self.gpu("0.0", gib: 8), Self.gpu("0.1", gib: 8)]).choose("auto")
    #expect(choice.info.id == "opencl:0.0")
  }

  @Test func aProcessorIsTakenNativelyWhereThereIsNoGPU() throws {
    let choice = try catalog([Self.openCLOnCPU]).choose("auto")
    #expect(choice.info.id == "cpu")
    #expect(choice.reason.contains("no GPU was found"))
    let only = try catalog([Self.gpu("0.0", gib: 2, shared: true)]).choose("auto")
    #expect(only.info.id == "opencl:0.0" && only.reason == "the only GPU")
  }

  @Test func aRequestMayLeaveOutNumbersAndAddTraits() throws {
    let catalog = catalog([Self.gpu("0.0", gib: 8), Self.gpu("0.1", gib: 8)])
    for (request, id) in [
      ("opencl", "opencl:0.0"), ("opencl:0", "opencl:0.0"), ("opencl:0.1", "opencl:0.1"),
      ("opencl/many-threads", "opencl:0.0/many-threads"),
      ("opencl:0.1/many-threads/x", "opencl:0.1/many-threads/x"),
    ] {
      let choice = try catalog.choose(request)
      #expect(choice.info.id == id)
      #expect(DeviceInfo.isID(id, of: request))
    }
    #expect(!DeviceInfo.isID("opencl:0.0/many-threads", of: "opencl"))
    #expect(!DeviceInfo.isID("opencl:1.0", of: "opencl:0"))
    #expect(throws: TernError.self) { try catalog.choose("opencl:1") }
    // A backend without traits takes none.
    #expect(throws: TernError.self) { try catalog.choose("cpu/many-threads") }
  }
}
