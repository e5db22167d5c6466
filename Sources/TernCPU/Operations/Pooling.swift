import TernCore
import TernGraph

extension Operations.MaxPool2D: CPUOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let layout = try request.pooledLayout()
    return LayoutAssignment(inputs: [request.inputs[0].layout], outputs: [layout, layout])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    node.inputs[0].type.dataType == .bfloat16
      ? try lower(node, context, Bfloat16.self)
      : try lower(node, context, Float.self)
  }

  private func lower<Element: LaneElement>(
    _ node: Signature, _ context: CPUContext, _ element: Element.Type
  ) throws -> Lowering {
    let geometry = PoolingGeometry(
      window, input: node.inputs[0].shape, output: node.outputs[0].shape)
    let threads = context.threads
    if let from = try ChannelStrides(node.inputs[0], context),
      let to = try ChannelStrides(node.outputs[0], context)
    {
      return Lowering { addresses in
        ChannelMaxPool(geometry: geometry, input: from, output: to).forward(
          threads, addresses.input(0, of: element), addresses.output(0, of: element),
          addresses.integerOutput(1))
      }
    }
    return Lowering { addresses in
      PlaneMaxPool(geometry: geometry).forward(
        threads, addresses.input(0, of: element), addresses.output(0, of: element),
        addresses.integerOutput(1))
    }
  }
}

extension Operations.MaxPool2DBackward: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.likeInput(1) }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let indices = request.inputs[1].layout
    var assignment = LayoutAssignment(inputs: [indices, indices], outputs: [.dense])
    // The gradient goes back in the format in which the input came.
    if let input = request.producerInputs[1].first,
      try ChannelStrides(Operand(request.inputs[0].type, indices), request.context) != nil,
      try ChannelStrides(input, request.context) != nil
    {
      assignment.outputs[0] = input.layout
    }
    return assignment
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    node.inputs[0].type.dataType == .bfloat16
      ? try lower(node, context, Bfloat16.self)
      : try lower(node, context, Float.self)
  }

  private func lower<Element: LaneElement>(
    _ node: Signature, _ context: CPUContext, _ element: Element.Type
  ) throws -> Lowering {
    let geometry = PoolingGeometry(window, input: inputShape, output: node.inputs[0].shape)
    let threads = context.threads
    if let from = try ChannelStrides(node.inputs[0], context),
      let to = try ChannelStrides(node.outputs[0], context)
    {
      return Lowering { addresses in
        ChannelMaxPool(geometry: geometry, input: to, output: from).backward(
          threads, addresses.input(0, of: element), addresses.integerInput(1),
          addresses.output(0, of: element))
      }
    }
    return Lowering { addresses in
      PlaneMaxPool(geometry: geometry).backward(
        threads, addresses.input(0, of: element), addresses.integerInput(1),
        addresses.output(0, of: element))
    }
  }
}

extension Operations.AvgPool2D: CPUOperation {
  func isSupported(_ inputs: [TensorType]) -> Bool { !window.isDilated }
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { isSupported(inputs) }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    try .averaging(request)
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let windows = AveragingWindows(
      window, countsPadding, input: node.inputs[0].shape, output: node.outputs[0].shape)
    return try windows.forward(node, context)
  }
}

extension Operations.AvgPool2DBackward: CPUOperation {
  func isSupported(_ inputs: [TensorType]) -> Bool { !window.isDilated }
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { isSupported(inputs) }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    try .averagingBackward(request)
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let windows = AveragingWindows(
      window, countsPadding, input: inputShape, output: node.inputs[0].shape)
    return try windows.backward(node, context)
  }
}

extension Operations.AdaptiveAvgPool2D: CPUOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment { try .averaging(request) }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try AveragingWindows(adaptive: node.inputs[0].shape, to: node.outputs[0].shape)
      .forward(node, context)
  }
}

extension Operations.AdaptiveAvgPool2DBackward: CPUOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    try .averagingBackward(request)
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try AveragingWindows(adaptive: inputShape, to: node.inputs[0].shape).backward(node, context)
  }
}

extension Operations.MaxUnpool2D: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let planes = node.inputs[0].shape.elementCount(in: 0..<2)
    let (from, to) = (node.inputs[0].elementCount / planes, outputHeight * outputWidth)
    return Lowering { addresses in
      let (x, indices) = (addresses.input(0), addresses.integerInput(1))
      let y = addresses.output(0)
      let check = indices.rangeCheck("max_unpool2d", planes * from, below: to)
      let scatter = context.threads.loop(planes, grain: max(1, Threads.elementwiseGrain / to)) {
        for plane in $0 {
          let target = y + plane * to
          target.update(repeating: 0, count: to)
          for i in plane * from..<(plane + 1) * from { target[Int(indices[i])] = x[i] }
        }
      }
      return {
        try check()
        try scatter()
      }
    }
  }
}

extension Operations.MaxUnpool2DBackward: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let planes = node.outputs[0].shape.elementCount(in: 0..<2)
    let from = node.inputs[0].elementCount / planes
    let to = node.outputs[0].elementCount / planes
    return Lowering { addresses in
      let (dy, indices) = (addresses.input(0), addresses.integerInput(1))
      let dx = addresses.output(0)
      let check = indices.rangeCheck("max_unpool2d_backward", planes * to, below: from)
      let gather = context.threads.loop(planes, grain: max(1, Threads.elementwiseGrain / to)) {
        for plane in $0 {
          let source = dy + plane * from
          for i in plane * to..<(plane + 1) * to { dx[i] = source[Int(indices[i])] }
        }
      }
      return {
        try check()
        try gather()
      }
    }
  }
}

extension UnsafePointer<Int32> {
  /// A step that throws where an index is out of range: indices may come from outside.
  func rangeCheck(_ operation: String, _ count: Int, below limit: Int) -> Step {
    {
      for i in 0..<count where self[i] < 0 || Int(self[i]) >= limit {
        throw TernError(
          .badData, "\(operation): index \(self[i]) at position \(i) is not in 0..<\(limit)")
      }
    }
  }
}

extension PoolingWindow {
  fileprivate var isDilated: Bool { dilationHeight != 1 || dilationWidth != 1 }
}

extension LayoutRequest {
  /// The layout of a pooling's output: what its readers want, if it can be had from the input.
  func pooledLayout() throws -> Layout {
    let input = inputs[0]
    let shape = outputs[0].shape
    guard try ChannelStrides(input, context) != nil else { return .dense }
    if let wanted = wanted[0],
      try ChannelStrides(Operand(outputs[0], wanted), context) != nil
    {
      return wanted
    }
    // A single pixel's channels are then dense, whatever their number.
    if shape[2] * shape[3] == 1 { return .dense }
    return try ChannelFormat(input, context)!.layout(shape, context)
  }
}

extension LayoutAssignment {
  fileprivate static func averaging(_ request: LayoutRequest) throws -> LayoutAssignment {
    LayoutAssignment(
      inputs: [request.inputs[0].layout], outputs: [try request.pooledLayout()])
  }

  fileprivate static func averagingBackward(_ request: LayoutRequest) throws -> LayoutAssignment {
    // What goes back is read by the operation before, which says what it wants.
    guard let wanted = request.wanted[0] else { return .dense(request) }
    let output = Operand(request.outputs[0], wanted)
    guard wanted != .dense, let format = try ChannelFormat(output, request.context) else {
      return .dense(request)
    }
    let gradient = request.inputs[0].shape
    let layout =
      gradient[2] * gradient[3] == 1 ? .dense : try format.layout(gradient, request.context)
    return LayoutAssignment(inputs: [layout], outputs: [wanted])
  }
}
