import TernCore

/// Another dataset whose samples have further fields: the other inputs of a network that reads several.
public struct NamedFields: DatasetWrapper {
  public let base: any Dataset
  private let others: [(field: Field, values: HostTensor)]
  public let sampleName: String

  /// - Parameters:
  ///   - sampleName: the input that reads the samples of `base`.
  ///   - others: the other inputs' values by name, [N, …].
  /// - Precondition: each of `others` holds as many samples as `base`.
  public init(
    _ base: any Dataset, sampleName: String, others: [(name: String, values: HostTensor)]
  ) {
    self.base = base
    self.sampleName = sampleName
    self.others = others.map { name, values in
      precondition(values.shape.first == base.count, "\(name): one value per sample")
      let shape = Shape(Array(values.shape.dimensions.dropFirst()))
      return (Field(name, shape, values.type.dataType), values)
    }
  }

  public var otherFields: [Field] { others.map(\.field) }

  public func traits(_ index: Int) -> [UInt8] {
    base.traits(index)
      + others.flatMap { field, values in
        let size = field.type.byteCount
        return values.withUnsafeBytes { Array($0[index * size..<(index + 1) * size]) }
      }
  }

  public func copyField(_ field: Int, of index: Int, to destination: UnsafeMutableRawPointer) {
    let size = others[field].field.type.byteCount
    others[field].values.withUnsafeBytes {
      destination.copyMemory(from: $0.baseAddress! + index * size, byteCount: size)
    }
  }
}
