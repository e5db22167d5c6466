import COpenCL

/// A launch that is encoded, and whose kernel may not be compiled yet: so all kernels of a plan can be
/// compiled side by side, and what a plan launches can be told without compiling anything.
struct PendingLaunch {
  enum Kind {
    case ready(any Launch)
    /// What a library does, by its name.
    case library(String, () throws -> any Launch)
    case kernel(KernelRequest)
  }

  /// The implementation of a problem that a launch belongs to.
  struct Choice {
    let problem: String
    let implementation: String
    let isOnly: Bool
  }

  let kind: Kind
  let choice: Choice?
}

/// A kernel, its arguments, and how its work-items are cut into groups.
struct KernelRequest {
  enum Cut {
    /// So many work-items that do not meet, in groups that may be smaller.
    case items(count: Int, groupSize: Int)
    /// Groups that share a row each; the kernel's GROUP, which may be halved.
    case rows(count: Int, group: Int)
    /// Groups of a power of two of work-items, of which there may be fewer: how many groups there are
    /// then, and what tells the kernel.
    case flexible(size: Int, (Int) -> (count: Int, defines: [String: Int]))
    /// As the kernel was written for.
    case groups([Int], localSize: [Int])
  }

  let name: String
  let file: String
  var defines: [String: String]
  let options: String
  let arguments: [Argument]
  var cut: Cut

  /// How many groups there are and how large, where nothing is in the way.
  var range: (groups: [Int], localSize: [Int]) {
    switch cut {
    case .items(let count, let size): ([(count + size - 1) / size], [size])
    case .rows(let count, let group): ([count], [group])
    case .flexible(let size, let cut): ([cut(size).count], [size])
    case .groups(let groups, let localSize): (groups, localSize)
    }
  }

  /// - Throws: ``DoesNotFit`` where the device has no room for the groups.
  func launch(on device: OpenCLDevice) throws -> KernelLaunch {
    let kernel = try device.programs.kernel(self)
    try set(kernel)
    let most = min(device.limits.kernelGroupSize, try kernel.groupSize(on: device.device))
    var request = self
    switch cut {
    case .items(let count, let size):
      request.cut = .items(count: count, groupSize: min(size, most))
    case .rows(let count, let group):
      if group > most {
        request.cut = .rows(count: count, group: group / 2)
        request.defines["GROUP"] = "\(group / 2)"
        return try request.launch(on: device)
      }
    case .flexible(let size, let cut):
      let localByteCount = try kernel.localByteCount(on: device.device)
      if size > most || localByteCount > device.limits.localByteCount {
        guard size > DeviceLimits.leastGroupSize else {
          throw DoesNotFit(
            message: "\(name) takes work-groups of \(size) work-items and \(localByteCount) bytes "
              + "of local memory, at most \(most) and \(device.limits.localByteCount) fit")
        }
        request.cut = .flexible(size: size / 2, cut)
        for (name, value) in cut(size / 2).defines { request.defines[name] = "\(value)" }
        return try request.launch(on: device)
      }
    case .groups(_, let localSize):
      try device.limits.check(localSize.reduce(1, *), of: name, atMost: most)
      let localByteCount = try kernel.localByteCount(on: device.device)
      guard localByteCount <= device.limits.localByteCount else {
        throw DoesNotFit(
          message: "\(name) takes \(localByteCount) bytes of local memory, there are "
            + "\(device.limits.localByteCount)")
      }
    }
    let range = request.range
    return KernelLaunch(
      kernel, name: name, groups: range.groups, localSize: range.localSize, arguments)
  }

  private func set(_ kernel: Kernel) throws {
    var index = 0
    for argument in arguments {
      switch argument {
      case .tensor(let view), .absent(let view):
        try kernel.set(index, view.memory)
        index += 1
        try kernel.set(index, UInt32(view.offset))
      case .int(let value): try kernel.set(index, Int32(value))
      case .uint(let value): try kernel.set(index, value)
      case .float(let value): try kernel.set(index, value)
      case .ints(let values):
        var vector = SIMD8<Int32>(repeating: 0)
        for (i, value) in values.enumerated() { vector[i] = Int32(value) }
        try kernel.set(index, vector)
      case .floats(let values):
        var vector = SIMD4<Float>(repeating: 0)
        for (i, value) in values.enumerated() { vector[i] = value }
        try kernel.set(index, vector)
      case .uints(let values):
        var vector = SIMD8<UInt32>(repeating: 0)
        for (i, value) in values.enumerated() { vector[i] = value }
        try kernel.set(index, vector)
      case .divisor(let value):
        let divisor = Divisor(value)
        try kernel.set(
          index, SIMD4<UInt32>(UInt32(divisor.value), divisor.factor, divisor.shift, 0))
      case .localFloats(let count): try kernel.setLocal(index, byteCount: 4 * count)
      case .table(let buffer): try kernel.set(index, buffer.handle)
      }
      index += 1
    }
  }
}
