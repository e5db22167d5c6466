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
  /// Of the results' shape: where it is not positive, results become zero.
  var mask: View?

  /// Whether there is more to do than to add a bias.
  var goesOn: Bool { addend != nil || rectifies || mask != nil }

  /// The kernels' argument.
  ///
  /// - Parameter storesWide: whether all that is stored starts at multiples of 16 bytes.
  func flags(storesWide: Bool) -> Int {
    let isWide = storesWide && [addend, mask].allSatisfy { ($0?.offset ?? 0) % 4 == 0 }
    return (bias?.kind.rawValue ?? 0) | (addend == nil ? 0 : 4) | (rectifies ? 8 : 0)
      | (isWide ? 16 : 0) | (mask == nil ? 0 : 32)
  }

  /// With a bias, where there is one.
  func adding(_ view: View?, _ kind: Bias) -> Epilogue {
    var epilogue = self
    epilogue.bias = view.map { ($0, kind) }
    return epilogue
  }

  /// That of some samples of a batch.
  func samples(_ first: Int, count: Int) -> Epilogue {
    var epilogue = self
    epilogue.addend = addend?.samples(first, count: count)
    epilogue.mask = mask?.samples(first, count: count)
    return epilogue
  }
}

extension StepEncoder {
  /// Appends the sum of parts [parts, …], in order, with what else is done to results.
  ///
  /// - Parameters:
  ///   - rest: what becomes of the sums that stand behind y's in each part.
  ///   - apart: from one part to the next; y's elements where `nil`.
  ///   - inner: of y's elements, how many neighbours share one of the bias.
  func sumParts(
    _ x: View, into y: View, _ rest: View? = nil, parts: Int, apart: Int? = nil, inner: Int = 1,
    _ epilogue: Epilogue
  ) throws {
    let (count, apart) = (y.count + (rest?.count ?? 0), apart ?? y.count)
    let isWide = apart % 4 == 0 && y.offset % 4 == 0 && x.offset % 4 == 0
    try map(
      "sum_parts", in: "matmul/sum_parts", count: (count + 3) / 4,
      [
        .tensor(x), .tensor(epilogue.bias?.view, or: x), .tensor(epilogue.addend, or: x),
        .tensor(epilogue.mask, or: x), .tensor(y), .tensor(rest, or: y),
        .int(parts), .int(count), .int(apart), .int(y.count), .int(inner),
        .int(epilogue.bias?.view.count ?? 1), .int(epilogue.flags(storesWide: isWide)),
      ])
  }

  /// Appends by itself what stands behind results that are stored already, but for a bias.
  func finish(_ y: View, _ epilogue: Epilogue) throws {
    guard epilogue.goesOn else { return }
    var value = ElementwiseKernel.read(0)
    var reads = [y]
    if let addend = epilogue.addend {
      value = "(\(value) + \(ElementwiseKernel.read(reads.count)))"
      reads.append(addend)
    }
    if let mask = epilogue.mask {
      value = "(\(ElementwiseKernel.read(reads.count)) <= 0 ? ALL(0.0f) : \(value))"
      reads.append(mask)
    }
    if epilogue.rectifies { value = "relu(\(value), 0.0f, 0.0f)" }
    let kernel = ElementwiseKernel(
      shape: y.shape, comment: "the end of a product",
      reads: reads.map { .init($0.reshaped(y.shape), over: y.shape) },
      values: ["const VECTOR result = \(value);"],
      writes: [(.init(y, over: y.shape), "result")])
    try kernel.encode("epilogue", in: self)
  }
}
