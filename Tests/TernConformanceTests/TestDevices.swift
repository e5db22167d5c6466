import Tern

/// The devices that every test runs on, by one body. A device that is missing fails the test.
enum TestDevices {
  static let ids = ["reference", "cpu", "opencl"]

  static func open(_ id: String) throws -> any Device { try DeviceCatalog.standard.open(id) }
}
