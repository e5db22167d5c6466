import Foundation
import TernCore
import TernGraph

// Scores exist only as blocks of queries × keys, in the workspace: one block per thread, forward;
// two, backward.

extension Operations.Attention: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let shape = AttentionShape(node.inputs.map(\.shape), isCausal: isCausal, scale: scale)
    let perThread = shape.block * shape.block + shape.block
    return Lowering(workspaceByteCount: context.threads.count * perThread * 4) { addresses in
      let (q, k, v) = (addresses.input(0), addresses.input(1), addresses.input(2))
      let (output, normalizers) = (addresses.output(0), addresses.output(1))
      let workspace = addresses.workspace()
      let blocks = shape.queryBlocks
      return context.threads.partitioned(shape.batch * blocks) { range, part in
        for item in range {
          let (b, block) = item.quotientAndRemainder(dividingBy: blocks)
          let rows = shape.rows(block)
          ForwardBlock(
            shape: shape, rows: rows,
            query: q + (b * shape.queries + rows.lowerBound) * shape.depth,
            keys: k + b * shape.keys * shape.depth, values: v + b * shape.keys * shape.width,
            output: output + (b * shape.queries + rows.lowerBound) * shape.width,
            normalizers: normalizers + b * shape.queries + rows.lowerBound,
            scores: workspace + part * perThread,
            sums: workspace + part * perThread + shape.block * shape.block
          ).run()
        }
      }
    }
  }
}

extension Operations.AttentionBackward: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let shape = AttentionShape(
      Array(node.inputs[1...3].map(\.shape)), isCausal: isCausal, scale: scale)
    let perThread = 2 * shape.block * shape.block + shape.queries
    return Lowering(workspaceByteCount: context.threads.count * perThread * 4) { addresses in
      let inputs = (0..<6).map(addresses.input)
      let (dq, dk, dv) = (addresses.output(0), addresses.output(1), addresses.output(2))
      let workspace = addresses.workspace()
      // Query blocks add to the gradients of the same keys, so a batch element stays on one thread;
      // a single one leaves the threads to the matrix products.
      return context.threads.partitioned(shape.batch) { range, part in
        let scratch = workspace + part * perThread
        for b in range {
          let (q, k, v) = (
            b * shape.queries * shape.depth, b * shape.keys * shape.depth,
            b * shape.keys * shape.width
          )
          let y = b * shape.queries * shape.width
          BackwardBatch(
            shape: shape, gradient: inputs[0] + y, queries: inputs[1] + q, keys: inputs[2] + k,
            values: inputs[3] + v, output: inputs[4] + y,
            normalizers: inputs[5] + b * shape.queries, queryGradient: dq + q,
            keyGradient: dk + k, valueGradient: dv + v, weights: scratch,
            gradients: scratch + shape.block * shape.block,
            products: scratch + 2 * shape.block * shape.block
          ).run()
        }
      }
    }
  }
}

/// Queries [B, L, E], keys [B, S, E], values [B, S, V], cut into blocks.
private struct AttentionShape {
  let batch: Int
  let queries: Int
  let keys: Int
  let depth: Int
  let width: Int
  let isCausal: Bool
  let scale: Float
  /// Queries and keys per block: the block of scores stays in the second-level cache.
  let block = 128

  init(_ shapes: [Shape], isCausal: Bool, scale: Float) {
    (batch, queries, depth) = (shapes[0][0], shapes[0][1], shapes[0][2])
    (keys, width) = (shapes[1][1], shapes[2][2])
    self.isCausal = isCausal
    self.scale = scale
  }

  var queryBlocks: Int { (queries + block - 1) / block }
  var keyBlocks: Int { (keys + block - 1) / block }
  func rows(_ index: Int) -> Range<Int> { index * block..<min((index + 1) * block, queries) }
  func columns(_ index: Int) -> Range<Int> { index * block..<min((index + 1) * block, keys) }

  /// Whether no query of `rows` sees any key of `columns`.
  func hides(_ rows: Range<Int>, _ columns: Range<Int>) -> Bool {
    isCausal && columns.lowerBound >= rows.upperBound
  }

  /// How many keys of `columns` a query sees.
  func visible(_ row: Int, _ columns: Range<Int>) -> Int {
    isCausal
      ? max(0, min(columns.count, row + 1 - columns.lowerBound)) : columns.count
  }
}

/// The output of one block of queries: runs over the keys and keeps, per query, the largest score
/// so far and the sum of the weights relative to it.
private struct ForwardBlock {
  let shape: AttentionShape
  let rows: Range<Int>
  let query: UnsafePointer<Float>
  let keys: UnsafePointer<Float>
  let values: UnsafePointer<Float>
  let output: UnsafeMutablePointer<Float>
  /// Holds the largest score of each query until the end.
  let normalizers: UnsafeMutablePointer<Float>
  let scores: UnsafeMutablePointer<Float>
  let sums: UnsafeMutablePointer<Float>

  func run() {
    output.update(repeating: 0, count: rows.count * shape.width)
    normalizers.update(repeating: -.infinity, count: rows.count)
    sums.update(repeating: 0, count: rows.count)
    for block in 0..<shape.keyBlocks {
      let columns = shape.columns(block)
      if shape.hides(rows, columns) { break }
      multiply(
        MatrixView(query, stride: shape.depth),
        MatrixView(keys + columns.lowerBound * shape.depth, stride: shape.depth).transposed,
        m: rows.count, n: columns.count, k: shape.depth, scale: shape.scale, into: scores,
        stride: columns.count)
      for row in 0..<rows.count { weigh(row, columns) }
      multiply(
        MatrixView(scores, stride: columns.count),
        MatrixView(values + columns.lowerBound * shape.width, stride: shape.width),
        m: rows.count, n: shape.width, k: columns.count, adding: true, into: output,
        stride: shape.width)
    }
    for row in 0..<rows.count {
      let scale = 1 / sums[row]
      let output = output + row * shape.width
      forEachLanes(in: 0..<shape.width) { $0.store($0.load(output) * scale, output) }
      normalizers[row] += log(sums[row])
    }
  }

