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
  precondition(status == dnnl_success, "dnnl_sgemm: status \(status.rawValue)")
}
