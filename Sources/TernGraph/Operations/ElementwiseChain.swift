import TernCore

extension Operations {
  /// Operations on the elements of tensors of one shape, in one: what is in between is stored nowhere.
  ///
  /// A pass makes it of the nodes that its ``decomposition(_:)`` gives back; see
  /// ``Graph/chainingElementwise(_:)``.
  package struct ElementwiseChain: Operation {
    package enum Function: Hashable, Sendable {
      case unary(Unary.Function)
      /// Of the arriving gradient, and what the function saved.
      case unaryBackward(Unary.Function)
      case binary(Binary.Function)
    }

    /// What a link reads.
    package enum Operand: Hashable, Sendable {
      /// One of ``reads``.
      case read(Int)
      /// What an earlier link computed.
      case link(Int)
      case number(Float)
    }

    /// One operation of the chain.
    package struct Link: Hashable, Sendable {
      package let function: Function
      package let operands: [Operand]
    }

    /// An input, or what is seen of it; repeated along axes of extent 1.
    package struct Read: Hashable, Sendable {
      package let input: Int
      /// In the order in which they are taken.
      package let views: [ViewStep]

      package init(input: Int, views: [ViewStep] = []) { (self.input, self.views) = (input, views) }
    }

    /// Another sight of the same memory.
    package enum ViewStep: Hashable, Sendable {
      case part(Narrow)
      case reshaped(Shape)
    }

    /// An output.
    package enum Write: Hashable, Sendable {
      case link(Int)
      /// Links joined along an axis.
      case cat([Int], axis: Int)
    }

    /// The shape of what every link computes.
    package let shape: Shape
    package let reads: [Read]
    /// In the order in which they run.
    package let links: [Link]
    package let writes: [Write]

    /// What one operation computes, element by element, of whole tensors and of single numbers, as a chain of one
    /// link; `nil` for any other.
    package init?(_ operation: any Operation, inputs: [TensorType], output: TensorType) {
      guard let function = Function(operation), output.dataType.isFloat,
        inputs.allSatisfy({
          $0.dataType == output.dataType && ($0.shape == output.shape || $0.elementCount == 1)
        })
      else { return nil }
      shape = output.shape
      reads = inputs.indices.map { Read(input: $0) }
      links = [Link(function: function, operands: inputs.indices.map(Operand.read))]
      writes = [.link(0)]
    }

    package init(shape: Shape, reads: [Read], links: [Link], writes: [Write]) {
      (self.shape, self.reads, self.links, self.writes) = (shape, reads, links, writes)
    }

    package var name: String { "elementwise" }
    package var detail: String { links.map(\.function.name).joined(separator: ", ") }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      let count = (reads.map(\.input).max() ?? -1) + 1
      try expectCount(inputs, count...count)
      for (index, input) in inputs.enumerated() {
        try expectFloat(input, "input \(index)")
        try expectSameType(input, inputs[0], "input \(index)")
      }
      for read in reads {
        guard let seen = Placement(read, of: inputs[read.input]),
          Shape.broadcast(seen.shape, shape) == shape
        else {
          throw ShapeError(
            name, "input \(read.input)", expected: "a shape that broadcasts to \(shape)",
            got: "\(inputs[read.input].shape)")
        }
      }
      return writes.map { write in
        var shape = shape
        if case .cat(let links, let axis) = write { shape[axis] *= links.count }
        return TensorType(shape, inputs[0].dataType)
      }
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      let read = reads.reduce(0) { sum, read in
        sum + (Placement(read, of: inputs[read.input])?.shape.elementCount ?? 0)
          * inputs[read.input].dataType.byteCount
      }
      return Cost(
        flops: links.count * shape.elementCount,
        bytes: outputs.reduce(read) { $0 + $1.byteCount })
    }

    /// An element is written when it has been read, where it is read at its own place.
    package var inPlacePairs: [InPlacePair] {
      let inputs = Set(reads.map(\.input)).subtracting(
        reads.filter { !$0.views.isEmpty }.map(\.input))
      return writes.enumerated().flatMap { output, write in
        if case .cat = write { return [InPlacePair]() }
        return inputs.sorted().map { InPlacePair(output: output, input: $0) }
      }
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      guard let builder = inputs.first?.builder else { return nil }
      let seen = try reads.map { read in
        try read.views.reduce(inputs[read.input]) { tensor, view throws(ShapeError) in
          switch view {
          case .part(let part): try tensor.apply(part)
          case .reshaped(let shape): try tensor.reshape(shape)
          }
        }
      }
      var results: [Tensor] = []
      for link in links {
        let operands = link.operands.map { operand in
          switch operand {
          case .read(let index): seen[index]
          case .link(let index): results[index]
          case .number(let value): builder.constant(value)
          }
        }
        results += try builder.apply(link.function.operation, operands)
      }
      return try writes.map { write in
        switch write {
        case .link(let index): results[index]
        case .cat(let links, let axis): try Tensor.cat(links.map { results[$0] }, dim: axis)
        }
      }
    }

    /// Where the elements of what is read lie in an input's memory.
    package struct Placement: Sendable {
      package private(set) var shape: Shape
      /// In elements, from the first of the input.
      package private(set) var offset = 0
      package private(set) var strides: [Int]

      /// - Returns: `nil` where the views do not fit the input.
      package init?(_ read: Read, of input: TensorType) {
        (shape, strides) = (input.shape, input.shape.strides)
        for view in read.views {
          switch view {
          case .part(let part):
            guard part.axis < shape.rank, part.start + part.length <= shape[part.axis] else {
              return nil
            }
            offset += part.start * strides[part.axis]
            shape[part.axis] = part.length
          case .reshaped(let other):
            // Only what is without gaps has other strides under another shape.
            let isDense = zip(shape.strides, strides).enumerated().allSatisfy {
              shape[$0] == 1 || $1.0 == $1.1
            }
            guard isDense, other.elementCount == shape.elementCount else { return nil }
            (shape, strides) = (other, other.strides)
          }
        }
      }

      /// The strides along the axes of a shape that this one is repeated to.
      package func strides(over target: Shape) -> [Int] {
        let missing = target.rank - shape.rank
        return target.indices.map { axis in
          axis < missing || shape[axis - missing] == 1 ? 0 : strides[axis - missing]
        }
      }
    }
  }
}

extension Operations.ElementwiseChain.Function {
  /// How a node computes elements of its output from elements of its inputs, if it does no more than
  /// that.
  init?(_ operation: any Operation) {
    switch operation {
    case let unary as Operations.Unary: self = .unary(unary.function)
    case let backward as Operations.UnaryBackward: self = .unaryBackward(backward.function)
    case let binary as Operations.Binary: self = .binary(binary.function)
    default: return nil
    }
  }

  package var operation: any Operation {
    switch self {
    case .unary(let function): Operations.Unary(function)
    case .unaryBackward(let function): Operations.UnaryBackward(function)
    case .binary(let function): Operations.Binary(function)
    }
  }

  package var name: String { operation.name }
}
