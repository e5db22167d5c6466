import COpenCL
import Foundation
import TernCore
import TernRuntime

/// Any OpenCL device, through its vendor's driver.
public struct OpenCLBackend: Backend {
  public init() {}

  public var name: String { "opencl" }

  /// `TERN_OPENCL_COMMAND_BUFFERS=on` has steps recorded.
  package static let recordsSteps =
    ProcessInfo.processInfo.environment["TERN_OPENCL_COMMAND_BUFFERS"] == "on"

  public func devices() -> [DeviceInfo] { CLDevice.all().map(\.info) }

  public var precisions: [Precision] { Precision.allCases }

  public func open(_ info: DeviceInfo, options: DeviceOptions) throws -> any Device {
    try open(info, options: options, cache: .standard())
  }

  /// - Parameters:
  ///   - emulatesTensorCores: whether the device has slow ones, for tests, in place of its own.
  ///   - recordsSteps: whether a step's kernels are recorded once and enqueued together from then on,
  ///     where the driver has cl_khr_command_buffer.
  ///   - cache: where compiled programs and tuning results are kept.
  package func open(
    _ info: DeviceInfo, options: DeviceOptions = DeviceOptions(),
    emulatesTensorCores: Bool = false, recordsSteps: Bool = Self.recordsSteps,
    cache: CacheDirectory?
  ) throws -> OpenCLDevice {
    guard let device = CLDevice.all().first(where: { $0.info.id == info.id }) else {
      throw TernError(.deviceUnavailable, "the device \(info.id) is gone")
    }
    return try OpenCLDevice(
      device, options: options,
      tensorCores: emulatesTensorCores ? .emulated : TensorCores(device),
      recordsSteps: recordsSteps, cache: cache)
  }
}

extension CLDevice {
  var info: DeviceInfo {
    DeviceInfo(
      id: "opencl:\(platform).\(index)", backend: "opencl", name: string(CL_DEVICE_NAME),
      kind: isGPU ? .gpu : isCPU ? .cpu : .accelerator,
      computeUnits: Int(number(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint.self)),
      memoryByteCount: Int(number(CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong.self)),
      driver: string(CL_DRIVER_VERSION))
  }
}
