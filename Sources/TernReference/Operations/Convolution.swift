import TernCore
import TernGraph

// A convolution is a sum of products y += w · x. Its three passes go through the same products,
// and each adds to another of the three.

extension Conv2DGeometry {
  /// Calls `body` for every product: an element of y [N, O, OH, OW], of w [O, C/groups, KH, KW] and
  /// of x [N, C, H, W], each by its number when counted row by row.
  fileprivate func forEachProduct(_ body: (_ y: Int, _ w: Int, _ x: Int) -> Void) {
    let channelsPerGroup = inChannels / groups
    let outputsPerGroup = outChannels / groups
    for n in 0..<batch {
      for o in 0..<outChannels {
        let firstChannel = o / outputsPerGroup * channelsPerGroup
        for i in 0..<outHeight {
          for j in 0..<outWidth {
            let y = ((n * outChannels + o) * outHeight + i) * outWidth + j
            for c in 0..<channelsPerGroup {
              for u in 0..<kernelHeight {
                let row = i * window.strideHeight + u * window.dilationHeight - window.paddingHeight
                guard row >= 0, row < inHeight else { continue }
                for v in 0..<kernelWidth {
                  let column =
                    j * window.strideWidth + v * window.dilationWidth - window.paddingWidth
                  guard column >= 0, column < inWidth else { continue }
                  body(
                    y, ((o * channelsPerGroup + c) * kernelHeight + u) * kernelWidth + v,
                    ((n * inChannels + firstChannel + c) * inHeight + row) * inWidth + column)
                }
              }
            }
          }
        }
      }
    }
  }
}

extension Operations.Conv2D: ReferenceOperation {
  /// x [N, C, H, W], w [O, C/groups, KH, KW], b [O] → y [N, O, OH, OW]
  func kernel(_ inputs: [View], _ outputs: [View]) throws -> Kernel {
    let (x, w, y) = (inputs[0], inputs[1], outputs[0])
    let b = inputs.count == 3 ? inputs[2] : nil
    let geometry = try geometry(inputs.map(\.type))
    let (_, channels, area) = y.split(at: 1)
    return {
      for i in 0..<y.count { y[i] = b?[i / area % channels] ?? 0 }
      geometry.forEachProduct { yi, wi, xi in y[yi] += w[wi] * x[xi] }
    }
  }
}

extension Operations.Conv2DBackwardInput: ReferenceOperation {
  /// dy [N, O, OH, OW], w [O, C/groups, KH, KW] → dx [N, C, H, W]
  func kernel(_ inputs: [View], _ outputs: [View]) throws -> Kernel {
    let (dy, w, dx) = (inputs[0], inputs[1], outputs[0])
    let geometry = try geometry(inputs.map(\.type))
    return {
      dx.fill(0)
      geometry.forEachProduct { yi, wi, xi in dx[xi] += w[wi] * dy[yi] }
    }
  }
}

extension Operations.Conv2DBackwardWeight: ReferenceOperation {
  /// x [N, C, H, W], dy [N, O, OH, OW] → dw [O, C/groups, KH, KW], db [O]
  func kernel(_ inputs: [View], _ outputs: [View]) throws -> Kernel {
    let (x, dy, dw) = (inputs[0], inputs[1], outputs[0])
    let db = hasBias ? outputs[1] : nil
    let geometry = try geometry(inputs.map(\.type))
    let (_, channels, area) = dy.split(at: 1)
    return {
      dw.fill(0)
      geometry.forEachProduct { yi, wi, xi in dw[wi] += dy[yi] * x[xi] }
      guard let db else { return }
      db.fill(0)
      for i in 0..<dy.count { db[i / area % channels] += dy[i] }
    }
  }
}
