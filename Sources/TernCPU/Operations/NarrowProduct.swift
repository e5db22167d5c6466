import TernCore
import TernGraph
import TernRuntime

/// A product of a matrix of few rows with a large one: what a linear layer does with a small batch.
///
/// It is a matter of reading the large matrix once. oneDNN's matmul primitives rearrange it first,
/// which takes longer than the arithmetic; `dnnl_sgemm` on parts of it does not.
struct NarrowProduct {
  /// M, N and K of y [M, N] = x [M, K] · W [K, N].
  let rows: Int
  let columns: Int
  let depth: Int
  /// Whether W is stored as [N, K].
  let isTransposed: Bool

  static let name = "sgemm"

  /// Parts or a primitive. oneDNN's matmul reads the large matrix, writes it in another order and reads that;
  /// parts read it once where it does not stay in the cache, but their own overhead grows with the rows: as
  /// measured for matrices from 2 to 400 MB.
  ///
  /// - Parameter kind: what tells operations of the same sizes apart.
  func candidates(_ kind: String) -> CandidateProblem {
    let count = Double(columns * depth)
    let isCached = 4 * columns * depth < HostCache.secondLevelByteCount / 2
    // A byte of memory takes as long as eight operations.
    let reading = isCached ? 0 : 4 * 8.0
    let products = 2 * Double(rows)
    let overhead: Double
    switch rows {
    case _ where !isTransposed: overhead = Double(rows) / 4
    case 1: overhead = 1
    // Fewer rows than a kernel of sgemm computes at once.
    case ..<8: overhead = 65
    default: overhead = Double(64 * rows) / 48
    }
    return CandidateProblem(
      "matmul 1x\(rows)x\(columns)x\(depth) n\(isTransposed ? "t" : "n") \(kind)",
      [
        Candidate(Self.name, cost: count * (products + overhead + reading)),
        Candidate(ConvolutionCandidates.library, cost: count * (products + 3 * reading)),
      ])
  }

  /// x is input 0 and W is input 1.
  ///
  /// - Parameters:
  ///   - hasBias: whether input 2 [N] is added.
  ///   - rectifies: whether negative results become 0.
  func lowering(_ context: CPUContext, hasBias: Bool, rectifies: Bool) -> Lowering {
    if isTransposed { return byTransposition(context, hasBias, rectifies) }
    precondition(!hasBias && !rectifies)
    return byDepth(context)
  }

  /// Adds up products with a few rows of W, which fit the cache.
  private func byDepth(_ context: CPUContext) -> Lowering {
    let chunk = rows <= 16 ? 32 : 64
    return Lowering(implementation: Lowering.name(Self.name, calling: "\(chunk) deep at a time")) {
      addresses in
      let (x, w, y) = (addresses.input(0), addresses.input(1), addresses.output(0))
      // Columns in whole cache lines.
      return context.threads.loop(columns, grain: 256, alignment: 16) { range in
        for start in stride(from: 0, to: depth, by: chunk) {
          multiply(
            MatrixView(x + start, stride: depth),
            MatrixView(w + start * columns + range.lowerBound, stride: columns), m: rows,
            n: range.count, k: min(chunk, depth - start), adding: start > 0,
            into: y + range.lowerBound, stride: columns)
        }
      }
    }
  }

  /// Computes yᵀ = W · xᵀ, some rows of W at a time, so that the large matrix is the one that
  /// `dnnl_sgemm` streams, and turns it over.
  private func byTransposition(
    _ context: CPUContext, _ hasBias: Bool, _ rectifies: Bool
  ) -> Lowering {
    let tileRows = min(columns, 1024)
    return Lowering(
      workspaceByteCount: 4 * tileRows * rows * context.threads.count,
      implementation: Lowering.name(Self.name, calling: "\(tileRows) rows at a time")
    ) { addresses in
      let (x, w, y) = (addresses.input(0), addresses.input(1), addresses.output(0))
      let bias = hasBias ? addresses.input(2) : nil
      let tiles = addresses.workspace()
      return context.threads.partitioned(columns, grain: 64, alignment: 16) { range, part in
        let tile = tiles + part * tileRows * rows
        for first in stride(from: range.lowerBound, to: range.upperBound, by: tileRows) {
          let count = min(tileRows, range.upperBound - first)
          multiply(
            MatrixView(w + first * depth, stride: depth),
            MatrixView(x, stride: depth, isTransposed: true), m: count, n: rows, k: depth,
            into: tile, stride: rows)
          for row in 0..<rows {
            let output = y + row * columns + first
            for column in 0..<count {
              let value = tile[column * rows + row] + (bias?[first + column] ?? 0)
              output[column] = rectifies && value < 0 ? 0 : value
            }
          }
        }
      }
    }
  }
}