  /// Turns the scores of a query into weights, and rescales what it has summed so far.
  private func weigh(_ row: Int, _ columns: Range<Int>) {
    let scores = scores + row * columns.count
    let visible = shape.visible(rows.lowerBound + row, columns)
    (scores + visible).update(repeating: 0, count: columns.count - visible)
    guard visible > 0 else { return }
    let largest = max(normalizers[row], Lanes.maximum(scores, visible))
    var sum = Vector(repeating: 0)
    forEachLanes(in: 0..<visible) { lanes in
      let weight = (lanes.load(scores) - largest).exponential
      lanes.store(weight, scores)
      sum += lanes.masking(weight)
    }
    if largest > normalizers[row] {
      let correction = exp(normalizers[row] - largest)
      let output = output + row * shape.width
      forEachLanes(in: 0..<shape.width) { $0.store($0.load(output) * correction, output) }
      sums[row] *= correction
      normalizers[row] = largest
    }
    sums[row] += sum.laneSum
  }
}

/// The gradients of one batch element. With weights P = e^(scores − normaliser):
/// dV = Pᵀ dO, dP = dO Vᵀ, dS = P ⊙ (dP − Σ dO ⊙ O), dQ = scale · dS K, dK = scale · dSᵀ Q.
private struct BackwardBatch {
  let shape: AttentionShape
  let gradient: UnsafePointer<Float>
  let queries: UnsafePointer<Float>
  let keys: UnsafePointer<Float>
  let values: UnsafePointer<Float>
  let output: UnsafePointer<Float>
  let normalizers: UnsafePointer<Float>
  let queryGradient: UnsafeMutablePointer<Float>
  let keyGradient: UnsafeMutablePointer<Float>
  let valueGradient: UnsafeMutablePointer<Float>
  let weights: UnsafeMutablePointer<Float>
  let gradients: UnsafeMutablePointer<Float>
  /// Per query, Σ dO ⊙ O.
  let products: UnsafeMutablePointer<Float>

  func run() {
    queryGradient.update(repeating: 0, count: shape.queries * shape.depth)
    keyGradient.update(repeating: 0, count: shape.keys * shape.depth)
    valueGradient.update(repeating: 0, count: shape.keys * shape.width)
    for row in 0..<shape.queries {
      let (dy, y) = (gradient + row * shape.width, output + row * shape.width)
      var sum = Vector(repeating: 0)
      forEachLanes(in: 0..<shape.width) { sum += $0.load(dy) * $0.load(y) }
      products[row] = sum.laneSum
    }
    for keyBlock in 0..<shape.keyBlocks {
      let columns = shape.columns(keyBlock)
      for queryBlock in 0..<shape.queryBlocks {
        let rows = shape.rows(queryBlock)
        if !shape.hides(rows, columns) { run(rows, columns) }
      }
    }
  }

  private func run(_ rows: Range<Int>, _ columns: Range<Int>) {
    let (m, n) = (rows.count, columns.count)
    let query = MatrixView(queries + rows.lowerBound * shape.depth, stride: shape.depth)
    let key = MatrixView(keys + columns.lowerBound * shape.depth, stride: shape.depth)
    let value = MatrixView(values + columns.lowerBound * shape.width, stride: shape.width)
    let dy = MatrixView(gradient + rows.lowerBound * shape.width, stride: shape.width)
    let weights = MatrixView(self.weights, stride: n)
    let scores = MatrixView(gradients, stride: n)
    multiply(
      query, key.transposed, m: m, n: n, k: shape.depth, scale: shape.scale, into: self.weights,
      stride: n)
    multiply(dy, value.transposed, m: m, n: n, k: shape.width, into: gradients, stride: n)
    for row in 0..<m { differentiate(row, rows, columns) }
    multiply(
      weights.transposed, dy, m: n, n: shape.width, k: m, adding: true,
      into: valueGradient + columns.lowerBound * shape.width, stride: shape.width)
    multiply(
      scores, key, m: m, n: shape.depth, k: n, scale: shape.scale, adding: true,
      into: queryGradient + rows.lowerBound * shape.depth, stride: shape.depth)
    multiply(
      scores.transposed, query, m: n, n: shape.depth, k: m, scale: shape.scale, adding: true,
      into: keyGradient + columns.lowerBound * shape.depth, stride: shape.depth)
  }

  /// Turns the scores of a query into weights, and the gradients of the weights into those of the
  /// scores.
  private func differentiate(_ row: Int, _ rows: Range<Int>, _ columns: Range<Int>) {
    let weights = weights + row * columns.count
    let gradients = gradients + row * columns.count
    let visible = shape.visible(rows.lowerBound + row, columns)
    let normalizer = normalizers[rows.lowerBound + row]
    let product = products[rows.lowerBound + row]
    forEachLanes(in: 0..<visible) { lanes in
      let weight = (lanes.load(weights) - normalizer).exponential
      lanes.store(weight, weights)
      lanes.store(weight * (lanes.load(gradients) - product), gradients)
    }
    (weights + visible).update(repeating: 0, count: columns.count - visible)
    (gradients + visible).update(repeating: 0, count: columns.count - visible)
  }
}
