import COpenCL

/// A device as the ICD loader lists it.
struct CLDevice: @unchecked Sendable {
  let handle: cl_device_id
  /// Platform and device number.
  let platform: Int
  let index: Int

  /// Every device of every platform. No loader entry, platform or device is an empty list.
  ///
  /// Listed once: drivers start up while they are listed, and PoCL does so on one thread only.
  static func all() -> [CLDevice] { listed }

  private static let listed = list()

  private static func list() -> [CLDevice] {
    var platformCount: cl_uint = 0
    guard clGetPlatformIDs(0, nil, &platformCount) == CL_SUCCESS, platformCount > 0 else {
      return []
    }
    var platforms = [cl_platform_id?](repeating: nil, count: Int(platformCount))
    guard clGetPlatformIDs(platformCount, &platforms, nil) == CL_SUCCESS else { return [] }
    return platforms.enumerated().flatMap { number, platform -> [CLDevice] in
      var count: cl_uint = 0
      guard clGetDeviceIDs(platform, tern_device_type_all, 0, nil, &count) == CL_SUCCESS, count > 0
      else { return [] }
      var devices = [cl_device_id?](repeating: nil, count: Int(count))
      guard clGetDeviceIDs(platform, tern_device_type_all, count, &devices, nil) == CL_SUCCESS
      else {
        return []
      }
      return devices.enumerated().compactMap { index, device in
        device.map { CLDevice(handle: $0, platform: number, index: index) }
      }
    }
  }

  func string(_ parameter: Int32) -> String {
    var size = 0
    guard clGetDeviceInfo(handle, cl_device_info(parameter), 0, nil, &size) == CL_SUCCESS, size > 0
    else { return "" }
    var bytes = [UInt8](repeating: 0, count: size)
    guard clGetDeviceInfo(handle, cl_device_info(parameter), size, &bytes, nil) == CL_SUCCESS else {
      return ""
    }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// What compiled programs depend on.
  var identity: String {
    [CL_DEVICE_NAME, CL_DEVICE_VERSION, CL_DRIVER_VERSION].map(string).joined(separator: "\n")
  }

  /// Whether the driver keeps what it compiled on the disk by itself. PoCL would compile every kernel a
  /// second time for a program's binary.
  var cachesPrograms: Bool { platformName.contains("Portable Computing Language") }

  /// Whether several programs may be compiled at a time: Oclgrind breaks, PoCL does one after the other.
  var compilesInParallel: Bool { !cachesPrograms && !platformName.contains("Oclgrind") }

  /// The platform's name and vendor.
  var platformName: String {
    var platform: cl_platform_id?
    clGetDeviceInfo(
      handle, cl_device_info(CL_DEVICE_PLATFORM), MemoryLayout<cl_platform_id?>.size, &platform, nil
    )
    return [CL_PLATFORM_NAME, CL_PLATFORM_VENDOR].map { parameter in
      var bytes = [UInt8](repeating: 0, count: 256)
      let code = clGetPlatformInfo(
        platform, cl_platform_info(parameter), bytes.count - 1, &bytes, nil)
      return code == CL_SUCCESS ? String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) : ""
    }.joined(separator: " ")
  }

  func number<T: FixedWidthInteger>(_ parameter: Int32, _: T.Type) -> T {
    var value: T = 0
    clGetDeviceInfo(handle, cl_device_info(parameter), MemoryLayout<T>.size, &value, nil)
    return value
  }

  /// A list of numbers; empty where the driver does not know the parameter.
  func numbers<T: FixedWidthInteger>(_ parameter: Int32, _: T.Type) -> [T] {
    var size = 0
    guard clGetDeviceInfo(handle, cl_device_info(parameter), 0, nil, &size) == CL_SUCCESS else {
      return []
    }
    var values = [T](repeating: 0, count: size / MemoryLayout<T>.size)
    guard clGetDeviceInfo(handle, cl_device_info(parameter), size, &values, nil) == CL_SUCCESS
    else {
      return []
    }
    return values
  }

  var isCPU: Bool { number(CL_DEVICE_TYPE, UInt64.self) & tern_device_type_cpu != 0 }
  var isGPU: Bool { number(CL_DEVICE_TYPE, UInt64.self) & tern_device_type_gpu != 0 }

  /// The floats of a vector register, as far as kernels know what to do with them.
  var nativeVectorWidth: Int {
    let width = Int(number(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, cl_uint.self))
    return [16, 8].first { $0 <= width } ?? 4
  }
}
