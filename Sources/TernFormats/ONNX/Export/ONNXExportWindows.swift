import TernCore
import TernGraph

// MARK: - Products

extension ONNXExportRules {
  static let products: [ONNXExportRule] = [
    .one(Operations.Linear.self) { _, call in
      call.emit("Gemm", try call.inputs(), ["transB": .int(1)])
    },
    .one(Operations.MatMul.self) { operation, call in
      let inputs = try call.inputs()
      if call.type(0).shape.rank == 2, operation.transposesA || operation.transposesB {
        return call.emit(
          "Gemm", inputs,
          [
            "transA": .int(operation.transposesA ? 1 : 0),
            "transB": .int(operation.transposesB ? 1 : 0),
          ])
      }
      func turned(_ index: Int, _ isTurned: Bool) -> String {
        isTurned
          ? call.emit("Transpose", [inputs[index]], ["perm": .ints([0, 2, 1])]) : inputs[index]
      }
      return call.emit(
        "MatMul", [turned(0, operation.transposesA), turned(1, operation.transposesB)])
    },
    ONNXExportRule(Operations.Attention.self) { operation, call in
      let inputs = try call.inputs()
      let keys = call.emit("Transpose", [inputs[1]], ["perm": .ints([0, 2, 1])])
      var scores = call.emit(
        "Mul", [call.emit("MatMul", [inputs[0], keys]), call.number(operation.scale)])
      if operation.isCausal {
        let (rows, columns) = (call.type(0).shape[1], call.type(1).shape[1])
        let mask = (0..<rows).flatMap { row in
          (0..<columns).map { $0 <= row ? Float(0) : -.infinity }
        }
        scores = call.emit("Add", [scores, call.constant(HostTensor([rows, columns], mask))])
      }
      let weights = call.emit("Softmax", [scores], ["axis": .int(2)])
      // The logarithms of the sums are for the gradient alone.
      return [call.emit("MatMul", [weights, inputs[2]])]
    },
  ]
}

// MARK: - Normalisation

extension ONNXExportRules {
  static let normalizations: [ONNXExportRule] = [
    ONNXExportRule(Operations.NormalizeRows.self) { operation, call in
      let count = call.type(0).shape[1]
      // A scale of ones, which nothing learns.
      let scale = call.constant(HostTensor(repeating: 1, [count]))
      return [
        call.emit(
          "LayerNormalization", [try call.input(0), scale],
          ["axis": .int(1), "epsilon": .float(operation.epsilon)])
      ]
    }
  ]

  /// BatchNormalization where a sum is the end of a batch normalisation by running statistics, so that it
  /// is one again where the file is read; else `nil`.
  ///
  /// The sum is x · scale + shift with scale = weight / √(variance + ε) and shift = bias − mean · scale.
  static func batchNormalization(_ call: ONNXExportCall) throws -> String? {
    let graph = call.exporter.graph
    func node(_ id: ValueID) -> Node? { call.exporter.producer(of: id) }
    func binary(_ id: ValueID, _ function: Operations.Binary.Function) -> [ValueID]? {
      guard let node = node(id), let operation = node.operation as? Operations.Binary,
        operation.function == function
      else { return nil }
      return node.inputs
    }
    /// What a vector is before it is seen along the channels.
    func vector(_ id: ValueID) -> ValueID {
      guard let node = node(id), node.operation is Operations.Reshape else { return id }
      return node.inputs[0]
    }
    let x: ValueID
    let (scale, shift): (ValueID, ValueID)
    guard let product = binary(call.node.inputs[0], .mul) else { return nil }
    (x, scale, shift) = (product[0], vector(product[1]), vector(call.node.inputs[1]))
    guard let parts = binary(scale, .mul), let difference = binary(shift, .sub),
      let moved = binary(difference[1], .mul), moved[1] == scale,
      let root = node(parts[1]), let unary = root.operation as? Operations.Unary,
      case .rsqrt = unary.function,
      let sum = node(root.inputs[0]), let affine = sum.operation as? Operations.Unary,
      case .affine(scale: 1, shift: let epsilon) = affine.function
    else { return nil }
    let vectors = [parts[0], difference[0], moved[0], sum.inputs[0]]
    let input = graph.type(x).shape
    guard input.rank >= 2, input == graph.type(call.node.outputs[0]).shape,
      vectors.allSatisfy({
        graph[$0].source == .variable && graph.type($0).shape == [input[1]]
      })
    else { return nil }
    return call.emit(
      "BatchNormalization",
      [try call.exporter.name(of: x)] + (try vectors.map(call.exporter.name(of:))),
      ["epsilon": .float(epsilon)])
  }
}

