import COpenCL

/// Owns a context; released with the last reference.
final class Context: @unchecked Sendable {
  let handle: cl_context

  init(device: cl_device_id) throws {
    handle = try created("clCreateContext") { code in
      var device: cl_device_id? = device
      return clCreateContext(nil, 1, &device, nil, nil, &code)
    }
  }

  deinit { clReleaseContext(handle) }
}

/// Owns an in-order command queue.
final class Queue: @unchecked Sendable {
  let handle: cl_command_queue

  init(_ context: Context, device: cl_device_id) throws {
    handle = try created("clCreateCommandQueue") { code in
      tern_create_queue(context.handle, device, &code)
    }
  }

  deinit { clReleaseCommandQueue(handle) }
}

/// Owns a built program.
final class Program: @unchecked Sendable {
  let handle: cl_program

  init(owning handle: cl_program) { self.handle = handle }

  deinit { clReleaseProgram(handle) }
}

/// Owns a kernel object; its arguments are its own.
final class Kernel: @unchecked Sendable {
  let handle: cl_kernel
  private let program: Program

  init(_ program: Program, _ name: String) throws {
    self.program = program
    handle = try created("clCreateKernel(\(name))") { clCreateKernel(program.handle, name, &$0) }
  }

  deinit { clReleaseKernel(handle) }

  /// The work-items that a group of the kernel may have: registers may be too few for as many as the
  /// device has room for.
  func groupSize(on device: CLDevice) throws -> Int {
    var size = 0
    try check(
      clGetKernelWorkGroupInfo(
        handle, device.handle, cl_kernel_work_group_info(CL_KERNEL_WORK_GROUP_SIZE),
        MemoryLayout<Int>.size, &size, nil), "clGetKernelWorkGroupInfo")
    return size
  }

  /// The local memory of a group, in bytes, with the arguments that are set.
  func localByteCount(on device: CLDevice) throws -> Int {
    var size: cl_ulong = 0
    try check(
      clGetKernelWorkGroupInfo(
        handle, device.handle, cl_kernel_work_group_info(CL_KERNEL_LOCAL_MEM_SIZE),
        MemoryLayout<cl_ulong>.size, &size, nil), "clGetKernelWorkGroupInfo")
    return Int(clamping: size)
  }

  func set<T: BitwiseCopyable>(_ index: Int, _ value: T) throws {
    try withUnsafeBytes(of: value) { bytes in
      try check(
        clSetKernelArg(handle, cl_uint(index), bytes.count, bytes.baseAddress), "clSetKernelArg")
    }
  }

  func setLocal(_ index: Int, byteCount: Int) throws {
    try check(clSetKernelArg(handle, cl_uint(index), byteCount, nil), "clSetKernelArg")
  }
}
