import TernCore
import TernGraph

extension Operations.Interpolate: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let map = ResamplingMap(mode, from: node.inputs[0].shape, to: node.outputs[0].shape)
    return Lowering { addresses in
      let (x, y) = (addresses.input(0), addresses.output(0))
      return map.planes(context.threads) { plane in
        map.forward(x + plane * map.inPlane, y + plane * map.outPlane)
      }
    }
  }
}

extension Operations.InterpolateBackward: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let map = ResamplingMap(mode, from: inputShape, to: node.inputs[0].shape)
    return Lowering { addresses in
      let (dy, dx) = (addresses.input(0), addresses.output(0))
      return map.planes(context.threads) { plane in
        map.backward(dy + plane * map.outPlane, dx + plane * map.inPlane)
      }
    }
  }
}

/// Which input elements an output element is made of: a table per axis.
private struct ResamplingMap {
  /// Two neighbouring positions and the weight of the second.
  private struct Sample {
    let first: Int
    let second: Int
    let weight: Float
  }

  private let planeCount: Int
  private let inWidth: Int
  private let rows: [Sample]
  private let columns: [Sample]
  private let isNearest: Bool
  let inPlane: Int
  let outPlane: Int

  init(_ mode: InterpolationMode, from input: Shape, to output: Shape) {
    planeCount = input[0] * input[1]
    inWidth = input[3]
    inPlane = input[2] * input[3]
    outPlane = output[2] * output[3]
    isNearest = mode == .nearest
    rows = Self.samples(mode, input[2], output[2])
    columns = Self.samples(mode, input[3], output[3])
  }

  private static func samples(_ mode: InterpolationMode, _ input: Int, _ output: Int)
    -> [Sample]
  {
    (0..<output).map { index in
      let position: Double
      switch mode {
      case .nearest:
        let source = min(index * input / output, input - 1)
        return Sample(first: source, second: source, weight: 0)
      case .bilinear(alignsCorners: true):
        position = output == 1 ? 0 : Double(index * (input - 1)) / Double(output - 1)
      case .bilinear(alignsCorners: false):
        position = max(0, (Double(index) + 0.5) * Double(input) / Double(output) - 0.5)
      }
      let first = min(Int(position), input - 1)
      return Sample(
        first: first, second: min(first + 1, input - 1), weight: Float(position - Double(first)))
    }
  }

  func planes(_ threads: Threads, _ body: @escaping (_ plane: Int) -> Void) -> Step {
    let grain = max(1, Threads.elementwiseGrain / max(inPlane, outPlane))
    return threads.loop(planeCount, grain: grain) { range in
      for plane in range { body(plane) }
    }
  }

  func forward(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
    var output = y
    for row in rows {
      let (top, bottom) = (x + row.first * inWidth, x + row.second * inWidth)
      for (j, column) in columns.enumerated() {
        if isNearest {
          output[j] = top[column.first]
          continue
        }
        let above = top[column.first] + (top[column.second] - top[column.first]) * column.weight
        let below =
          bottom[column.first] + (bottom[column.second] - bottom[column.first]) * column.weight
        output[j] = above + (below - above) * row.weight
      }
      output += columns.count
    }
  }

  func backward(_ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>) {
    dx.update(repeating: 0, count: inPlane)
    var gradient = dy
    for row in rows {
      let (top, bottom) = (dx + row.first * inWidth, dx + row.second * inWidth)
      for (j, column) in columns.enumerated() {
        if isNearest {
          top[column.first] += gradient[j]
          continue
        }
        let below = gradient[j] * row.weight
        let above = gradient[j] - below
        top[column.second] += above * column.weight
        top[column.first] += above - above * column.weight
        bottom[column.second] += below * column.weight
        bottom[column.first] += below - below * column.weight
      }
      gradient += columns.count
    }
  }
}
