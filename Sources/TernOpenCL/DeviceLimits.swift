import COpenCL
import TernCore
import TernRuntime

/// What a device has room for, as its driver says.
package struct DeviceLimits: Hashable, Sendable {
  /// The work-items of a group, along its first axis.
  package private(set) var groupSize: Int
  /// The same for any kernel, where that is less.
  let kernelGroupSize: Int
  /// Whether CLBlast, which asks the driver itself, is to know of limits that are not the driver's.
  let hasLibrary: Bool
  /// The local memory of a group, in bytes.
  package private(set) var localByteCount: Int
  /// The largest buffer, in bytes.
  package private(set) var allocationByteCount: Int

  /// - Throws: ``TernError`` where the device has so little that no kernel runs.
  init(_ device: CLDevice, _ info: DeviceInfo, _ traits: DeviceTraits) throws {
    let sizes = device.numbers(CL_DEVICE_MAX_WORK_ITEM_SIZES, Int.self)
    groupSize = min(
      device.number(CL_DEVICE_MAX_WORK_GROUP_SIZE, Int.self), sizes.first ?? .max,
      traits.groupSize ?? .max)
    kernelGroupSize = min(groupSize, traits.kernelGroupSize ?? .max)
    hasLibrary = traits.groupSize.map { $0 >= Self.libraryGroupSize } ?? true
    localByteCount = min(
      Int(clamping: device.number(CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong.self)),
      traits.localByteCount ?? .max)
    // Kernels count elements in 32-bit integers.
    allocationByteCount = min(
      Int(clamping: device.number(CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong.self)),
      4 * Int(Int32.max), traits.allocationByteCount ?? .max)
    guard groupSize >= Self.leastGroupSize else {
      throw TernError(
        .deviceUnavailable,
        "\(info.id) (\(info.name)) has work-groups of at most \(groupSize) work-items "
          + "(CL_DEVICE_MAX_WORK_GROUP_SIZE); \(Self.leastGroupSize) are needed")
    }
  }

  /// Smaller groups are what no device has, but for one that was configured so.
  static let leastGroupSize = 8

  /// What CLBlast's kernels take at most.
  private static let libraryGroupSize = 256

  /// - Parameter most: what the kernel may have, where that is known.
  /// - Throws: ``DoesNotFit`` where a kernel's groups are larger.
  func check(_ size: Int, of kernel: String, atMost most: Int? = nil) throws {
    let most = most ?? groupSize
    guard size <= most else {
      throw DoesNotFit(
        message: "\(kernel) takes work-groups of \(size) work-items, at most \(most) fit")
    }
  }

  /// The largest power of two of work-items that is no more than `wanted` and fits.
  func group(upTo wanted: Int) -> Int {
    let largest = min(wanted, groupSize)
    return 1 << (Int.bitWidth - 1 - largest.leadingZeroBitCount)
  }
}

/// A kernel or a library's routine that the device has no room for as it is asked to run.
struct DoesNotFit: Error {
  let message: String
  /// Whether it is CLBlast that does not: none of its products is taken then.
  var isLibrary = false
}
