import TernCore
import TernGraph

extension ElementwiseClaim {
  /// A kernel takes at least 1024 bytes of arguments, a tensor up to 48 of them.
  static let openCL = ElementwiseClaim(
    links: 24, tensors: 18, outputs: 8, readsAnyPlace: true,
    types: [.float32, .float16, .bfloat16])
}

/// One kernel for a chain, written for it of the functions that its operations alone would run.
extension Operations.ElementwiseChain: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try kernel(x, y).encode(name, in: encoder)
  }

  func kernel(_ x: [View], _ y: [View]) -> ElementwiseKernel {
    var values: [String] = []
    for (index, link) in links.enumerated() {
      let operands = link.operands.map { operand in
        switch operand {
        case .read(let read): ElementwiseKernel.read(read)
        case .link(let other): "r\(other)"
        case .number(let value): "ALL(\(value.literal))"
        }
      }
      values.append("const VECTOR r\(index) = \(link.function.expression(operands));")
    }
    var results: [(tensor: ElementwiseKernel.Tensor, value: String)] = []
    for (write, output) in zip(writes, y) {
      switch write {
      case .link(let link): results.append((.init(output, over: shape), "r\(link)"))
      case .cat(let links, let axis):
        for (index, link) in links.enumerated() {
          let start = index * shape[axis]
          results.append(
            (.init(partOf: output, shape, axis: axis, start: start), "r\(link)"))
        }
      }
    }
    return ElementwiseKernel(
      shape: shape, comment: detail,
      reads: reads.map { read in
        guard let place = Placement(read, of: x[read.input].type) else {
          preconditionFailure("a chain reads what is no part of its input")
        }
        return .init(x[read.input], place, over: shape)
      }, values: values, writes: results)
  }
}

/// A kernel that is written for what it computes: elements of some tensors from the same elements of
/// others.
struct ElementwiseKernel {
  /// A tensor that the kernel has a pointer to.
  struct Tensor {
    let view: View
    /// Along the axes of the kernel's shape.
    let strides: [Int]

    init(_ view: View, over shape: Shape) {
      self.view = view
      strides = shape.strides
    }

    init(_ view: View, _ place: Operations.ElementwiseChain.Placement, over shape: Shape) {
      self.view = view.moved(by: place.offset)
      strides = place.strides(over: shape)
    }

    /// The part of `shape` that starts at `start` along an axis.
    init(partOf view: View, _ shape: Shape, axis: Int, start: Int) {
      let strides = view.shape.strides
      self.view = view.moved(by: start * strides[axis])
      self.strides = strides
    }
  }

  let shape: Shape
  let comment: String
  let reads: [Tensor]
  /// Declarations of what is computed.
  let values: [String]
  /// What is written, and the name of the value.
  let writes: [(tensor: Tensor, value: String)]

  /// The name of what is read.
  static func read(_ index: Int) -> String { "a\(index)" }

  private var tensors: [Tensor] { reads + writes.map(\.tensor) }

  /// - Parameter operation: what it is for.
  func encode(_ operation: String, in encoder: StepEncoder) throws {
    let loop = try StridedLoop(shape, strides: tensors.map(\.strides), operation: operation)
    let tensors = tensors.map { Argument.tensor($0.view) }
    // One long row, of which every tensor has all or one element.
    if loop.axes == 0, loop.innerStrides.allSatisfy({ $0 <= 1 }) {
      let text = text(steps: loop.innerStrides, axes: nil)
      try encoder.elements(
        "elementwise", in: KernelSource.generated("elementwise/chain", text),
        count: shape.elementCount, tensors + [.int(shape.elementCount)])
      return
    }
    let apart = loop.distances(where: { loop.innerStrides[$0] == 1 })
    let isContiguous = loop.innerStrides.allSatisfy { $0 <= 1 }
    // What is repeated is read element by element.
    let inVectors = zip(tensors, loop.innerStrides).filter { $1 == 1 }.map(\.0)
    let vectors =
      isContiguous
      ? encoder.rowVectors(loop.inner, inVectors, apart: apart) : (width: 1, defines: ["V": 1])
    let across = (loop.inner + vectors.width - 1) / vectors.width
    let text = text(steps: loop.innerStrides, axes: loop.axes)
    try encoder.map(
      "elementwise", in: KernelSource.generated("elementwise/chain", text),
      count: loop.rows * across,
      tensors + [.int(loop.rows * across), .int(loop.inner), .divisor(across)] + loop.arguments,
      defines: vectors.defines)
  }

