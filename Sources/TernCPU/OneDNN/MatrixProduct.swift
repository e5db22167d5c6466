import COneDNN

/// A matrix stored row by row, or a block of one.
struct MatrixView {
  let address: UnsafePointer<Float>
  /// The distance between rows.
  let stride: Int
  var isTransposed = false

  init(_ address: UnsafePointer<Float>, stride: Int, isTransposed: Bool = false) {
    self.address = address
    self.stride = stride
    self.isTransposed = isTransposed
  }

  var transposed: MatrixView {
    MatrixView(address, stride: stride, isTransposed: !isTransposed)
  }
}

/// result [m, n] = scale · a [m, k] · b [k, n], or that added to it.
///
/// Uses all threads, or inside a parallel loop only the one that calls it.
func multiply(
  _ a: MatrixView, _ b: MatrixView, m: Int, n: Int, k: Int, scale: Float = 1,
  adding: Bool = false, into result: UnsafeMutablePointer<Float>, stride: Int
) {
  func flag(_ matrix: MatrixView) -> CChar {
    CChar(bitPattern: UInt8(ascii: matrix.isTransposed ? "T" : "N"))
  }
  let status = dnnl_sgemm(
    flag(a), flag(b), Int64(m), Int64(n), Int64(k), scale, a.address, Int64(a.stride), b.address,
    Int64(b.stride), adding ? 1 : 0, result, Int64(stride))
  // oneDNN packs its operands, and says so where there is no memory for that; a thread of a loop has
  // nobody to tell.
  if status != dnnl_success {
    multiplyInPlace(
      a, b, m: m, n: n, k: k, scale: scale, adding: adding, into: result, stride: stride)
  }
}

/// The same without any memory of its own, and slowly.
private func multiplyInPlace(
  _ a: MatrixView, _ b: MatrixView, m: Int, n: Int, k: Int, scale: Float, adding: Bool,
  into result: UnsafeMutablePointer<Float>, stride: Int
) {
  func element(_ matrix: MatrixView, _ row: Int, _ column: Int) -> Float {
    matrix.isTransposed
      ? matrix.address[column * matrix.stride + row] : matrix.address[row * matrix.stride + column]
  }
  for i in 0..<m {
    for j in 0..<n {
      var sum: Float = 0
      for l in 0..<k { sum += element(a, i, l) * element(b, l, j) }
      result[i * stride + j] = scale * sum + (adding ? result[i * stride + j] : 0)
    }
  }
}
