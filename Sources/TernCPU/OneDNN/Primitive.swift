import COneDNN
import TernCore

/// What oneDNN calls an argument of a primitive.
enum PrimitiveArgument {
  case source, destination, weights, bias
  case sourceGradient, destinationGradient, weightsGradient, biasGradient
  case scratchpad

  var raw: Int32 {
    switch self {
    case .source: tern_dnnl_source
    case .destination: tern_dnnl_destination
    case .weights: tern_dnnl_weights
    case .bias: tern_dnnl_bias
    case .sourceGradient: tern_dnnl_source_gradient
    case .destinationGradient: tern_dnnl_destination_gradient
    case .weightsGradient: tern_dnnl_weights_gradient
    case .biasGradient: tern_dnnl_bias_gradient
    case .scratchpad: tern_dnnl_scratchpad
    }
  }
}

/// An operation of oneDNN with its implementation chosen, before its code is generated.
final class PrimitiveDescriptor {
  let handle: dnnl_primitive_desc_t
  let engine: Engine

  typealias Create = (
    _ result: UnsafeMutablePointer<dnnl_primitive_desc_t?>, _ engine: dnnl_engine_t,
    _ attributes: dnnl_primitive_attr_t
  ) throws -> dnnl_status_t

  /// - Parameters:
  ///   - call: what errors name.
  ///   - postOperations: what the primitive does to its result before storing it.
  ///   - create: calls the function that makes the descriptor.
  init(
    _ call: String, _ engine: Engine, postOperations: [PostOperation] = [], create: Create
  ) throws {
    var attributes: dnnl_primitive_attr_t?
    try check("dnnl_primitive_attr_create", dnnl_primitive_attr_create(&attributes))
    defer { dnnl_primitive_attr_destroy(attributes) }
    // The plan provides the scratchpad, so that running allocates nothing and no two primitives
    // share one behind its back.
    try check(
      "dnnl_primitive_attr_set_scratchpad_mode",
      dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user))
    if !postOperations.isEmpty { try PostOperation.set(postOperations, in: attributes!) }
    var handle: dnnl_primitive_desc_t?
    try check(call, try create(&handle, engine.handle, attributes!))
    self.handle = handle!
    self.engine = engine
  }

  deinit { dnnl_primitive_desc_destroy(handle) }

  /// The format of an argument.
  func descriptor(of argument: PrimitiveArgument) -> MemoryDescriptor {
    guard let descriptor = tern_dnnl_argument(handle, argument.raw) else {
      preconditionFailure("a primitive without argument \(argument)")
    }
    return MemoryDescriptor(descriptor.pointee)
  }

  var scratchpadByteCount: Int { tern_dnnl_scratchpad_size(handle) }

  /// The implementation, such as `jit:avx512_core`.
  var implementation: String { String(cString: tern_dnnl_implementation(handle)) }
}

/// A function that a primitive applies to its result before storing it.
enum PostOperation: Hashable {
  case relu

  fileprivate static func set(
    _ operations: [PostOperation], in attributes: dnnl_primitive_attr_t
  ) throws {
    var list: dnnl_post_ops_t?
    try check("dnnl_post_ops_create", dnnl_post_ops_create(&list))
    defer { dnnl_post_ops_destroy(list) }
    for operation in operations {
      switch operation {
      case .relu:
        try check(
          "dnnl_post_ops_append_eltwise",
          dnnl_post_ops_append_eltwise(list, 1, dnnl_eltwise_relu, 0, 0))
      }
    }
    try check(
      "dnnl_primitive_attr_set_post_ops", dnnl_primitive_attr_set_post_ops(attributes, list))
  }
}

/// A primitive with its code generated and its arguments set.
final class Primitive {
  private let handle: dnnl_primitive_t
  private let engine: Engine
  private let arguments: UnsafeMutableBufferPointer<dnnl_exec_arg_t>

  init(
    _ descriptor: PrimitiveDescriptor,
    _ memory: [(argument: PrimitiveArgument, address: UnsafeMutableRawPointer)],
    scratchpad: UnsafeMutableRawPointer?
  ) throws {
    var memory = memory
    if descriptor.scratchpadByteCount > 0 { memory.append((.scratchpad, scratchpad!)) }
    var handle: dnnl_primitive_t?
    try check("dnnl_primitive_create", dnnl_primitive_create(&handle, descriptor.handle))
    self.handle = handle!
    engine = descriptor.engine
    arguments = .allocate(capacity: memory.count)
    arguments.initialize(repeating: dnnl_exec_arg_t(arg: 0, memory: nil))
    for (index, (argument, address)) in memory.enumerated() {
      var format = descriptor.descriptor(of: argument).raw
      arguments[index].arg = argument.raw
      try check(
        "dnnl_memory_create",
        dnnl_memory_create(&arguments[index].memory, &format, engine.handle, address))
    }
  }

  deinit {
    for argument in arguments { dnnl_memory_destroy(argument.memory) }
    arguments.deallocate()
    dnnl_primitive_destroy(handle)
  }

  /// Runs to completion: the CPU's stream is synchronous.
  func execute() throws {
    try check(
      "dnnl_primitive_execute",
      dnnl_primitive_execute(
        handle, engine.stream, Int32(arguments.count), arguments.baseAddress))
  }
}
