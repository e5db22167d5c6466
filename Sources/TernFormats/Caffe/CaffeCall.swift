import Foundation
import TernCore
import TernGraph
import TernNN

/// A layer of a net that is being built: its settings, its inputs, its parameters.
struct CaffeCall {
  let layer: CaffeLayer
  let inputs: [Tensor]
  let context: LayerContext
  /// Another number of outputs than the file's, for other data.
  let outputCount: Int?

  func fault(_ text: String) -> PrototxtFault { layer.fault(text) }

  /// The only input.
  func input() throws -> Tensor {
    guard inputs.count == 1 else { throw fault("expected one bottom, got \(inputs.count)") }
    return inputs[0]
  }

  /// An axis, counted from the end where it is negative.
  func axis(_ axis: Int, _ x: Tensor) throws -> Int {
    guard (-x.shape.rank..<x.shape.rank).contains(axis) else {
      throw fault("axis \(axis) of an input of shape \(x.shape)")
    }
    return axis < 0 ? axis + x.shape.rank : axis
  }

  /// A parameter under its own name, or the one that it shares.
  func parameter(
    _ index: Int, _ name: String, _ shape: Shape, _ initializer: Initializer,
    isTrainable: Bool = true
  ) throws -> Tensor {
    guard shape.isUsable else { throw fault("\(name) would have the shape \(shape)") }
    return try context.parameter(
      named: layer.parameterName(index, name), shape, initializer, isTrainable: isTrainable)
  }

  // MARK: Settings of windows

  private static let extents = 0...1 << 15

  /// A pair (vertical, horizontal): `kernel_size` once or for each axis, or `kernel_h` and `kernel_w`.
  func pair(
    _ settings: PrototxtMessage, _ name: String, _ axisPrefix: String, standard: Int?
  ) throws -> [Int] {
    let values = try settings.integers(name, in: Self.extents)
    let height = try settings.integer(axisPrefix + "_h", in: Self.extents)
    let width = try settings.integer(axisPrefix + "_w", in: Self.extents)
    if height != nil || width != nil {
      guard let height, let width, values.isEmpty else {
        throw fault("\(axisPrefix)_h and \(axisPrefix)_w go together, without \(name)")
      }
      return [height, width]
    }
    switch values.count {
    case 0:
      guard let standard else { throw fault("no \(name)") }
      return [standard, standard]
    case 1: return [values[0], values[0]]
    case 2: return values
    default: throw fault("\(name) for \(values.count) axes; pictures have two")
    }
  }

  // MARK: Fillers

  /// How a parameter starts.
  ///
  /// - Parameter standard: what the filler is where the file has none.
  func filler(
    _ settings: PrototxtMessage, _ name: String, _ shape: Shape, standard: Float = 0
  ) throws -> Initializer {
    guard let message = try settings.message(name) else { return .constant(standard) }
    let type = try message.word("type") ?? "constant"
    func number(_ key: String, _ standard: Double) throws -> Double {
      try message.number(key) ?? standard
    }
    func unsupported(_ text: String) -> PrototxtFault {
      PrototxtFault(line: message.line, text: "layer '\(layer.name)': \(name) \(type): \(text)")
    }
    /// The number of inputs, of outputs, or their mean, as `variance_norm` says.
    func fan() throws -> Double {
      let fanIn = Double(shape.elementCount) / Double(shape[0])
      let fanOut = shape.rank > 1 ? Double(shape.elementCount) / Double(shape[1]) : fanIn
      switch try message.word("variance_norm") ?? "FAN_IN" {
      case "FAN_IN": return fanIn
      case "FAN_OUT": return fanOut
      case "AVERAGE": return (fanIn + fanOut) / 2
      case let other: throw unsupported("variance_norm \(other) is not known")
      }
    }
    switch type {
    case "constant": return .constant(Float(try number("value", 0)))
    case "gaussian":
      guard try number("mean", 0) == 0 else { throw unsupported("a mean other than 0") }
      let deviation = try number("std", 1)
      guard deviation >= 0 else { throw unsupported("a deviation below 0") }
      let sparse = try number("sparse", -1)
      if sparse >= 0 {
        // So many weights of each input are expected to be other than 0.
        return .sparseNormal(
          deviation: Float(deviation), part: Float(min(sparse / Double(shape[0]), 1)))
      }
      return .normal(deviation: Float(deviation))
    case "uniform":
      let (low, high) = (try number("min", 0), try number("max", 1))
      guard low == -high, high >= 0 else {
        throw unsupported("from \(low) to \(high), which is not around 0")
      }
      return .uniform(bound: Float(high))
    case "xavier": return .uniform(bound: Float((3 / (try fan())).squareRoot()))
    case "msra": return .normal(deviation: Float((2 / (try fan())).squareRoot()))
    case "bilinear":
      guard shape.rank == 4, shape[2] == shape[3] else {
        throw unsupported("for a weight of shape \(shape)")
      }
      return .given(GivenValue { Self.bilinear(shape) })
    default:
      let known = ["constant", "gaussian", "uniform", "xavier", "msra", "bilinear"]
      throw unsupported("is not known; known are \(known.joined(separator: ", "))")
    }
  }

  /// The weights of an enlargement with lines between pixels.
  private static func bilinear(_ shape: Shape) -> HostTensor {
    let extent = shape[3]
    let factor = Float((extent + 1) / 2)
    let centre = (2 * factor - 1 - Float(Int(factor) % 2)) / (2 * factor)
    return HostTensor(
      shape,
      (0..<shape.elementCount).map { index in
        let (x, y) = (Float(index % extent), Float(index / extent % extent))
        return (1 - abs(x / factor - centre)) * (1 - abs(y / factor - centre))
      })
  }
}

extension CaffeLayer {
  /// What a parameter is called.
  func parameterName(_ index: Int, _ suffix: String) -> String {
    if index < parameters.count, let shared = parameters[index].name, !shared.isEmpty {
      return shared
    }
    return "\(name).\(suffix)"
  }
}
