/// A named and typed part of a sample: what a network reads, or what it is held against.
public struct Field: Hashable, Sendable, CustomStringConvertible {
  /// What it is called.
  public let name: String
  /// Of one sample: without the axis of the batch.
  public let type: TensorType

  /// A field of that name and type.
  public init(_ name: String, _ type: TensorType) {
    self.name = name
    self.type = type
  }

  /// A field of that name and shape, of float32 where nothing else is said.
  public init(_ name: String, _ shape: Shape, _ dataType: DataType = .float32) {
    self.init(name, TensorType(shape, dataType))
  }

  public var description: String { "\(name): \(type)" }

  /// The same in a batch: its shape begins with the number of samples, [N, …].
  public func batched(_ count: Int) -> TensorType {
    TensorType(Shape([count] + type.shape.dimensions), type.dataType)
  }
}

extension Field {
  /// The field of samples in sets with one input.
  public static let samplesName = "images"
  /// The field of samples that are tokens of text.
  public static let tokensName = "tokens"
  /// The field that is 1 where a sample of tokens has one, and 0 where it is filled up.
  public static let maskName = "mask"
  /// The field that a network is held against.
  public static let targetsName = "targets"
  /// The targets of the samples that those of a batch are mixed with.
  public static let partnerTargetsName = "partner_targets"
  /// How much of a mixed sample is its own; one number for a batch.
  public static let mixName = "mix"
}
