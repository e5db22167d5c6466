import Tern

/// The devices that every test runs on, by one body. A device that is missing fails the test.
public enum TestDevices {
  /// OpenCL twice: with the kernels for the driver's device, which is a CPU where there is no GPU, and
  /// with those for GPUs.
  public static let openCL = ["opencl", "opencl/many-threads"]
  public static let ids = ["reference", "cpu"] + openCL
  /// Those that compute as fast as they can.
  public static let fast = ["cpu"] + openCL

  public static func open(_ id: String) throws -> any Device {
    try DeviceCatalog.standard.open(id)
  }
}
