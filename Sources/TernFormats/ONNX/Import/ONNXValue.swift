import TernCore
import TernGraph

/// A value of a network under construction.
package enum ONNXValue {
  /// Known: computed when the network is read.
  case host(HostArray)
  /// A tensor of the file, which becomes a parameter or a constant where it is read.
  case initializer(ONNXTensor)
  /// Computed on a device: float32, or int32 where it is indices. `known` is what an input is known to
  /// hold, where it is.
  case device(Tensor, ElementType, known: HostArray? = nil)

  package var type: ElementType {
    switch self {
    case .host(let array): array.type
    case .initializer(let tensor): tensor.type
    case .device(_, let type, _): type
    }
  }

  package var shape: [Int] {
    switch self {
    case .host(let array): array.shape
    case .initializer(let tensor): tensor.shape
    case .device(let tensor, _, _): tensor.shape.dimensions
    }
  }
}
