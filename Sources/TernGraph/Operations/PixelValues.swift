import TernCore

extension Operations {
  /// What the bytes of pictures stand for, by channel. Inputs: pixels [N, C, …] (uint8), table [C, 256] → [N, C, …].
  ///
  /// A table holds any normalisation exactly as the host would compute it.
  package struct PixelValues: Operation {
    package init() {}

    package var name: String { "pixel_values" }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      let (pixels, table) = (inputs[0], inputs[1])
      try expect(pixels.dataType == .uint8, "pixels", "uint8", "\(pixels.dataType)")
      try expect(pixels.shape.rank >= 2, "pixels", "[N, C, …]", "\(pixels.shape)")
      try expect(
        table == TensorType([pixels.shape[1], 256]), "table",
        "\(TensorType([pixels.shape[1], 256]))", "\(table)")
      return [TensorType(pixels.shape, .float32)]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 0)
    }

    /// Rows of one table for all channels.
    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let (pixels, table) = (inputs[0], inputs[1])
      let channels = table.shape[0]
      let starts = HostTensor([channels], (0..<channels).map { Float(256 * $0) })
      let rows =
        try pixels.cast(to: .float32)
        + pixels.builder.constant(starts).alongAxis(1, rank: pixels.shape.rank)
      let values = try rows.cast(to: .int32)
        .embedding(weight: table.reshape([256 * channels, 1]))
      return [try values.reshape(pixels.shape)]
    }
  }
}

extension Tensor {
  /// What these bytes [N, C, …] stand for: entries of their channel's row of `table` [C, 256].
  package func pixelValues(_ table: Tensor) throws(ShapeError) -> Tensor {
    try apply(Operations.PixelValues(), table)
  }
}

extension OperationSpec {
  static let pixels: [OperationSpec] = [
    // Bytes come as int32, which files of cases hold.
    OperationSpec("pixel_values", inputs: ["input", "table"]) { _, x in
      [try x.required("input").cast(to: .uint8).pixelValues(x.required("table"))]
    }
  ]
}