// MARK: - Windows

extension ONNXExportRules {
  static let windows: [ONNXExportRule] = [
    .one(Operations.Conv2D.self) { operation, call in
      call.emit(
        "Conv", try call.inputs(), window(operation.window, kernel: call.plane(call.node.inputs[1]))
      )
    },
    .one(Operations.Conv2DBackwardInput.self, readsShapes: true) { operation, call in
      let kernel = call.plane(call.node.inputs[1])
      var attributes = window(operation.window, kernel: kernel)
      let (stride, padding, dilation) = extents(operation.window)
      let (from, to) = (call.plane(call.node.inputs[0]), call.plane(call.node.outputs[0]))
      attributes["output_padding"] = .ints(
        (0..<2).map { (axis: Int) -> Int in
          let span: Int = dilation[axis] * (kernel[axis] - 1) + 1
          let whole: Int = (from[axis] - 1) * stride[axis] - 2 * padding[axis] + span
          return to[axis] - whole
        })
      return call.emit("ConvTranspose", try call.inputs(), attributes)
    },
    ONNXExportRule(Operations.MaxPool2D.self) { operation, call in
      let window = pooling(operation.window, call)
      return call.exporter.emit(
        "MaxPool", [try call.input(0)],
        [
          "kernel_shape": .ints(window.kernel), "strides": .ints(window.stride),
          "dilations": .ints(window.dilation), "pads": .ints(window.padding + window.end),
        ], outputCount: isRead(call.node.outputs[1], call) ? 2 : 1, scope: call.node.scope)
    },
    .one(Operations.MaxUnpool2D.self) { operation, call in
      // ONNX's positions count through the whole tensor, as those of its own MaxPool do.
      let (from, to) = (
        call.plane(call.node.inputs[0]), [operation.outputHeight, operation.outputWidth]
      )
      guard let pool = call.exporter.producer(of: call.node.inputs[1]),
        pool.operation is Operations.MaxPool2D, call.plane(pool.inputs[0]) == to,
        zip(from, to).allSatisfy({ $1 % $0 == 0 })
      else {
        throw ONNXExportError(
          description: "to another extent than that of the pooling whose positions it reads")
      }
      let kernel = ONNXAttribute.ints(zip(from, to).map { $1 / $0 })
      return call.emit(
        "MaxUnpool", try call.inputs(), ["kernel_shape": kernel, "strides": kernel])
    },
    .one(Operations.AvgPool2D.self) { operation, call in
      let window = pooling(operation.window, call)
      var (x, start, end) = (try call.input(0), window.padding, window.end)
      if operation.countsPadding, start.contains(where: { $0 > 0 }) {
        // Zeros that count; what a last window reaches beyond them does not.
        x = call.emit(
          "Pad", [x, call.row([0, 0] + start + [0, 0] + start), call.number(0)])
        end = zip(end, start).map { max(0, $0 - $1) }
        start = [0, 0]
      }
      return call.emit(
        "AveragePool", [x],
        [
          "kernel_shape": .ints(window.kernel), "strides": .ints(window.stride),
          "pads": .ints(start + end), "count_include_pad": .int(0),
        ])
    },
    .one(Operations.AdaptiveAvgPool2D.self) { operation, call in
      let from = call.plane(call.node.inputs[0])
      let to = [operation.outputHeight, operation.outputWidth]
      let x = try call.input(0)
      if to == [1, 1] { return call.emit("GlobalAveragePool", [x]) }
      if zip(from, to).allSatisfy({ $0 % $1 == 0 }) {
        let kernel = ONNXAttribute.ints(zip(from, to).map { $0 / $1 })
        return call.emit("AveragePool", [x], ["kernel_shape": kernel, "strides": kernel])
      }
      // Windows of unequal extents: means of rows and of columns are products with known matrices.
      func means(_ axis: Int) -> [[Float]] {
        (0..<to[axis]).map { index in
          let start = index * from[axis] / to[axis]
          let end = ((index + 1) * from[axis] + to[axis] - 1) / to[axis]
          return (0..<from[axis]).map {
            (start..<end).contains($0) ? 1 / Float(end - start) : 0
          }
        }
      }
      let (rows, columns) = (means(0), means(1))
      let left = call.constant(HostTensor([to[0], from[0]], rows.flatMap(\.self)))
      let right = call.constant(
        HostTensor(
          [from[1], to[1]], (0..<from[1]).flatMap { index in columns.map { $0[index] } }))
      return call.emit("MatMul", [call.emit("MatMul", [left, x]), right])
    },
    .one(Operations.Interpolate.self) { operation, call in
      let size = try call.exporter.shape(call.exporter.extents(call.node.outputs[0]))
      let attributes: [String: ONNXAttribute] =
        switch operation.mode {
        case .nearest:
          [
            "mode": .string("nearest"), "nearest_mode": .string("floor"),
            "coordinate_transformation_mode": .string("asymmetric"),
          ]
        case .bilinear(let alignsCorners):
          [
            "mode": .string("linear"),
            "coordinate_transformation_mode": .string(
              alignsCorners ? "align_corners" : "half_pixel"),
          ]
        }
      return call.emit("Resize", [try call.input(0), "", "", size], attributes)
    },
  ]

