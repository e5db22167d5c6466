import TernCore
import TernRuntime

/// Stands in until the backend lands; delete this file then.
public struct OpenCLBackend: Backend {
  public init() {}
  public var name: String { "opencl" }
  public func devices() -> [DeviceInfo] { [] }
  public func open(_ info: DeviceInfo, options: DeviceOptions) throws -> any Device {
    throw TernError(.deviceUnavailable, "no opencl backend yet")
  }
}
