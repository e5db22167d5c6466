import CMicrokernels

/// Resizes a part of a picture with a triangle filter: bilinear where it grows, an average weighted by
/// distance where it shrinks, so that nothing is skipped.
struct Resampler {
  private let width: Int
  private let rows: AxisWeights
  private let columns: AxisWeights

  /// - Parameters:
  ///   - source: width and height of the whole picture.
  ///   - target: width and height of the result.
  init(_ region: PictureRegion, of source: (Int, Int), to target: (Int, Int)) {
    width = source.0
    columns = AxisWeights(
      start: region.x, length: region.width, sourceCount: source.0, count: target.0)
    rows = AxisWeights(
      start: region.y, length: region.height, sourceCount: source.1, count: target.1)
  }

  /// Resizes `count` planes of floats, each by itself.
  func resample(
    planes: UnsafePointer<Float>, count: Int, to destination: UnsafeMutablePointer<Float>
  ) {
    let sourceSize = width * rows.sourceCount
    let targetSize = rows.count * columns.count
    withUnsafeTemporaryAllocation(of: Float.self, capacity: columns.span.count) { row in
      for plane in 0..<count {
        for y in 0..<rows.count {
          row.update(repeating: 0)
          for tap in 0..<rows.taps {
            let weight = rows.weight(y, tap)
            let source =
              planes + plane * sourceSize + rows.index(y, tap) * width + columns.span.lowerBound
            for x in 0..<row.count { row[x] += weight * source[x] }
          }
          let target = destination + plane * targetSize + y * columns.count
          for x in 0..<columns.count {
            var sum: Float = 0
            for tap in 0..<columns.taps {
              sum += columns.weight(x, tap) * row[columns.index(x, tap) - columns.span.lowerBound]
            }
            target[x] = sum
          }
        }
      }
    }
  }

  /// Resizes bytes [H, W, C] into planes [`planeCount`, H, W] of scaled values in [0, 1].
  ///
  /// Grey becomes three equal planes, colours become their luminance (BT.601), where the counts ask
  /// for it.
  func resample(
    _ picture: Picture, planeCount: Int, scale: ChannelScale,
    to destination: UnsafeMutablePointer<Float>
  ) {
    let channels = picture.channels
    let (first, length) = (columns.span.lowerBound * channels, columns.span.count * channels)
    let planeSize = rows.count * columns.count
    func vector(_ values: [Float]) -> SIMD4<Float> {
      planeCount == 3 ? SIMD4(values[0], values[1], values[2], 0) : .zero
    }
    let (factors, offsets) = (vector(scale.factors) / 255, vector(scale.offsets))
    // One more than there is, so that three channels can be read as a vector of four.
    withUnsafeTemporaryAllocation(of: Float.self, capacity: length + 1) { row in
      row[length] = 0
      for y in 0..<rows.count {
        // Down the columns first: that is along whole rows, which vector units like. Four source
        // rows at once, so that the sums stay in registers; one without weight is read for nothing.
        for group in stride(from: 0, to: rows.taps, by: 4) {
          func source(_ tap: Int) -> tern_weighted_row {
            let isThere = group + tap < rows.taps
            let index = rows.index(y, isThere ? group + tap : group)
            return tern_weighted_row(
              bytes: picture.bytes + index * width * channels + first,
              weight: isThere ? rows.weight(y, group + tap) : 0)
          }
          tern_blend_rows(
            source(0), source(1), source(2), source(3), length, group > 0, row.baseAddress!)
        }
        let target = destination + y * columns.count
        if channels == 3, planeCount == 3 {
          columns.gather3(
            row.baseAddress!, to: target, planeSize: planeSize, factors: factors, offsets: offsets)
        } else {
          gather(row.baseAddress!, channels, planeCount, to: target, planeSize: planeSize)
        }
      }
    }
    if channels == 3, planeCount == 3 { return }
    for plane in 0..<planeCount {
      let (factor, offset) = (scale.factors[plane] / 255, scale.offsets[plane])
      let target = destination + plane * planeSize
      for i in 0..<planeSize { target[i] = target[i] * factor + offset }
    }
  }

