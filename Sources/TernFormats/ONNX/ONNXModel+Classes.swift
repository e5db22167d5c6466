import TernCore
import TernData
import TernNN

extension ONNXModel {
  private init(_ graph: ONNXGraph, of model: ONNXModel) {
    (path, self.graph, opsets) = (model.path, graph, model.opsets)
    externalPaths = model.externalPaths
  }

  private func producer(of name: String) -> ONNXNode? {
    graph.nodes.last { $0.outputs.contains(name) }
  }

  /// The network up to the softmax that is its first output; `nil` where that is none.
  func withoutLastSoftmax() -> ONNXModel? {
    guard let output = graph.outputs.first, let node = producer(of: output.name),
      node.operatorName == "Softmax", let logits = node.inputs.first,
      !graph.nodes.contains(where: { $0.inputs.contains(output.name) })
    else { return nil }
    // The name of the output stays: what computed its logits gives them that name.
    let nodes =
      graph.nodes.filter { $0.outputs != node.outputs }
      + [
        ONNXNode(
          inputs: [logits], outputs: [output.name], name: node.name, operatorName: "Identity")
      ]
    return ONNXModel(
      ONNXGraph(
        name: graph.name, nodes: nodes, initializers: graph.initializers, inputs: graph.inputs,
        outputs: graph.outputs), of: self)
  }

  /// The weights of the last layer for another number of classes, and the layer's name; `nil` where there is
  /// no such layer.
  func replacingClasses(
    _ old: Int, by new: Int
  ) -> (replaced: [String: ReplacedInitializer], layer: String)? {
    var replaced: [String: ReplacedInitializer] = [:]
    /// Other extents along an axis that has the old number of classes.
    func replace(_ name: String, axis: Int, fanIn: Int, isBias: Bool) -> Bool {
      guard let tensor = graph.initializers[name], tensor.shape.indices.contains(axis),
        tensor.shape[axis] == old
      else { return false }
      var shape = Shape(tensor.shape)
      shape[axis] = new
      let standard = WeightInitializer.standard
      replaced[name] = ReplacedInitializer(
        shape: shape,
        initializer: isBias
          ? standard.bias(fanIn: fanIn) : standard.weight(fanIn: fanIn, fanOut: new))
      return true
    }
    var name = graph.outputs.first?.name ?? ""
    var biases: [String] = []
    for _ in 0..<16 {
      guard let node = producer(of: name), let first = node.inputs.first else { return nil }
      let weight = node.inputs.count > 1 ? graph.initializers[node.inputs[1]]?.shape ?? [] : []
      switch node.operatorName {
      case "Gemm", "MatMul", "Conv":
        guard weight.count >= 2 else { return nil }
        var outAxis = node.operatorName == "MatMul" ? weight.count - 1 : 0
        if node.operatorName == "Gemm" {
          if case .int(1)? = node.attributes["transB"] { outAxis = 0 } else { outAxis = 1 }
        }
        let fanIn = weight.reduce(1, *) / max(old, 1)
        guard replace(node.inputs[1], axis: outAxis, fanIn: fanIn, isBias: false) else {
          return nil
        }
        if node.inputs.count > 2, !node.inputs[2].isEmpty { biases.append(node.inputs[2]) }
        for bias in biases {
          guard let shape = graph.initializers[bias]?.shape,
            let axis = shape.lastIndex(of: old),
            replace(bias, axis: axis, fanIn: fanIn, isBias: true)
          else { return nil }
        }
        return (replaced, node.name.isEmpty ? node.inputs[1] : node.name)
      case "Add":
        let constant = node.inputs.first { graph.initializers[$0] != nil }
        guard let constant, let other = node.inputs.first(where: { $0 != constant }) else {
          return nil
        }
        biases.append(constant)
        name = other
      case "Softmax", "LogSoftmax", "Identity", "Flatten", "Reshape", "Squeeze", "Dropout",
        "Sigmoid",
        "GlobalAveragePool", "ReduceMean", "Relu":
        name = first
      default: return nil
      }
    }
    return nil
  }
}

extension ONNXModel {
  /// The initializers of real numbers, by name.
  package func weights() throws -> Safetensors {
    var file = Safetensors()
    for (name, tensor) in graph.initializers where tensor.type.isReal && tensor.elementCount > 0 {
      do { file.tensors[name] = try tensor.hostTensor() } catch {
        throw TernError(.badData, "\(path): \(error)")
      }
    }
    return file
  }
}
