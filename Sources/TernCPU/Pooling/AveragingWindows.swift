import TernCore
import TernGraph

/// The windows of an average pooling: the product of a range of rows and a range of columns.
struct AveragingWindows {
  private let batch: Int
  private let channels: Int
  private let inWidth: Int
  private let inPlane: Int
  private let rows: [Range<Int>]
  private let columns: [Range<Int>]
  /// 1 / the number of elements that count, along each axis.
  private let rowWeights: [Float]
  private let columnWeights: [Float]

  private init(
    input: Shape, rows: [(range: Range<Int>, size: Int)], columns: [(range: Range<Int>, size: Int)]
  ) {
    (batch, channels) = (input[0], input[1])
    inWidth = input[3]
    inPlane = input[2] * input[3]
    self.rows = rows.map(\.range)
    self.columns = columns.map(\.range)
    rowWeights = rows.map { 1 / Float($0.size) }
    columnWeights = columns.map { 1 / Float($0.size) }
  }

  /// The windows of ``AvgPool2D``.
  init(_ window: PoolingWindow, _ countsPadding: Bool, input: Shape, output: Shape) {
    func windows(_ input: Int, _ output: Int, _ kernel: Int, _ stride: Int, _ padding: Int)
      -> [(range: Range<Int>, size: Int)]
    {
      (0..<output).map { index in
        let start = index * stride - padding
        let end = min(start + kernel, input + padding)
        let inside = max(start, 0)..<max(max(start, 0), min(end, input))
        return (inside, countsPadding ? end - start : inside.count)
      }
    }
    self.init(
      input: input,
      rows: windows(
        input[2], output[2], window.kernelHeight, window.strideHeight, window.paddingHeight),
      columns: windows(
        input[3], output[3], window.kernelWidth, window.strideWidth, window.paddingWidth))
  }

  /// The windows of ``AdaptiveAvgPool2D``.
  init(adaptive input: Shape, to output: Shape) {
    func windows(_ input: Int, _ output: Int) -> [(range: Range<Int>, size: Int)] {
      (0..<output).map { index in
        let range = index * input / output..<((index + 1) * input + output - 1) / output
        return (range, range.count)
      }
    }
    self.init(
      input: input, rows: windows(input[2], output[2]), columns: windows(input[3], output[3]))
  }

  private var outPlane: Int { rows.count * columns.count }

  func forward(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    node.inputs[0].type.dataType == .bfloat16
      ? try forward(node, context, Bfloat16.self)
      : try forward(node, context, Float.self)
  }

  private func forward<Element: LaneElement>(
    _ node: Signature, _ context: CPUContext, _ element: Element.Type
  ) throws -> Lowering {
    if let from = try ChannelStrides(node.inputs[0], context),
      let to = try ChannelStrides(node.outputs[0], context)
    {
      let groups = ChannelGroups(batch: batch, input: from, output: to)
      return Lowering { addresses in
        let (x, y) = (addresses.input(0, of: element), addresses.output(0, of: element))
        return groups.step(context.threads, elements: inPlane) { group in
          average(x + group.input, from.pixel, y + group.output, to.pixel, group)
        }
      }
    }
    return Lowering { addresses in
      let (x, y) = (addresses.input(0, of: element), addresses.output(0, of: element))
      return planes(context.threads) { plane in
        average(x + plane * inPlane, y + plane * outPlane)
      }
    }
  }

  func backward(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    node.inputs[0].type.dataType == .bfloat16
      ? try backward(node, context, Bfloat16.self)
      : try backward(node, context, Float.self)
  }

  private func backward<Element: LaneElement>(
    _ node: Signature, _ context: CPUContext, _ element: Element.Type
  ) throws -> Lowering {
    if let from = try ChannelStrides(node.inputs[0], context),
      let to = try ChannelStrides(node.outputs[0], context)
    {
      let groups = ChannelGroups(batch: batch, input: to, output: from)
      return Lowering { addresses in
        let (dy, dx) = (addresses.input(0, of: element), addresses.output(0, of: element))
        return groups.step(context.threads, elements: inPlane) { group in
          spread(dy + group.output, from.pixel, dx + group.input, to.pixel, group)
        }
      }
    }
    return Lowering { addresses in
      let (dy, dx) = (addresses.input(0, of: element), addresses.output(0, of: element))
      return planes(context.threads) { plane in
        spread(dy + plane * outPlane, dx + plane * inPlane)
      }
    }
  }

  private func planes(_ threads: Threads, _ body: @escaping (_ plane: Int) -> Void) -> Step {
    threads.loop(batch * channels, grain: max(1, Threads.elementwiseGrain / inPlane)) { range in
      for plane in range { body(plane) }
    }
  }

  // MARK: - Planes stored row by row

  private func average<Element: LaneElement>(
    _ x: UnsafePointer<Element>, _ y: UnsafeMutablePointer<Element>
  ) {
    for i in rows.indices {
      for j in columns.indices {
        var sum: Float = 0
        for row in rows[i] {
          for column in columns[j] { sum += x[row &* inWidth &+ column].float }
        }
        y[i &* columns.count &+ j] = Element(sum * (rowWeights[i] * columnWeights[j]))
      }
    }
  }

  private func spread<Element: LaneElement>(
    _ dy: UnsafePointer<Element>, _ dx: UnsafeMutablePointer<Element>
  ) {
    dx.update(repeating: Element(0), count: inPlane)
    for i in rows.indices {
      for j in columns.indices {
        let share = dy[i &* columns.count &+ j].float * (rowWeights[i] * columnWeights[j])
        for row in rows[i] {
          for column in columns[j] {
            let target = dx + (row &* inWidth &+ column)
            target.pointee = Element(target.pointee.float + share)
          }
        }
      }
    }
  }

  // MARK: - Channels innermost

  private func average<Element: LaneElement>(
    _ x: UnsafePointer<Element>, _ fromPixel: Int, _ y: UnsafeMutablePointer<Element>,
    _ toPixel: Int,
    _ group: ChannelGroups.Group
  ) {
    for i in rows.indices {
      for j in columns.indices {
        let weight = rowWeights[i] * columnWeights[j]
        let target = y + (i &* columns.count &+ j) &* toPixel
        forEachLanes(group.inputCount, group.outputCount) { from, to in
          if to.count == 0 { return }
          var sum = Vector(repeating: 0)
          for row in rows[i] {
            for column in columns[j] {
              sum += from.load(x + (row &* inWidth &+ column) &* fromPixel)
            }
          }
          to.store(sum * weight, target)
        }
      }
    }
  }

  private func spread<Element: LaneElement>(
    _ dy: UnsafePointer<Element>, _ fromPixel: Int, _ dx: UnsafeMutablePointer<Element>,
    _ toPixel: Int, _ group: ChannelGroups.Group
  ) {
    for pixel in 0..<inPlane {
      (dx + pixel &* toPixel).update(repeating: Element(0), count: group.inputCount)
    }
    for i in rows.indices {
      for j in columns.indices {
        let weight = rowWeights[i] * columnWeights[j]
        let source = dy + (i &* columns.count &+ j) &* fromPixel
        forEachLanes(group.inputCount, group.outputCount) { to, from in
          if to.count == 0 { return }
          let share = from.load(source) * weight
          for row in rows[i] {
            for column in columns[j] {
              let target = dx + (row &* inWidth &+ column) &* toPixel
              to.store(to.load(target) + share, target)
            }
          }
        }
      }
    }
  }
}
