import Foundation
import TernCore
import TernGraph

extension Operations.Softmax: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let rows = SoftmaxRows(node.inputs[0].shape, axis: axis)
    return Lowering { addresses in
      let (x, y) = (addresses.input(0), addresses.output(0))
      if rows.inner == 1 {
        return rows.contiguous(context.threads) { row in
          let (x, y) = (x + row * rows.length, y + row * rows.length)
          isLogarithmic
            ? logarithm(x, y, rows.length) : normalize(x, y, rows.length)
        }
      }
      return rows.strided(context.threads) { lanes, start in
        isLogarithmic
          ? logarithm(x + start, y + start, rows, lanes)
          : normalize(x + start, y + start, rows, lanes)
      }
    }
  }

  // MARK: - Neighbouring elements

  private func normalize(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int)
  {
    let shift = Lanes.maximum(x, count)
    var sum = Vector(repeating: 0)
    forEachLanes(in: 0..<count) { lanes in
      let power = (lanes.load(x) - shift).exponential
      lanes.store(power, y)
      sum += lanes.masking(power)
    }
    let scale = 1 / sum.laneSum
    forEachLanes(in: 0..<count) { lanes in lanes.store(lanes.load(y) * scale, y) }
  }

  func logarithm(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int) {
    let shift = Lanes.maximum(x, count)
    var sum = Vector(repeating: 0)
    forEachLanes(in: 0..<count) { lanes in
      let shifted = lanes.load(x) - shift
      lanes.store(shifted, y)
      sum += lanes.masking(shifted.exponential)
    }
    let logarithm = log(sum.laneSum)
    forEachLanes(in: 0..<count) { lanes in lanes.store(lanes.load(y) - logarithm, y) }
  }

  // MARK: - Elements apart, several rows at a time

  private func maximum(_ x: UnsafePointer<Float>, _ rows: SoftmaxRows, _ lanes: Lanes) -> Vector {
    var best = lanes.load(x)
    for i in 1..<max(rows.length, 1) where i < rows.length {
      best = max(best, lanes.load(x + i &* rows.inner))
    }
    return best
  }

  private func normalize(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ rows: SoftmaxRows,
    _ lanes: Lanes
  ) {
    let shift = maximum(x, rows, lanes)
    var sum = Vector(repeating: 0)
    for i in 0..<rows.length {
      let power = (lanes.load(x + i &* rows.inner) - shift).exponential
      sum += power
      lanes.store(power, y + i &* rows.inner)
    }
    let scale = 1 / sum
    for i in 0..<rows.length {
      lanes.store(lanes.load(y + i &* rows.inner) * scale, y + i &* rows.inner)
    }
  }

  private func logarithm(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ rows: SoftmaxRows,
    _ lanes: Lanes
  ) {
    let shift = maximum(x, rows, lanes)
    var sum = Vector(repeating: 0)
    for i in 0..<rows.length { sum += (lanes.load(x + i &* rows.inner) - shift).exponential }
    // Subtracted one after the other: beside a large maximum the logarithm would be lost.
    var logarithm = Vector(repeating: 0)
    for lane in 0..<Lanes.width { logarithm[lane] = log(sum[lane]) }
    for i in 0..<rows.length {
      lanes.store((lanes.load(x + i &* rows.inner) - shift) - logarithm, y + i &* rows.inner)
    }
  }
}

extension Operations.SoftmaxBackward: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let rows = SoftmaxRows(node.inputs[0].shape, axis: axis)
    return Lowering { addresses in
      let (dy, y, dx) = (addresses.input(0), addresses.input(1), addresses.output(0))
      if rows.inner == 1 {
        return rows.contiguous(context.threads) { row in
          let start = row * rows.length
          backward(dy + start, y + start, dx + start, rows.length)
        }
      }
      return rows.strided(context.threads) { lanes, start in
        backward(dy + start, y + start, dx + start, rows, lanes)
      }
    }
  }

  func backward(
    _ dy: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    var sum = Vector(repeating: 0)
    forEachLanes(in: 0..<count) { lanes in
      // Lanes beyond the row are loaded as zeros.
      sum += isLogarithmic ? lanes.load(dy) : lanes.load(dy) * lanes.load(y)
    }
    let total = sum.laneSum
    forEachLanes(in: 0..<count) { lanes in
      let (gradient, output) = (lanes.load(dy), lanes.load(y))
      lanes.store(
        isLogarithmic ? gradient - output.exponential * total : output * (gradient - total), dx)
    }
  }

  private func backward(
    _ dy: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ rows: SoftmaxRows, _ lanes: Lanes
  ) {
    var sum = Vector(repeating: 0)
    for i in 0..<rows.length {
      let gradient = lanes.load(dy + i &* rows.inner)
      sum += isLogarithmic ? gradient : gradient * lanes.load(y + i &* rows.inner)
    }
    for i in 0..<rows.length {
      let (gradient, output) = (lanes.load(dy + i &* rows.inner), lanes.load(y + i &* rows.inner))
      lanes.store(
        isLogarithmic ? gradient - output.exponential * sum : output * (gradient - sum),
        dx + i &* rows.inner)
    }
  }
}

/// The rows along one axis of a tensor: `outer` × `inner` of them, elements `inner` apart.
struct SoftmaxRows {
  let outer: Int
  let length: Int
  let inner: Int

  init(_ shape: Shape, axis: Int) {
    guard shape.rank > 0 else {
      (outer, length, inner) = (1, 1, 1)
      return
    }
    outer = shape.elementCount(in: 0..<axis)
    length = shape[axis]
    inner = shape.elementCount(in: axis + 1..<shape.rank)
  }

  /// An exponential costs about as much as moving this many elements.
  private static let elementCost = 8

  /// Calls `body` for every row of neighbouring elements.
  func contiguous(_ threads: Threads, _ body: @escaping (_ row: Int) -> Void) -> Step {
    let grain = max(1, Threads.elementwiseGrain / (length * Self.elementCost))
    return threads.loop(outer, grain: grain) { range in for row in range { body(row) } }
  }

  /// Calls `body` for stretches of neighbouring rows, with the offset of their first element.
  func strided(_ threads: Threads, _ body: @escaping (_ lanes: Lanes, _ start: Int) -> Void)
    -> Step
  {
    let perOuter = (inner + Lanes.width - 1) / Lanes.width
    let grain = max(1, Threads.elementwiseGrain / (length * Lanes.width * Self.elementCost))
    return threads.loop(outer * perOuter, grain: grain) { range in
      for item in range {
        let (outer, stretch) = item.quotientAndRemainder(dividingBy: perOuter)
        body(
          Lanes(start: stretch * Lanes.width, limit: inner), outer * length * inner)
      }
    }
  }
}