  private func gather(
    _ row: UnsafePointer<Float>, _ channels: Int, _ planeCount: Int,
    to target: UnsafeMutablePointer<Float>, planeSize: Int
  ) {
    for x in 0..<columns.count {
      var sums: (Float, Float, Float) = (0, 0, 0)
      for tap in 0..<columns.taps {
        let weight = columns.weight(x, tap)
        let source = row + (columns.index(x, tap) - columns.span.lowerBound) * channels
        sums.0 += weight * source[0]
        if channels == 3 {
          sums.1 += weight * source[1]
          sums.2 += weight * source[2]
        }
      }
      let grey = channels == 1 ? sums.0 : 0.299 * sums.0 + 0.587 * sums.1 + 0.114 * sums.2
      for plane in 0..<planeCount { target[plane * planeSize + x] = grey }
    }
  }
}

/// The source positions and weights of every target position along one axis.
struct AxisWeights {
  let count: Int
  let sourceCount: Int
  /// Positions that a target position is a mean of; some weights may be 0.
  let taps: Int
  /// The source positions that are read at all.
  let span: Range<Int>
  private let starts: [Int]
  private let weights: [Float]

  init(start: Double, length: Double, sourceCount: Int, count: Int) {
    let scale = length / Double(count)
    let support = max(scale, 1)
    // No more pixels than these have their centres nearer than `support`.
    let taps = min(Int((2 * support).rounded(.up)), sourceCount)
    var starts: [Int] = []
    var weights: [Float] = []
    weights.reserveCapacity(count * taps)
    for position in 0..<count {
      let center = start + (Double(position) + 0.5) * scale
      let first = min(max(Int((center - support + 0.5).rounded(.down)), 0), sourceCount - taps)
      var row = (0..<taps).map { max(0, 1 - abs((Double(first + $0) + 0.5 - center) / support)) }
      let sum = row.reduce(0, +)
      // A position outside takes the edge.
      if sum <= 0 { row[center < Double(first) + 0.5 ? 0 : taps - 1] = 1 }
      starts.append(first)
      weights += row.map { Float(sum > 0 ? $0 / sum : $0) }
    }
    self.count = count
    self.sourceCount = sourceCount
    self.taps = taps
    self.starts = starts
    self.weights = weights
    span = starts.min()!..<starts.max()! + taps
  }

  func index(_ position: Int, _ tap: Int) -> Int { starts[position] + tap }
  func weight(_ position: Int, _ tap: Int) -> Float { weights[position * taps + tap] }

  /// One row of three interleaved channels and a number after them, into three planes.
  func gather3(
    _ row: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, planeSize: Int,
    factors: SIMD4<Float>, offsets: SIMD4<Float>
  ) {
    func pixel(_ source: UnsafePointer<Float>, _ tap: Int) -> SIMD4<Float> {
      UnsafeRawPointer(source + 3 * tap).loadUnaligned(as: SIMD4<Float>.self)
    }
    weights.withUnsafeBufferPointer { weights in
      starts.withUnsafeBufferPointer { starts in
        var weight = weights.baseAddress!
        for x in 0..<count {
          var source = row + (starts[x] - span.lowerBound) * 3
          var (sum, other) = (SIMD4<Float>.zero, SIMD4<Float>.zero)
          for _ in 0..<taps / 2 {
            sum += weight[0] * pixel(source, 0)
            other += weight[1] * pixel(source, 1)
            source += 6
            weight += 2
          }
          if taps % 2 == 1 {
            sum += weight[0] * pixel(source, 0)
            weight += 1
          }
          sum = (sum + other) * factors + offsets
          target[x] = sum[0]
          target[planeSize + x] = sum[1]
          target[2 * planeSize + x] = sum[2]
        }
      }
    }
  }
}
