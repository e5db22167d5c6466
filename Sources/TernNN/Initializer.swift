import TernCore

/// How a parameter starts. Numbers come from Philox, keyed by the seed and the parameter's name, so
/// they do not depend on the device or on the order in which layers are built.
public enum Initializer: Hashable, Sendable {
  case constant(Float)
  /// N(0, deviation²)
  case normal(deviation: Float)
  /// U(−bound, bound)
  case uniform(bound: Float)

  public static let zeros = Initializer.constant(0)
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

  /// The initial value of the parameter `name`.
  public func value(_ shape: Shape, name: String, seed: UInt64) -> HostTensor {
    let generator = Philox(seed: seed, stream: .initialization)
    let count = shape.elementCount
    switch self {
    case .constant(let value): return HostTensor(repeating: value, shape)
    case .normal(let deviation):
      return HostTensor(shape, generator.normals(count, Self.hash(name)).map { $0 * deviation })
    case .uniform(let bound):
      return HostTensor(
        shape, generator.uniforms(count, Self.hash(name)).map { ($0 * 2 - 1) * bound })
    }
  }

  /// FNV-1a: Swift's own hashes differ from run to run.
  private static func hash(_ name: String) -> UInt32 {
    name.utf8.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
  }
}
