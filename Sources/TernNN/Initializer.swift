import TernCore

/// How a parameter starts. Numbers come from Philox, keyed by the seed and the parameter's name, so
/// they do not depend on the device or on the order in which layers are built.
public enum Initializer: Hashable, Sendable {
  /// One number.
  case constant(Float)
  /// N(0, deviation²)
  case normal(deviation: Float)
  /// U(−bound, bound)
  case uniform(bound: Float)
  /// N(0, deviation²) with the probability `part`, else 0.
  case sparseNormal(deviation: Float, part: Float)
  /// What a file of another program says.
  case given(GivenValue)

  /// All 0.
  public static let zeros = Initializer.constant(0)
  /// All 1.
  public static let ones = Initializer.constant(1)

  /// U(−1/√n, 1/√n) for n inputs: PyTorch's default for convolution and linear layers.
  public static func inverseSqrt(fanIn: Int) -> Initializer {
    .uniform(bound: 1 / Float(fanIn).squareRoot())
  }

  /// N(0, 2/n) for n inputs. He, Zhang, Ren, Sun, 2015.
  public static func he(fanIn: Int) -> Initializer {
    .normal(deviation: (2 / Float(fanIn)).squareRoot())
  }

  /// U(±√(6/(n + m))) for n inputs and m outputs. Glorot and Bengio, 2010.
  public static func glorot(fanIn: Int, fanOut: Int) -> Initializer {
    .uniform(bound: (6 / Float(fanIn + fanOut)).squareRoot())
  }

  /// N(0, 1/n) for n inputs. LeCun, Bottou, Orr, Müller, 1998.
  public static func lecun(fanIn: Int) -> Initializer {
    .normal(deviation: 1 / Float(fanIn).squareRoot())
  }

  /// The initial value of the parameter `name`.
  public func value(_ shape: Shape, name: String, seed: UInt64) -> HostTensor {
    let generator = Philox(seed: seed, stream: .initialization)
    let count = shape.elementCount
    // Scaled in place: a large layer's weight would take its memory twice.
    switch self {
    case .given(let given): return given.value()
    case .constant(let value): return HostTensor(repeating: value, shape)
    case .normal(let deviation):
      var values = generator.normals(count, FNV1a.hash32(name.utf8))
      for i in values.indices { values[i] *= deviation }
      return HostTensor(shape, values)
    case .sparseNormal(let deviation, let part):
      let draws = generator.uniforms(count, FNV1a.hash32(name.utf8), 1)
      var values = generator.normals(count, FNV1a.hash32(name.utf8))
      for i in values.indices { values[i] = draws[i] < part ? values[i] * deviation : 0 }
      return HostTensor(shape, values)
    case .uniform(let bound):
      var values = generator.uniforms(count, FNV1a.hash32(name.utf8))
      for i in values.indices { values[i] = (values[i] * 2 - 1) * bound }
      return HostTensor(shape, values)
    }
  }
}

/// How the weight of a convolution or a linear layer starts, whatever its size.
///
/// Biases start at zero, except with ``standard``, which treats them like the weight.
public enum WeightInitializer: String, Hashable, Sendable, CaseIterable {
  /// U(−1/√n, 1/√n), biases too: PyTorch's default.
  case standard
  /// 0
  case zeros
  /// 0.001 · N(0, 1): small random numbers.
  case small
  /// 0.02 · N(0, 1): generative adversarial networks. Radford, Metz, Chintala, 2015.
  case radford
  /// N(0, 1)/√n: the variance of the output is that of the input.
  case lecun
  /// N(0, 1) · √(2/n): the same behind a ReLU.
  case he
  /// U(±√(6/(n + m))): a compromise with the variance of the gradients.
  case glorot

  /// How a weight with n = `fanIn` inputs per output and m = `fanOut` outputs per input starts.
  public func weight(fanIn: Int, fanOut: Int) -> Initializer {
    switch self {
    case .standard: .inverseSqrt(fanIn: fanIn)
    case .zeros: .zeros
    case .small: .normal(deviation: 0.001)
    case .radford: .normal(deviation: 0.02)
    case .lecun: .lecun(fanIn: fanIn)
    case .he: .he(fanIn: fanIn)
    case .glorot: .glorot(fanIn: fanIn, fanOut: fanOut)
    }
  }

  /// How the bias of such a weight starts.
  public func bias(fanIn: Int) -> Initializer {
    self == .standard ? .inverseSqrt(fanIn: fanIn) : .zeros
  }
}

/// The initial value of a parameter from a file, which is read when it is asked for.
public final class GivenValue: Hashable, Sendable {
  private let read: @Sendable () -> HostTensor

  /// A value of the parameter's shape that the closure reads.
  package init(_ read: @escaping @Sendable () -> HostTensor) { self.read = read }

  /// The value.
  public func value() -> HostTensor { read() }

  public static func == (a: GivenValue, b: GivenValue) -> Bool { a === b }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
