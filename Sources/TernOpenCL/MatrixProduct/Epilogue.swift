/// What is done to the results of a product before they are stored; see `matmul/epilogue.cl`.
struct Epilogue {
  enum Bias: Int {
    case none = 0
    case perColumn = 1
    case perRow = 2
  }

  /// A vector, an element of which is added.
  var bias: (view: View, kind: Bias)?
  /// Added, of the results' shape; the results themselves where sums are added to what is there.
  var addend: View?
  /// Whether what is negative becomes zero.
  var rectifies = false

  /// The kernels' argument.
  ///
  /// - Parameter storesWide: whether all that is stored starts at multiples of 16 bytes.
  func flags(storesWide: Bool) -> Int {
    let isWide = storesWide && (addend?.offset ?? 0) % 4 == 0
    return (bias?.kind.rawValue ?? 0) | (addend == nil ? 0 : 4) | (rectifies ? 8 : 0)
      | (isWide ? 16 : 0)
  }
}

extension StepEncoder {
  /// Appends the sum of parts [parts, …], in order, with what else is done to results.
  ///
  /// - Parameter inner: of y's elements, how many neighbours share one of the bias.
  func sumParts(_ x: View, into y: View, parts: Int, inner: Int, _ epilogue: Epilogue) throws {
    let isWide = y.count % 4 == 0 && y.offset % 4 == 0 && x.offset % 4 == 0
    try map(
      "sum_parts", in: "matmul/sum_parts", count: (y.count + 3) / 4,
      [
        .tensor(x), .tensor(epilogue.bias?.view ?? x), .tensor(epilogue.addend ?? x), .tensor(y),
        .int(parts), .int(y.count), .int(inner), .int(epilogue.bias?.view.count ?? 1),
        .int(epilogue.flags(storesWide: isWide)),
      ])
  }
}
