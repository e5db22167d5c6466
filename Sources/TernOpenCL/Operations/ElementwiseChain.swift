import TernCore
import TernGraph

extension ElementwiseClaim {
  /// A kernel takes at least 1024 bytes of arguments, a tensor up to 48 of them.
  static let openCL = ElementwiseClaim(links: 24, tensors: 18, outputs: 8, readsAnyPlace: true)
}

/// One kernel for a chain, written for it of the functions that its operations alone would run.
extension Operations.ElementwiseChain: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try ChainEncoding(self, x, y).encode(in: encoder)
  }
}

/// The tensors of a chain, each with where its elements lie.
private struct ChainEncoding {
  typealias Chain = Operations.ElementwiseChain

  /// A tensor that the kernel has a pointer to.
  struct Operand {
    let view: View
    /// Along the axes of the chain's shape.
    let strides: [Int]
  }

  let chain: Chain
  let reads: [Operand]
  /// What is written, and the link that gives it.
  let writes: [(operand: Operand, link: Int)]

  init(_ chain: Chain, _ x: [View], _ y: [View]) {
    self.chain = chain
    let shape = chain.shape
    reads = chain.reads.map { read in
      let input = x[read.input]
      guard let place = Chain.Placement(read, of: input.type) else {
        preconditionFailure("a chain reads what is no part of its input")
      }
      return Operand(
        view: View(
          memory: input.memory, offset: input.offset + place.offset,
          type: TensorType(place.shape)),
        strides: place.strides(over: shape))
    }
    writes = zip(chain.writes, y).flatMap { write, output in
      switch write {
      case .link(let link): [(Operand(view: output, strides: shape.strides), link)]
      case .cat(let links, let axis):
        links.enumerated().map { index, link in
          let strides = output.shape.strides
          let view = View(
            memory: output.memory, offset: output.offset + index * shape[axis] * strides[axis],
            type: TensorType(shape))
          return (Operand(view: view, strides: strides), link)
        }
      }
    }
  }

  private var operands: [Operand] { reads + writes.map(\.operand) }

  func encode(in encoder: StepEncoder) throws {
    let loop = try StridedLoop(
      chain.shape, strides: operands.map(\.strides), operation: chain.name)
    let tensors = operands.map { Argument.tensor($0.view) }
    // One long row, of which every tensor has all or one element.
    if loop.axes == 0, loop.innerStrides.allSatisfy({ $0 <= 1 }) {
      let text = text(steps: loop.innerStrides, axes: nil)
      try encoder.elements(
        "elementwise", in: KernelSource.generated("elementwise/chain", text),
        count: chain.shape.elementCount, tensors + [.int(chain.shape.elementCount)])
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
    var parameters = names.enumerated().map { "\(isRead($0) ? "IN" : "OUT")(\($1))" }
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
      "// \(chain.detail)",
      "__kernel void elementwise(\(parameters.joined(separator: ",\n                          "))) {",
    ]
    lines += names.enumerated().map { "  \(isRead($0) ? "BIND" : "BIND_OUT")(\($1));" }
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
    for index in reads.indices {
      let value =
        switch steps[index] {
        case 0: "ALL(*x\(index))"
        case 1: "read_some(x\(index) + i, count)"
        default: "ALL(x\(index)[i * \(steps[index])])"
        }
      lines.append("  const VECTOR a\(index) = \(value);")
    }
    for (index, link) in chain.links.enumerated() {
      let operands = link.operands.map { operand in
        switch operand {
        case .read(let read): "a\(read)"
        case .link(let other): "r\(other)"
        case .number(let value): "ALL(\(value.literal))"
        }
      }
      lines.append("  const VECTOR r\(index) = \(link.function.expression(operands));")
    }
    for (index, write) in writes.enumerated() {
      let step = steps[reads.count + index]
      lines.append(
        step > 1
          ? "  y\(index)[i * \(step)] = r\(write.link);"
          : "  write_some(r\(write.link), y\(index) + i, count);")
    }
    return (lines + ["}", ""]).joined(separator: "\n")
  }
}
