import COpenCL
import TernCore
import TernRuntime

/// Any OpenCL device, through its vendor's driver.
package struct OpenCLBackend: Backend {
  package init() {}

  package var name: String { "opencl" }

  package func devices() -> [DeviceInfo] { CLDevice.all().map(\.info) }

  package var precisions: [Precision] { Precision.allCases }

  package var traits: [(spelling: String, help: String)] {
    DeviceTraits.all.map { ($0.spelling, $0.help) }
  }

  package func open(_ info: DeviceInfo, options: DeviceOptions) throws -> any Device {
    try open(
      info, options: options, traits: DeviceTraits(info.traits), cache: .standard(),
      sharesContext: true)
  }

  /// - Parameters:
  ///   - traits: in what the device is treated otherwise than its driver says.
  ///   - cache: where compiled programs and tuning results are kept.
  ///   - sharesContext: whether it builds no kernel that the process has built for another.
  package func open(
    _ info: DeviceInfo, options: DeviceOptions = DeviceOptions(),
    traits: DeviceTraits = DeviceTraits(), cache: CacheDirectory?, sharesContext: Bool = false
  ) throws -> OpenCLDevice {
    guard let device = CLDevice.all().first(where: { $0.info.id == info.id.prefix { $0 != "/" } })
    else {
      throw TernError(.deviceUnavailable, "the device \(info.id) is gone")
    }
    return try OpenCLDevice(
      device, info, options: options, traits: traits, cache: cache,
      sharesContext: sharesContext)
  }
}

extension CLDevice {
  var info: DeviceInfo {
    DeviceInfo(
      id: "opencl:\(platform).\(index)", backend: "opencl", name: string(CL_DEVICE_NAME),
      kind: isGPU ? .gpu : isCPU ? .cpu : .accelerator,
      computeUnits: Int(number(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint.self)),
      memoryByteCount: Int(clamping: number(CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong.self)),
      cacheByteCount: isCPU
        ? HostCache.lastLevelByteCount
        : Int(number(CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, cl_ulong.self)),
      driver: string(CL_DRIVER_VERSION),
      sharesHostMemory: number(CL_DEVICE_HOST_UNIFIED_MEMORY, cl_bool.self) != 0,
      // Mesa has drivers for everyone's devices.
      isMakersDriver: !["Mesa", "rusticl", "Clover"].contains { platformName.contains($0) })
  }
}