  /// The kernel's source.
  ///
  /// - Parameters:
  ///   - steps: each tensor's stride along the innermost axis.
  ///   - axes: the axes around it; `nil` where all is one row.
  private func text(steps: [Int], axes: Int?) -> String {
    let names = reads.indices.map { "x\($0)" } + writes.indices.map { "y\($0)" }
    let isRead = { (index: Int) in index < reads.count }
    var parameters = names.enumerated().map { "\(isRead($0) ? "IN_ANY" : "OUT_ANY")(\($1))" }
    if axes == nil {
      parameters.append("const int n")
    } else {
      parameters += [
        "const int items", "const int inner", "DIVISOR(across)", "const int8 extents",
        "const uint8 factors", "const uint8 shifts",
      ]
      parameters += names.map { "const int8 \($0)_strides" }
    }
    var lines = [
      "#include \"unary_functions.cl\"", "#include \"binary_functions.cl\"", "",
      "// \(comment)",
      "__kernel void elementwise(\(parameters.joined(separator: ",\n                          "))) {",
    ]
    lines += names.enumerated().map { "  \(isRead($0) ? "BIND_ANY" : "BIND_ANY_OUT")(\($1));" }
    lines.append("  const int item = get_global_id(0);")
    if let axes {
      lines += [
        "  if (item >= items) return;",
        "  int rest = divided(item, across);",
        "  const int i = (item - rest * across.s0) * V, count = inner - i;",
      ]
      for axis in stride(from: 7, to: 7 - axes, by: -1) {
        lines += [
          "  {",
          axis == 8 - axes
            ? "    const int outer = 0;"
            : "    const int outer = divided(rest, (uint4)(extents.s\(axis), factors.s\(axis), "
              + "shifts.s\(axis), 0));",
          "    const int index = rest - outer * extents.s\(axis);",
        ]
        lines += names.map { "    \($0) += index * \($0)_strides.s\(axis);" }
        lines += ["    rest = outer;", "  }"]
      }
    } else {
      lines += ["  ELEMENTS(item, n);", "  if (count <= 0) return;"]
    }
    return (lines + computation(steps) + ["}", ""]).joined(separator: "\n")
  }

  /// The lines that read, compute and write vector `i`.
  private func computation(_ steps: [Int]) -> [String] {
    var lines: [String] = []
    for index in reads.indices {
      let value =
        switch steps[index] {
        case 0: "ALL(GET(x\(index), 0))"
        case 1: "read_some(x\(index) + i, count)"
        default: "ALL(GET(x\(index), i * \(steps[index])))"
        }
      lines.append("  const VECTOR \(Self.read(index)) = \(value);")
    }
    lines += values.map { "  " + $0 }
    for (index, write) in writes.enumerated() {
      let step = steps[reads.count + index]
      lines.append(
        step > 1
          ? "  PUT(\(write.value), y\(index), i * \(step));"
          : "  write_some(\(write.value), y\(index) + i, count);")
    }
    return lines
  }
}

// MARK: - Several together

extension ElementwiseKernel {
  /// Per tensor 1 where it has all elements, 0 where it has one of them; `nil` where a tensor has others, or they lie
  /// apart.
  private var flatSteps: [Int]? {
    guard let loop = try? StridedLoop(shape, strides: tensors.map(\.strides), operation: ""),
      loop.axes == 0, loop.innerStrides.allSatisfy({ $0 <= 1 })
    else { return nil }
    return loop.innerStrides
  }