  private static func extents(
    _ window: ConvolutionWindow
  ) -> (stride: [Int], padding: [Int], dilation: [Int]) {
    (
      [window.strideHeight, window.strideWidth], [window.paddingHeight, window.paddingWidth],
      [window.dilationHeight, window.dilationWidth]
    )
  }

  private static func window(
    _ window: ConvolutionWindow, kernel: [Int]
  ) -> [String: ONNXAttribute] {
    let (stride, padding, dilation) = extents(window)
    return [
      "kernel_shape": .ints(kernel), "strides": .ints(stride), "pads": .ints(padding + padding),
      "dilations": .ints(dilation), "group": .int(window.groups),
    ]
  }

  /// A pooling's window. `end` is what is added behind each axis: where a last, partial window counts, as
  /// much as it reaches over, since versions of ONNX's programs differ in which of those they count.
  private static func pooling(
    _ window: PoolingWindow, _ call: ONNXExportCall
  ) -> (kernel: [Int], stride: [Int], padding: [Int], dilation: [Int], end: [Int]) {
    let kernel = [window.kernelHeight, window.kernelWidth]
    let stride = [window.strideHeight, window.strideWidth]
    let padding = [window.paddingHeight, window.paddingWidth]
    let dilation = [window.dilationHeight, window.dilationWidth]
    let (from, to) = (call.plane(call.node.inputs[0]), call.plane(call.node.outputs[0]))
    let end = (0..<2).map { axis in
      let reached = (to[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1
      return max(padding[axis], reached - from[axis] - padding[axis])
    }
    return (kernel, stride, padding, dilation, end)
  }

  private static func isRead(_ id: ValueID, _ call: ONNXExportCall) -> Bool {
    call.exporter.graph.nodes.contains { $0.inputs.contains(id) }
  }
}
