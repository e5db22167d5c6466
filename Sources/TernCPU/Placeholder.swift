import TernCore
import TernRuntime

/// Stands in until the backend lands; delete this file then.
public struct CPUBackend: Backend {
  public init() {}
  public var name: String { "cpu" }
  public func devices() -> [DeviceInfo] { [] }
  public func open(_ info: DeviceInfo, options: DeviceOptions) throws -> any Device {
    throw TernError(.deviceUnavailable, "no cpu backend yet")
  }
}
