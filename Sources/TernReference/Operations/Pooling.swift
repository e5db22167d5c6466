import TernCore
import TernGraph

extension Operations.MaxPool2D: ReferenceOperation {
  /// x [N, C, H, W] → y [N, C, OH, OW], indices [N, C, OH, OW]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, y, indices) = (inputs[0], outputs[0], outputs[1])
    let planes = x.shape[0] * x.shape[1]
    let (height, width) = (x.shape[2], x.shape[3])
    let (outHeight, outWidth) = (y.shape[2], y.shape[3])
    let window = window
    return {
      for plane in 0..<planes {
        for i in 0..<outHeight {
          for j in 0..<outWidth {
            // A window that holds padding only keeps these; its index names no element.
            var maximum = -Double.infinity
            var index = -1
            for u in 0..<window.kernelHeight {
              let row = i * window.strideHeight + u * window.dilationHeight - window.paddingHeight
              guard row >= 0, row < height else { continue }
              for v in 0..<window.kernelWidth {
                let column = j * window.strideWidth + v * window.dilationWidth - window.paddingWidth
                guard column >= 0, column < width else { continue }
                let value = x[(plane * height + row) * width + column]
                if index < 0 || value > maximum || value.isNaN {
                  maximum = value
                  index = row * width + column
                }
              }
            }
            let output = (plane * outHeight + i) * outWidth + j
            y[output] = maximum
            indices[output] = Double(index)
          }
        }
      }
    }
  }
}

extension Operations.MaxPool2DBackward: ReferenceOperation {
  /// dy, indices [N, C, OH, OW] → dx [N, C, H, W]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dy, indices, dx) = (inputs[0], inputs[1], outputs[0])
    let area = dx.shape[2] * dx.shape[3]
    let outArea = dy.shape[2] * dy.shape[3]
    return {
      dx.fill(0)
      for i in 0..<dy.count where indices[i] >= 0 {
        dx[i / outArea * area + indices.integer(i)] += dy[i]
      }
    }
  }
}

extension Operations.AvgPool2D: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    window.averaging(countsPadding, from: inputs[0].shape, to: outputs[0].shape)
      .forward(inputs[0], outputs[0])
  }
}

extension Operations.AvgPool2DBackward: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    window.averaging(countsPadding, from: outputs[0].shape, to: inputs[0].shape)
      .backward(inputs[0], outputs[0])
  }
}

extension PoolingWindow {
  /// The mean of every window. An averaging window has no dilation.
  fileprivate func averaging(_ countsPadding: Bool, from input: Shape, to output: Shape)
    -> PlaneResampling
  {
    /// With ceilMode a window may reach beyond the padding; what lies there never counts.
    func taps(_ first: Int, _ kernel: Int, extent: Int, padding: Int) -> [PlaneResampling.Tap] {
      let padded = first..<min(first + kernel, extent + padding)
      let inside = padded.clamped(to: 0..<extent)
      let divisor = Double(countsPadding ? padded.count : inside.count)
      return inside.map { .init(source: $0, weight: 1 / divisor) }
    }
    return PlaneResampling(
      from: input, to: output,
      rowTaps: {
        taps(
          $0 * strideHeight - paddingHeight, kernelHeight, extent: input[2], padding: paddingHeight)
      },
      columnTaps: {
        taps($0 * strideWidth - paddingWidth, kernelWidth, extent: input[3], padding: paddingWidth)
      })
  }
}

extension Operations.AdaptiveAvgPool2D: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    adaptiveAveraging(from: inputs[0].shape, to: outputs[0].shape).forward(inputs[0], outputs[0])
  }
}

extension Operations.AdaptiveAvgPool2DBackward: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    adaptiveAveraging(from: outputs[0].shape, to: inputs[0].shape).backward(inputs[0], outputs[0])
  }
}

/// Output row i averages the input rows ⌊i·H/OH⌋ ..< ⌈(i+1)·H/OH⌉.
private func adaptiveAveraging(from input: Shape, to output: Shape) -> PlaneResampling {
  func taps(_ i: Int, _ extent: Int, _ outExtent: Int) -> [PlaneResampling.Tap] {
    let rows = i * extent / outExtent..<((i + 1) * extent + outExtent - 1) / outExtent
    return rows.map { .init(source: $0, weight: 1 / Double(rows.count)) }
  }
  return PlaneResampling(
    from: input, to: output, rowTaps: { taps($0, input[2], output[2]) },
    columnTaps: { taps($0, input[3], output[3]) })
}

extension Operations.MaxUnpool2D: ReferenceOperation {
  /// x, indices [N, C, H, W] → y [N, C, OH, OW]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, indices, y) = (inputs[0], inputs[1], outputs[0])
    let area = x.shape[2] * x.shape[3]
    let outArea = y.shape[2] * y.shape[3]
    return {
      y.fill(0)
      for i in 0..<x.count {
        y[i / area * outArea + (try indices.integer(i, below: outArea, "indices"))] = x[i]
      }
    }
  }
}

extension Operations.MaxUnpool2DBackward: ReferenceOperation {
  /// dy [N, C, OH, OW], indices [N, C, H, W] → dx [N, C, H, W]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dy, indices, dx) = (inputs[0], inputs[1], outputs[0])
    let area = dx.shape[2] * dx.shape[3]
    let outArea = dy.shape[2] * dy.shape[3]
    return {
      for i in 0..<dx.count {
        dx[i] = dy[i / area * outArea + (try indices.integer(i, below: outArea, "indices"))]
      }
    }
  }
}
