import TernCore

/// As what kernels declare a tensor; see `common/storage.cl`.
enum TensorStorage {
  /// float32, by IN and OUT.
  case float32
  /// int32, by IN_INT and OUT_INT.
  case int32
  /// The type of the kernel's inputs, by IN_ANY.
  case input
  /// The type of its outputs, by OUT_ANY and LIKE_OUT.
  case output

  fileprivate init?(_ macro: Substring) {
    switch macro {
    case "IN", "OUT": self = .float32
    case "IN_INT", "OUT_INT": self = .int32
    case "IN_ANY": self = .input
    case "OUT_ANY", "LIKE_OUT": self = .output
    default: return nil
    }
  }

  /// The tensors among the parameters of a kernel, in order.
  ///
  /// - Parameter declaration: from `__kernel` to the body.
  static func all(in declaration: some StringProtocol) -> [TensorStorage] {
    let isOfWord = { (character: Character) in
      character == "_" || character.isLetter || character.isNumber
    }
    return declaration.split(separator: "(").dropLast().compactMap { text in
      let end = text.reversed().drop { $0 == " " }
      return TensorStorage(Substring(String(end.prefix(while: isOfWord).reversed())))
    }
  }
}

extension DataType {
  /// `INPUT_TYPE` and `OUTPUT_TYPE` of the kernels.
  var kernelType: Int {
    switch self {
    case .float32: 0
    case .float16: 1
    case .bfloat16: 2
    case .int32: 3
    case .uint8: 4
    }
  }
}

extension KernelSource {
  /// What tells a kernel how its tensors are stored: nothing where all of them are float32 or int32.
  ///
  /// - Precondition: tensors of 16 bits are given to parameters that are declared for them, those of the inputs of
  ///   one type, and those of the outputs.
  func storageDefines(of kernel: String, _ arguments: [Argument]) -> [String: String] {
    let types = arguments.compactMap { argument -> DataType?? in
      switch argument {
      case .tensor(let view): .some(view.type.dataType)
      case .absent: .some(nil)
      default: nil
      }
    }
    guard types.contains(where: { $0?.isHalf ?? false }) else { return [:] }
    let storages = tensors(of: kernel)
    precondition(storages.count == types.count, "\(kernel) has \(storages.count) tensors")
    var found: [String: DataType] = [:]
    for (index, (storage, type)) in zip(storages, types).enumerated() {
      guard let type else { continue }
      let name: String
      switch storage {
      case .input: name = "INPUT_TYPE"
      case .output: name = "OUTPUT_TYPE"
      case .float32, .int32:
        precondition(!type.isHalf, "tensor \(index) of \(kernel) has 32 bits, not \(type)")
        continue
      }
      let known = found[name] ?? type
      precondition(known == type, "tensor \(index) of \(kernel) is \(type), others \(known)")
      found[name] = type
    }
    return found.mapValues { "\($0.kernelType)" }
  }
}
