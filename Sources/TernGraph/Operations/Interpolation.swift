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
