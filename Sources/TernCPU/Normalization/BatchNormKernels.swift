import CMicrokernels
import TernCore

/// The loops of batch normalisation over a piece of tensors whose elements are of one type; see
/// `microkernels.h`. A piece says where its first value is.
enum BatchNormKernels {
  case float32, bfloat16

  typealias Piece = ChannelValues.Piece
  typealias Floats = UnsafeMutablePointer<Float>

  init(_ type: DataType) { self = type == .bfloat16 ? .bfloat16 : .float32 }

  private static func floats(_ tensor: UnsafeMutableRawPointer, _ piece: Piece) -> Floats {
    tensor.assumingMemoryBound(to: Float.self) + piece.offset
  }

  private static func halves(_ tensor: UnsafeMutableRawPointer, _ piece: Piece)
    -> UnsafeMutablePointer<UInt16>
  {
    tensor.assumingMemoryBound(to: UInt16.self) + piece.offset
  }

  func moments(_ x: UnsafeMutableRawPointer, _ piece: Piece, _ mean: Floats, _ squares: Floats) {
    switch self {
    case .float32: tern_batch_norm_moments(Self.floats(x, piece), piece.values, mean, squares)
    case .bfloat16:
      tern_batch_norm_moments_bfloat16(Self.halves(x, piece), piece.values, mean, squares)
    }
  }

  func normalize(
    _ x: UnsafeMutableRawPointer, _ y: UnsafeMutableRawPointer, _ piece: Piece, _ mean: Floats,
    _ scale: Floats, _ shift: Floats, _ rectifies: Bool
  ) {
    switch self {
    case .float32:
      tern_batch_norm(
        Self.floats(x, piece), Self.floats(y, piece), piece.values, mean, scale, shift, rectifies)
    case .bfloat16:
      tern_batch_norm_bfloat16(
        Self.halves(x, piece), Self.halves(y, piece), piece.values, mean, scale, shift, rectifies)
    }
  }

  func sumGradients(
    _ dy: UnsafeMutableRawPointer, _ x: UnsafeMutableRawPointer, _ piece: Piece, _ mean: Floats,
    _ scale: Floats, _ shift: Floats, _ rectifies: Bool, _ sum: Floats, _ product: Floats
  ) {
    switch self {
    case .float32:
      tern_batch_norm_gradient_sums(
        Self.floats(dy, piece), Self.floats(x, piece), piece.values, mean, scale, shift, rectifies,
        sum, product)
    case .bfloat16:
      tern_batch_norm_gradient_sums_bfloat16(
        Self.halves(dy, piece), Self.halves(x, piece), piece.values, mean, scale, shift, rectifies,
        sum, product)
    }
  }

  func differentiate(
    _ dy: UnsafeMutableRawPointer, _ x: UnsafeMutableRawPointer, _ dx: UnsafeMutableRawPointer,
    _ piece: Piece, _ mean: Floats, _ scale: Floats, _ shift: Floats, _ rectifies: Bool,
    _ sumPart: Floats, _ productPart: Floats
  ) {
    switch self {
    case .float32:
      tern_batch_norm_backward(
        Self.floats(dy, piece), Self.floats(x, piece), Self.floats(dx, piece), piece.values, mean,
        scale, shift, rectifies, sumPart, productPart)
    case .bfloat16:
      tern_batch_norm_backward_bfloat16(
        Self.halves(dy, piece), Self.halves(x, piece), Self.halves(dx, piece), piece.values, mean,
        scale, shift, rectifies, sumPart, productPart)
    }
  }
}
