/// How a convolution is computed. Each device has its own choice per shape and pass; a user may ask
/// for one, which then runs wherever the device has it for the shape.
public enum ConvolutionAlgorithm: String, Hashable, Sendable, CaseIterable {
  /// Sums over the window, in place.
  case direct
  /// Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016. Fewer
  /// multiplications, and less exact.
  case winograd
  /// A 1×1 convolution as a matrix product.
  case gemm
  /// A matrix product whose one factor, the windows as columns, is never stored.
  case implicitGEMM = "implicit-gemm"
  /// The windows as columns of a matrix in memory, then a matrix product.
  case im2col
  /// One filter per channel.
  case depthwise

  /// Whether whole numbers small enough to be added up exactly come out exact. Winograd's transforms
  /// divide, by 6 and 24 among others.
  public var isExact: Bool { self != .winograd }
}
