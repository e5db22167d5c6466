import TernCore
import TernGraph

// Between images and sequences.

/// An image read as a sequence of its rows: [N, C, H, W] → [N, H, C·W]. A sequence stays what it is.
public struct ImageRows: Layer {
  /// Reads rows.
  public init() {}

  public var kind: String { "image_rows" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    if x.shape.rank == 3 { return x }
    guard x.shape.rank == 4 else {
      throw ShapeError(kind, "input", expected: "shape [N, C, H, W]", got: "\(x.shape)")
    }
    return try x.permute([0, 2, 1, 3]).reshape([x.shape[0], x.shape[2], x.shape[1] * x.shape[3]])
  }
}

/// The positions of an image read as a sequence, row by row: [N, E, H, W] → [N, H·W, E].
public struct ImageTokens: Layer {
  /// Reads pixels.
  public init() {}

  public var kind: String { "image_tokens" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 4 else {
      throw ShapeError(kind, "input", expected: "shape [N, E, H, W]", got: "\(x.shape)")
    }
    return try x.flatten(from: 2).transpose(1, 2)
  }
}

/// A learnt token in front of a sequence, called as the layer itself: [N, T, E] → [N, T + 1, E].
public struct ClassToken: Layer {
  /// Puts a token in front.
  public init() {}

  public var kind: String { "class_token" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 3 else {
      throw ShapeError(kind, "input", expected: "shape [N, T, E]", got: "\(x.shape)")
    }
    let token = try context.parameter(nil, [1, 1, x.shape[2]], .zeros)
    let rows = try context.builder.constant(0, [x.shape[0], 1, x.shape[2]]) + token
    return try .cat([rows, x], dim: 1)
  }
}

/// A learnt vector added at every position of a sequence, called as the layer itself: [N, T, E].
public struct PositionEmbedding: Layer {
  /// Adds a vector per position.
  public init() {}

  public var kind: String { "position_embedding" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 3 else {
      throw ShapeError(kind, "input", expected: "shape [N, T, E]", got: "\(x.shape)")
    }
    // As BERT and ViT start.
    return try x
      + context.parameter(nil, [1, x.shape[1], x.shape[2]], .normal(deviation: 0.02))
  }
}

/// One position of a sequence: [N, T, E] → [N, E].
public struct SelectToken: Layer {
  package let position: Int

  /// The position, counted from 0.
  public init(_ position: Int) { self.position = position }

  public var kind: String { "select_token" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 3, 0..<x.shape[1] ~= position else {
      throw ShapeError(
        kind, "position", expected: "one of a sequence [N, T, E]", got: "\(position) of \(x.shape)")
    }
    return try x.narrow(1, start: position, length: 1).reshape([x.shape[0], x.shape[2]])
  }
}