  /// How many kernels like this one a launch may stand for; 1 where it has to have one for itself.
  var mostTogether: Int {
    flatSteps == nil ? 1 : Together.mostPlaces(tensors: tensors.count, beside: 0)
  }

  /// Whether a launch may stand for both: they differ in nothing but the tensors and how long these are.
  func isLike(_ other: ElementwiseKernel) -> Bool {
    values == other.values && writes.map(\.value) == other.writes.map(\.value)
      && tensors.map(\.view.type.dataType) == other.tensors.map(\.view.type.dataType)
      && flatSteps == other.flatSteps
  }

  /// The work-items of one kernel are a multiple of this.
  private static let span = 64

  /// Appends one launch for kernels that are like one another.
  static func encode(_ kernels: [ElementwiseKernel], in encoder: StepEncoder) throws {
    let first = kernels[0]
    guard kernels.count > 1, let steps = first.flatSteps else {
      return try first.encode("elementwise", in: encoder)
    }
    let places = first.mostTogether
    let text = first.text(steps: steps, places: places)
    let tensors = kernels.flatMap(\.tensors).map { Argument.tensor($0.view) }
    var arguments: [Argument] = []
    var itemCount = 0
    for place in 0..<places {
      // Places that are left have no work-items.
      let isThere = place < kernels.count
      let kernel = isThere ? kernels[place] : first
      let count = isThere ? kernel.shape.elementCount : 0
      arguments += [.int(itemCount), .int(count)] + kernel.tensors.map { .tensor($0.view) }
      let items = encoder.elementVectors(count, tensors).count
      itemCount += (items + span - 1) / span * span
    }
    try encoder.map(
      "elementwise", in: KernelSource.generated("elementwise/chain", text), count: itemCount,
      groupSize: span, arguments, defines: encoder.elementVectors(0, tensors).defines)
  }

  /// The source of a kernel that has so many places.
  private func text(steps: [Int], places: Int) -> String {
    let names = reads.indices.map { "x\($0)" } + writes.indices.map { "y\($0)" }
    func declared(_ index: Int, _ name: String) -> String {
      "\(index < reads.count ? "IN_ANY" : "OUT_ANY")(\(name))"
    }
    let parameters = (0..<places).map { place in
      (["const int start\(place)", "const int count\(place)"]
        + names.enumerated().map { declared($0, "\($1)_\(place)") }).joined(separator: ", ")
    }
    var lines = [
      "#include \"unary_functions.cl\"", "#include \"binary_functions.cl\"", "",
      "// \(comment), of several",
      "__kernel void elementwise(\(parameters.joined(separator: ",\n                          "))) {",
      "  int start, n;",
    ]
    lines += names.enumerated().map {
      "  __global \($0 < reads.count ? "const INPUT" : "OUTPUT") *\($1);"
    }
    lines.append("  const int id = get_group_id(0) * get_local_size(0);")
    /// Takes the last place among some that starts at `id` or before.
    func pick(_ range: Range<Int>) -> [String] {
      if range.count == 1 {
        let place = range.lowerBound
        return ["start = start\(place);", "n = count\(place);"]
          + names.map { "\($0) = \($0)_\(place)_base + \($0)_\(place)_offset;" }
      }
      let middle = (range.lowerBound + range.upperBound) / 2
      let (low, high) = (pick(range.lowerBound..<middle), pick(middle..<range.upperBound))
      return ["if (id >= start\(middle)) {"] + high.map { "  " + $0 } + ["} else {"]
        + low.map { "  " + $0 } + ["}"]
    }
    lines += pick(0..<places).map { "  " + $0 }
    lines += [
      "  const int item = (int)get_global_id(0) - start;", "  ELEMENTS(item, n);",
      "  if (count <= 0) return;",
    ]
    return (lines + computation(steps) + ["}", ""]).joined(separator: "\n")
  }
}
