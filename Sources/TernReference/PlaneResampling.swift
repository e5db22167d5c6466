import TernCore

/// A linear map of planes that works on rows and columns independently:
/// y[n, c, i, j] = Σ over the taps of row i and of column j of
/// rowTap.weight · columnTap.weight · x[n, c, rowTap.source, columnTap.source].
///
/// Average pooling, adaptive pooling and interpolation are this, with different taps. The backward
/// pass goes through the same terms and carries the gradient the other way.
struct PlaneResampling {
  /// A row or column of the input, and how much of it goes into one of the output.
  struct Tap {
    let source: Int
    let weight: Double
  }

  private let rows: [[Tap]]
  private let columns: [[Tap]]
  private let planes: Int
  private let inHeight: Int
  private let inWidth: Int

  /// - Parameters:
  ///   - input: [N, C, H, W]
  ///   - output: [N, C, OH, OW]
  ///   - rowTaps: the taps of output row i, of OH
  ///   - columnTaps: the taps of output column j, of OW
  init(
    from input: Shape, to output: Shape, rowTaps: (_ i: Int) -> [Tap],
    columnTaps: (_ j: Int) -> [Tap]
  ) {
    planes = input[0] * input[1]
    (inHeight, inWidth) = (input[2], input[3])
    rows = (0..<output[2]).map(rowTaps)
    columns = (0..<output[3]).map(columnTaps)
  }

  /// Calls `body` for every term: an element of y, the element of x it takes, and its weight.
  private func forEachTerm(_ body: (_ y: Int, _ x: Int, _ weight: Double) -> Void) {
    for plane in 0..<planes {
      for i in rows.indices {
        for j in columns.indices {
          for row in rows[i] {
            for column in columns[j] {
              body(
                (plane * rows.count + i) * columns.count + j,
                (plane * inHeight + row.source) * inWidth + column.source,
                row.weight * column.weight)
            }
          }
        }
      }
    }
  }

  /// x [N, C, H, W] → y [N, C, OH, OW]
  func forward(_ x: View, _ y: View) -> Kernel {
    {
      y.fill(0)
      forEachTerm { output, input, weight in y[output] += weight * x[input] }
    }
  }

  /// dy [N, C, OH, OW] → dx [N, C, H, W]
  func backward(_ dy: View, _ dx: View) -> Kernel {
    {
      dx.fill(0)
      forEachTerm { output, input, weight in dx[input] += weight * dy[output] }
    }
  }
}
