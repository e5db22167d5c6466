import COpenCL
import Foundation
import TernCore

/// The calls of cl_khr_command_buffer that a step takes: kernels are recorded once, and enqueued as one
/// command from then on.
struct CommandBufferCalls: @unchecked Sendable {
  fileprivate typealias Create =
    @convention(c) (
      cl_uint, UnsafePointer<cl_command_queue?>?, UnsafePointer<cl_command_buffer_properties_khr>?,
      UnsafeMutablePointer<cl_int>?
    ) -> cl_command_buffer_khr?
  fileprivate typealias RecordKernel =
    @convention(c) (
      cl_command_buffer_khr?, cl_command_queue?, OpaquePointer?, cl_kernel?, cl_uint,
      UnsafePointer<Int>?, UnsafePointer<Int>?, UnsafePointer<Int>?, cl_uint, OpaquePointer?,
      OpaquePointer?, OpaquePointer?
    ) -> cl_int
  fileprivate typealias Enqueue =
    @convention(c) (
      cl_uint, UnsafeMutablePointer<cl_command_queue?>?, cl_command_buffer_khr?, cl_uint,
      UnsafePointer<cl_event?>?, UnsafeMutablePointer<cl_event?>?
    ) -> cl_int
  fileprivate typealias OfOne = @convention(c) (cl_command_buffer_khr?) -> cl_int

  fileprivate let create: Create
  fileprivate let recordKernel: RecordKernel
  fileprivate let enqueue: Enqueue
  fileprivate let finalize: OfOne
  fileprivate let release: OfOne

  /// `nil` where the driver lacks the extension, or cannot enqueue a buffer again before it is done: the
  /// host is steps ahead of the device.
  init?(_ device: CLDevice) {
    guard
      device.string(CL_DEVICE_EXTENSIONS).split(separator: " ").contains(where: {
        $0 == "cl_khr_command_buffer"
      })
    else { return nil }
    let capabilities = device.number(CL_DEVICE_COMMAND_BUFFER_CAPABILITIES_KHR, UInt64.self)
    guard capabilities & UInt64(CL_COMMAND_BUFFER_CAPABILITY_SIMULTANEOUS_USE_KHR) != 0 else {
      return nil
    }
    var platform: cl_platform_id?
    clGetDeviceInfo(
      device.handle, cl_device_info(CL_DEVICE_PLATFORM), MemoryLayout<cl_platform_id?>.size,
      &platform, nil)
    func address<Call>(_ name: String, _: Call.Type) -> Call? {
      clGetExtensionFunctionAddressForPlatform(platform, name).map {
        unsafeBitCast($0, to: Call.self)
      }
    }
    guard platform != nil,
      let create = address("clCreateCommandBufferKHR", Create.self),
      let recordKernel = address("clCommandNDRangeKernelKHR", RecordKernel.self),
      let enqueue = address("clEnqueueCommandBufferKHR", Enqueue.self),
      let finalize = address("clFinalizeCommandBufferKHR", OfOne.self),
      let release = address("clReleaseCommandBufferKHR", OfOne.self)
    else { return nil }
    (self.create, self.recordKernel, self.enqueue) = (create, recordKernel, enqueue)
    (self.finalize, self.release) = (finalize, release)
  }
}

/// Kernels in order, recorded with the arguments they had then, for one in-order queue.
final class CommandBuffer: Launch {
  private let calls: CommandBufferCalls
  private let handle: cl_command_buffer_khr
  private let queue: Queue

  init(_ kernels: [KernelLaunch], for queue: Queue, _ calls: CommandBufferCalls) throws {
    self.calls = calls
    self.queue = queue
    handle = try created("clCreateCommandBufferKHR") { code in
      var queue: cl_command_queue? = queue.handle
      let properties = [
        cl_command_buffer_properties_khr(CL_COMMAND_BUFFER_FLAGS_KHR),
        cl_command_buffer_properties_khr(CL_COMMAND_BUFFER_SIMULTANEOUS_USE_KHR), 0,
      ]
      return calls.create(1, &queue, properties, &code)
    }
    for kernel in kernels {
      try kernel.withRange { kernel, globalSize, localSize in
        try check(
          calls.recordKernel(
            handle, nil, nil, kernel, cl_uint(globalSize.count), nil, globalSize, localSize, 0, nil,
            nil, nil), "clCommandNDRangeKernelKHR")
      }
    }
    try check(calls.finalize(handle), "clFinalizeCommandBufferKHR")
  }

  deinit { _ = calls.release(handle) }

  func enqueue(_: cl_command_queue) throws {
    try check(calls.enqueue(0, nil, handle, 0, nil, nil), "clEnqueueCommandBufferKHR")
  }

  /// The same launches with the kernels that stand side by side recorded together.
  static func recording(
    _ launches: [any Launch], for queue: Queue, _ calls: CommandBufferCalls
  ) throws -> [any Launch] {
    var result: [any Launch] = []
    var kernels: [KernelLaunch] = []
    func record() throws {
      // One by itself gains nothing.
      if kernels.count > 1 {
        result.append(try CommandBuffer(kernels, for: queue, calls))
      } else {
        result += kernels
      }
      kernels = []
    }
    for launch in launches {
      if let kernel = launch as? KernelLaunch {
        kernels.append(kernel)
      } else {
        try record()
        result.append(launch)
      }
    }
    try record()
    return result
  }
}
