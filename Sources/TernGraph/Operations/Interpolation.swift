import TernCore

/// How a plane is resampled.
public enum InterpolationMode: Hashable, Sendable {
  /// Source row ⌊i · H / OH⌋, and columns alike.
  case nearest
  /// Weighted by distance; `alignsCorners` maps corner centres onto each other.
  case bilinear(alignsCorners: Bool)
}

extension Operations {
  /// A plane resampled to another size.
  package struct Interpolate: Operation {
    package let mode: InterpolationMode
    package let outputHeight: Int
    package let outputWidth: Int

    package init(_ mode: InterpolationMode, _ outputHeight: Int, _ outputWidth: Int) {
      self.mode = mode
      self.outputHeight = outputHeight
      self.outputWidth = outputWidth
    }

    package var name: String { "interpolate" }
    package var detail: String { "mode=\(mode), size=[\(outputHeight), \(outputWidth)]" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      try expectRank(inputs[0], 4, "input", "[N, C, H, W]")
      try expect(
        outputHeight >= 1 && outputWidth >= 1, "size", "at least 1",
        "[\(outputHeight), \(outputWidth)]")
      let x = inputs[0].shape
      return [TensorType([x[0], x[1], outputHeight, outputWidth], inputs[0].dataType)]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      [try node.cotangent.apply(InterpolateBackward(mode, inputShape: node.inputs[0].shape))]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: mode == .nearest ? 0 : 8)
    }
  }

  /// Output gradient [N, C, OH, OW] → [N, C, H, W].
  package struct InterpolateBackward: Operation {
    package let mode: InterpolationMode
    package let inputShape: Shape

    package init(_ mode: InterpolationMode, inputShape: Shape) {
      self.mode = mode
      self.inputShape = inputShape
    }

    package var name: String { "interpolate_backward" }
    package var detail: String { "mode=\(mode)" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      return [TensorType(inputShape, inputs[0].dataType)]
    }
  }
}

extension InterpolationMode {
  /// What share of each of `extent` rows an output row takes, [outExtent, extent]; the same for columns.
  fileprivate func weights(_ extent: Int, _ outExtent: Int) -> HostTensor {
    var weights = [Float](repeating: 0, count: outExtent * extent)
    for row in 0..<outExtent {
      let position: Double
      switch self {
      case .nearest: position = Double(row * extent / outExtent)
      case .bilinear(alignsCorners: true):
        position = outExtent == 1 ? 0 : Double(row * (extent - 1)) / Double(outExtent - 1)
      case .bilinear(alignsCorners: false):
        // Pixels are squares with their centres at ½, and those beyond the border repeat it.
        position = max(0, (Double(row) + 0.5) * Double(extent) / Double(outExtent) - 0.5)
      }
      let lower = min(Int(position), extent - 1)
      let fraction = Float(position - Double(lower))
      weights[row * extent + lower] += 1 - fraction
      weights[row * extent + min(lower + 1, extent - 1)] += fraction
    }
    return HostTensor([outExtent, extent], weights)
  }

  /// The rows and the columns of x [N, C, H, W] multiplied by the weights of a resampling from `input` to
  /// `output`, or, transposed, of one back.
  fileprivate func resampled(
    _ x: Tensor, from input: Shape, to output: Shape, isTransposed: Bool = false
  ) throws -> Tensor {
    var result = x
    // The last axis, then the one before in its place.
    for axis in [3, 2] {
      let weights = result.builder.constant(weights(input[axis], output[axis]))
      let rows = try result.reshape([result.shape.elementCount(in: 0..<3), result.shape[3]])
      let product = try rows.apply(Operations.MatMul(transposesB: !isTransposed), weights)
      let shape = result.shape
      result = try product.reshape([shape[0], shape[1], shape[2], product.shape[1]])
        .permute([0, 1, 3, 2])
    }
    return result
  }
}

extension Operations.Interpolate {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let size: Shape = [inputs[0].shape[0], inputs[0].shape[1], outputHeight, outputWidth]
    return [try mode.resampled(inputs[0], from: inputs[0].shape, to: size)]
  }
}

extension Operations.InterpolateBackward {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    [try mode.resampled(inputs[0], from: inputShape, to: inputs[0].shape, isTransposed: true)]
  }
}

extension Tensor {
  /// Planes resampled to another size: [N, C, H, W] → [N, C, height, width].
  public func interpolate(_ mode: InterpolationMode, height: Int, width: Int) throws(ShapeError)
    -> Tensor
  {
    try apply(Operations.Interpolate(mode, height, width))
  }
}

extension OperationSpec {
  static let interpolation: [OperationSpec] = [
    OperationSpec("interpolate") { a, x in
      let input = try x.required("input")
      guard input.shape.rank == 4 else {
        throw ShapeError(
          "interpolate", "input", expected: "shape [N, C, H, W]", got: "\(input.shape)")
      }
      let name = try a.string("mode", default: "nearest", oneOf: ["nearest", "bilinear"])
      let alignsCorners = try a.bool("align_corners", default: false)
      let mode: InterpolationMode =
        name == "nearest" ? .nearest : .bilinear(alignsCorners: alignsCorners)
      let isScaled = a.has("scale_factor")
      let size: [Int]
      if a.has("size") || !isScaled {
        guard !isScaled else {
          throw ShapeError(
            "interpolate", "size", expected: "either 'size' or 'scale_factor'", got: "both")
        }
        size = try a.ints("size", count: 2)
      } else {
        let factor = try a.double("scale_factor")
        let extents = (2..<4).map { (Double(input.shape[$0]) * factor).rounded(.down) }
        guard extents.allSatisfy({ (1...Double(Attributes.largestInteger)).contains($0) }) else {
          throw ShapeError(
            "interpolate", "scale_factor", expected: "a factor that gives an image",
            got: "\(factor) of \(input.shape)")
        }
        size = extents.map { Int($0) }
      }
      return [try input.interpolate(mode, height: size[0], width: size[1])]
    }
  ]
}
