import COpenCL
import TernCore
import TernRuntime

/// What a device has to multiply matrices of rounded operands; see `matmul/tensor_core.cl`.
package enum TensorCores: Hashable, Sendable {
  /// Instructions of NVIDIA's PTX ISA.
  case nvidia
  /// The same functions in OpenCL C: for tests, on any device.
  case emulated
  /// None that are known, and why.
  case none(reason: String)

  /// Of cl_nv_device_attribute_query.
  private static let attributeQuery = "cl_nv_device_attribute_query"
  private static let capabilityMajor: Int32 = 0x4000
  private static let capabilityMinor: Int32 = 0x4001

  /// What follows from what a driver says.
  ///
  /// - Parameters:
  ///   - extensions: separated by spaces.
  ///   - capability: the compute capability; asked for only where the extension for it is there.
  package init(
    vendor: String, extensions: String, capability: () -> (major: Int, minor: Int)
  ) {
    guard vendor.contains("NVIDIA"),
      extensions.split(separator: " ").contains(where: { $0 == Self.attributeQuery })
    else {
      self = .none(reason: "its driver is not NVIDIA's")
      return
    }
    let (major, minor) = capability()
    // TF32, BF16 and asynchronous copies came with it.
    self =
      major >= 8
      ? .nvidia
      : .none(reason: "its compute capability is \(major).\(minor), 8.0 is needed")
  }

  init(_ device: CLDevice) {
    self.init(
      vendor: device.string(CL_DEVICE_VENDOR), extensions: device.string(CL_DEVICE_EXTENSIONS)
    ) {
      (
        Int(device.number(Self.capabilityMajor, cl_uint.self)),
        Int(device.number(Self.capabilityMinor, cl_uint.self))
      )
    }
  }

  /// - Throws: ``TernError`` of kind `deviceUnavailable` where there are none for a precision.
  func check(_ precision: Precision, on info: DeviceInfo) throws {
    guard precision != .fp32, case .none(let reason) = self else { return }
    throw TernError(
      .deviceUnavailable,
      "precision: \(info.id) (\(info.name)) has no tensor cores for \(precision.rawValue): "
        + "\(reason); fp32 is left")
  }
}

extension OpenCLDevice {
  /// Whether products are computed on tensor cores: in TF32, and of numbers that are stored in bfloat16.
  var multipliesOnTensorCores: Bool {
    if case .none = tensorCores { return false }
    return precision == .tf32 || precision == .bf16
  }

  /// What the operands of such products are stored in.
  var tensorCoreType: DataType { precision == .bf16 ? .bfloat16 : .float32 }

  /// Multiplies two small matrices of whole numbers, which must come out exact: a driver to which the
  /// instructions mean something else is found before anything is computed by them.
  ///
  /// - Throws: ``TernError`` of kind `deviceUnavailable`.
  func checkTensorCores() throws {
    let (m, n, k) = (70, 44, 40)
    let a = (0..<m * k).map { Float($0 % 9 - 4) }
    let b = (0..<k * n).map { Float($0 % 7 - 3) }
    var expected = [Float](repeating: 0, count: m * n)
    for i in 0..<m {
      for p in 0..<k {
        for j in 0..<n { expected[i * n + j] += a[i * k + p] * b[p * n + j] }
      }
    }
    func fault(_ what: String) -> TernError {
      TernError(
        .deviceUnavailable,
        "precision: the tensor cores of \(info.id) (\(info.name), driver \(info.driver)) cannot be "
          + "used: \(what); fp32 is left")
    }
    guard let tile = TensorTile.all(tensorCoreType, on: self).last else {
      throw fault("too little local memory")
    }
    var product = MatrixProduct(m: m, n: n, k: k, dataType: tensorCoreType)
    product.methodName = tile.name
    let types = [
      TensorType([m, k], tensorCoreType), TensorType([k, n], tensorCoreType), TensorType([m, n]),
    ]
    let buffers = try types.map { try OpenCLBuffer(context, byteCount: $0.byteCount) }
    let views = zip(buffers, types).map { View(memory: $0.handle, offset: 0, type: $1) }
    for (buffer, values, type) in [(buffers[0], a, types[0]), (buffers[1], b, types[1])] {
      try write(
        HostTensor(type.shape, values).cast(to: type.dataType), to: buffer, layout: .dense)
    }
    let encoder = StepEncoder(device: self, workspace: nil)
    do {
      try product.encode(views[0], views[1], into: views[2], encoder)
      for launch in try encoder.finish() { try launch.enqueue(computeQueue.handle) }
      try synchronize()
    } catch let error as TernError {
      throw fault(error.message)
    } catch let misfit as DoesNotFit {
      throw fault(misfit.message)
    }
    guard try read(types[2], from: buffers[2], offset: 0, layout: .dense).floats == expected else {
      throw fault("they computed wrong numbers")
    }
  }
}
