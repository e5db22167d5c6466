/// The names that a pickle may use. None is executed: each stands for something that the reader knows.
enum PickledGlobals {
  /// The sizes of elements by the names of storages.
  static let storages = [
    "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "DoubleStorage": 8, "LongStorage": 8,
    "IntStorage": 4, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
    "ComplexFloatStorage": 8, "ComplexDoubleStorage": 16, "UntypedStorage": 1,
  ]

  /// What tensors are made of.
  private static let functions: Set<String> = [
    "collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state", "torch._tensor._rebuild_from_type_v2",
    "torch.Size", "torch.Tensor", "torch.nn.parameter.Parameter",
  ]

  /// What checkpoints hold besides weights: values of which nothing is read.
  static let opaque: Set<String> = [
    "__builtin__.bytearray", "__builtin__.complex", "__builtin__.frozenset", "__builtin__.set",
    "_codecs.encode", "argparse.Namespace", "builtins.bytearray", "builtins.complex",
    "builtins.dict", "builtins.frozenset", "builtins.set", "collections.Counter",
    "collections.defaultdict", "copyreg._reconstructor", "copy_reg._reconstructor",
    "datetime.datetime", "datetime.timedelta", "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar", "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar", "numpy.dtype", "numpy.ndarray", "pathlib.Path",
    "pathlib.PosixPath", "torch.device",
  ]
  /// Types that such values name.
  private static let types: Set<String> = [
    "__builtin__.dict", "__builtin__.int", "__builtin__.list", "__builtin__.object",
    "__builtin__.float", "__builtin__.str", "__builtin__.long", "__builtin__.tuple",
    "__builtin__.bool", "builtins.bool", "builtins.tuple", "builtins.float", "builtins.int",
    "builtins.list",
    "builtins.object", "builtins.str",
  ]
  private static let elements: Set<String> = [
    "bfloat16", "bool", "complex128", "complex32", "complex64", "float16", "float32", "float64",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
    "int16", "int32", "int64", "int8", "uint16", "uint32", "uint64", "uint8",
  ]

  static func checked(_ name: String) throws -> PickleValue {
    let last = name.lastDotted
    let isStorage =
      storages[last] != nil
      && ["torch.\(last)", "torch.cuda.\(last)", "torch.storage.\(last)"].contains(name)
    // The types of elements are names alone.
    let isType =
      types.contains(name)
      || name.hasPrefix("torch.") && elements.contains(String(name.dropFirst(6)))
    guard functions.contains(name) || opaque.contains(name) || isStorage || isType else {
      throw PickleFault(
        description:
          "it needs Python's \(name), which is not read; save a state dict of tensors alone: "
          + "torch.save(model.state_dict(), FILE)")
    }
    return .global(name)
  }
}
