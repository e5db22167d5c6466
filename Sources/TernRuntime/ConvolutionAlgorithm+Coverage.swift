import TernGraph

extension ConvolutionAlgorithm {
  /// Whether the algorithm computes convolutions of that shape. Where it does not, a device takes its
  /// own choice.
  package func covers(_ g: Conv2DGeometry) -> Bool {
    let w = g.window
    switch self {
    case .direct, .im2col, .implicitGEMM: return true
    case .winograd:
      return g.kernelHeight == 3 && g.kernelWidth == 3 && g.groups == 1
        && [w.strideHeight, w.strideWidth, w.dilationHeight, w.dilationWidth].allSatisfy { $0 == 1 }
    case .gemm: return g.kernelHeight == 1 && g.kernelWidth == 1 && g.groups == 1
    case .depthwise: return g.groups > 1 && g.groups == g.inChannels
    }
  }

  /// Says where the algorithm, asked for, changes nothing: on a device that has one way alone, or for
  /// convolutions that it does not cover; `nil` where it covers all.
  package func note(for graph: Graph, on device: any Device) -> String? {
    guard !device.algorithms.isEmpty else {
      return "\(device.info.id) has one way to compute a convolution; '\(rawValue)' changes nothing"
    }
    let convolutions = graph.nodes.compactMap { node in
      try? (node.operation as? Operations.Conv2D)?.geometry(graph.types(node.inputs))
    }
    guard !convolutions.isEmpty else {
      return "the network has no two-dimensional convolution; '\(rawValue)' changes nothing"
    }
    let count = convolutions.count { covers($0) }
    guard count < convolutions.count else { return nil }
    return count == 0
      ? "'\(rawValue)' covers no convolution of the network; the device's own choice computes them"
      : "'\(rawValue)' covers \(count) of \(convolutions.count) convolutions; the device's own choice "
        + "computes the others"
  }
}
