import TernCore
import TernGraph
import TernNN

/// What the batches of one update sum: gradients, what is measured, and where they are averaged running
/// statistics; each times what it is the mean over in the batch.
struct BatchSums {
  /// What the names of the variables start with that hold sums of blocks of batches.
  static let variablePrefix = "gradient_sum."
  /// The input that holds 1 / the number of samples that an update's batches have.
  static let scaleInput = "gradient_scale"
  /// The input, and the output, that holds the sums of all batches, or of a block, that are in a bucket.
  static func name(ofBucket bucket: Int) -> String { "sums.\(bucket)" }

  typealias Item = (name: String, value: Tensor)

  let gradients: [ParameterUpdate.Update]
  /// Whether the gradients are those of sums already, not of means.
  let areGradientsSums: Bool
  /// What is measured, by the names of the variables that sum it over an epoch.
  let measured: [Item]
  /// Running statistics, and what the batch would make of them.
  let statistics: [ParameterUpdate.Update]
  /// What the batch's gradients are the mean over, where that is not its samples.
  let weight: Tensor?
  /// Sums are handed over in buckets of at most so many bytes, or of a single tensor.
  let bucketByteCount: Int
  /// Whether what follows takes gradients element by element: it does not matter then how they are stored.
  let isElementwise: Bool

  /// Whether the sum of a batch's losses is differentiated, not their mean.
  ///
  /// What members share reaches the losses of all: a mean over fewer samples would count as much as one over more. Else
  /// it saves a multiplication of every gradient, where that is by a power of two, which changes no digit.
  static func takesGradientsOfSums(
    _ position: BatchPosition, batchSize: Int, isWeighted: Bool, scalesLoss: Bool
  ) -> Bool {
    position != .only && batchSize.nonzeroBitCount == 1 && !isWeighted && !scalesLoss
  }

  /// The same after all batches: means, and what was measured as sums.
  struct Total {
    let gradients: [ParameterUpdate.Update]
    let measured: [Item]
    let statistics: [ParameterUpdate.Update]
    /// What a sum of losses is to be multiplied by.
    let scale: Tensor
  }

  /// Appends the sums of a batch, and what becomes of them.
  ///
  /// - Parameter batchSize: the samples of the batch.
  /// - Returns: the totals where the parameters are updated; `nil` where the sums are kept or handed over.
  func append(_ position: BatchPosition, batchSize: Int, in builder: GraphBuilder) throws -> Total?
  {
    try builder.scope("accumulate") {
      let samples = Float(batchSize)
      var items: [Item] = try gradients.map { parameter, gradient in
        let name = builder.graph[parameter.id].name
        if areGradientsSums { return (name, gradient) }
        return (name, try weight.map { try gradient * $0 } ?? gradient.affine(scale: samples))
      }
      items += measured
      items += try statistics.map {
        (builder.graph[$0.parameter.id].name, try $0.gradient.affine(scale: samples))
      }
      if let weight { items.append(("weights", weight)) }
      let values = try sums(items, position, in: builder)
      switch position.result {
      case .kept(let level):
        for (item, value) in zip(items, values) {
          builder.assign(try variable(item, level, in: builder), value)
        }
        return nil
      case .handedOver:
        for (number, places) in buckets(items).enumerated() {
          let bucket =
            keepsLayouts(places)
            ? try Tensor.bucket(places.map { (values[$0], gradients[$0].parameter) })
            : try joined(places.map { values[$0] })
          builder.output(Self.name(ofBucket: number), bucket)
        }
        return nil
      case .update:
        // As the graph of an update reads them that several processes share: the order in which a norm adds up
        // its squares depends on how they lie.
        return try total(
          position.source == .total || isElementwise
            ? values
            : parts(of: items) { _, bucket in try joined(bucket.map { values[$0] }) }, in: builder)
      }
    }
  }

  /// The places of the items in each bucket, about in the order in which a step computes them: what is measured by
  /// itself, then the gradients, those of the last layers first.
  private func buckets(_ items: [Item]) -> [[Int]] {
    let others = Array(gradients.count..<items.count)
    var result: [[Int]] = others.isEmpty ? [] : [others]
    var byteCount = Int.max / 2
    for index in gradients.indices.reversed() {
      let size = items[index].value.type.byteCount
      if byteCount + size > bucketByteCount {
        result.append([])
        byteCount = 0
      }
      result[result.count - 1].append(index)
      byteCount += size
    }
    // Gradients that fill vectors stand in front, where all of them begin with one.
    let vector = 16
    return result.map { places in
      places.filter { items[$0].value.shape.elementCount % vector == 0 }
        + places.filter { items[$0].value.shape.elementCount % vector != 0 }
    }
  }

  /// Whether the values of a bucket lie in it as their parameters are stored, and not row by row.
  private func keepsLayouts(_ places: [Int]) -> Bool {
    isElementwise && places[0] < gradients.count
  }

  /// Values one behind the other: [P].
  private func joined(_ values: [Tensor]) throws -> Tensor {
    let flat = try values.map { try $0.reshape([$0.shape.elementCount]) }
    return flat.count == 1 ? flat[0] : try Tensor.cat(flat)
  }

  /// The values of the items, of buckets that hold them one behind the other.
  private func parts(
    of items: [Item], _ bucket: (_ number: Int, _ places: [Int]) throws -> Tensor
  ) throws -> [Tensor] {
    var values = items.map(\.value)
    for (number, places) in buckets(items).enumerated() {
      let bucket = try bucket(number, places)
      if keepsLayouts(places) {
        let parts = try bucket.bucketParts(places.map { gradients[$0].parameter })
        for (place, part) in zip(places, parts) { values[place] = part }
        continue
      }
      var start = 0
      for place in places {
        let shape = items[place].value.shape
        values[place] = try bucket.narrow(0, start: start, length: shape.elementCount)
          .reshape(shape)
        start += shape.elementCount
      }
    }
    return values
  }

  private func variable(_ item: Item, _ level: Int, in builder: GraphBuilder) throws -> Tensor {
    try builder.variable("\(Self.variablePrefix)\(level).\(item.name)", item.value.type)
  }

  private func sums(
    _ items: [Item], _ position: BatchPosition, in builder: GraphBuilder
  ) throws -> [Tensor] {
    if position.source == .total {
      return try parts(of: items) { number, places in
        let count = places.reduce(0) { $0 + items[$1].value.shape.elementCount }
        return try builder.input(Self.name(ofBucket: number), [count])
      }
    }
    return try items.map { item in
      try position.merges.reduce(item.value) { try variable(item, $1, in: builder) + $0 }
    }
  }

  private func total(_ values: [Tensor], in builder: GraphBuilder) throws -> Total {
    let perSample = try builder.input(Self.scaleInput, [])
    // Where nothing counted in any of the batches the gradients are zeros: no update comes of them.
    let scale =
      try weight.map { _ in
        try values.last!.clamp(min: .leastNormalMagnitude).reciprocal()
      } ?? perSample
    var rest = values[...]
    func next(_ updates: [ParameterUpdate.Update], _ scale: Tensor) throws
      -> [ParameterUpdate.Update]
    {
      try updates.map { ($0.parameter, try rest.removeFirst() * scale) }
    }
    let gradients = try next(gradients, scale)
    let measured = measured.map { ($0.name, rest.removeFirst()) }
    return Total(
      gradients: gradients, measured: measured, statistics: try next(statistics, perSample),
      scale: scale)
  }
}
