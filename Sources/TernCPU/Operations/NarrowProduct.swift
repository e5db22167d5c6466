import TernCore
import TernGraph

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

  /// Below this many elements, the large matrix stays in the cache.
  private static let leastElementCount = 1 << 17

  /// Whether parts are faster than a primitive: as measured for matrices from 2 to 400 MB.
  var isWorthwhile: Bool {
    columns * depth >= Self.leastElementCount
      && (isTransposed ? rows == 1 || (8...48).contains(rows) : rows <= 256)
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
    return Lowering(implementation: "sgemm \(chunk) deep at a time") { addresses in
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
      implementation: "sgemm \(tileRows) rows at a time"
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
