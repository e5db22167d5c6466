import ArgumentParser
import Tern

struct Devices: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the devices of every backend.",
    discussion: """
      --device takes an id of the list, or the part of it in front of a number. Behind it, traits may \
      have the device treated otherwise than its driver says, for tests and for measuring: \
      opencl/many-threads/reversed-ids.

      \(traits)

      Examples:
        tern devices
        tern verify --device opencl/many-threads
      """)

  private static let traits = DeviceCatalog.standard.backends.flatMap(\.traits).map {
    "  /\($0.spelling)  \($0.help)"
  }.joined(separator: "\n")

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let catalog = DeviceCatalog.standard
    let automatic = try catalog.choose("auto")
    if json {
      Output.result(
        JSON.object([
          "devices": .array(catalog.devices.map { $0.json(automatic: automatic) }),
          "auto": .string(automatic.info.id), "auto_reason": .string(automatic.reason),
        ]))
      return
    }
    var table = Table(["DEVICE", "TYPE", "UNITS", "MEMORY", "NAME", "DRIVER"], numeric: [2, 3])
    for device in catalog.devices {
      table.append([
        device.id, device.kind.rawValue, "\(device.computeUnits)",
        Format.bytes(device.memoryByteCount), device.name, device.driver,
      ])
    }
    Output.result(table.text)
    Output.result("auto takes \(automatic.info.id): \(automatic.reason)")
  }
}

extension DeviceInfo {
  fileprivate func json(automatic: DeviceCatalog.Choice) -> JSON {
    .object([
      "id": .string(id), "backend": .string(backend), "name": .string(name),
      "type": .string(kind.rawValue), "compute_units": .int(computeUnits),
      "memory_bytes": .int(memoryByteCount), "driver": .string(driver),
      "auto": .bool(id == automatic.info.id),
    ])
  }
}
