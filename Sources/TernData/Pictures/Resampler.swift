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
    let factors = scale.factors.map { $0 / 255 }
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
          columns.blend(
            row.baseAddress!, factors: factors, offsets: scale.offsets, to: target,
            planeSize: planeSize)
        } else {
          gather(row.baseAddress!, channels, planeCount, to: target, planeSize: planeSize)
        }
      }
    }
    if channels == 3, planeCount == 3 { return }
    for plane in 0..<planeCount {
      let (factor, offset) = (factors[plane], scale.offsets[plane])
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
  /// The first position that each is a mean of, counted from where `span` begins. There are as many
  /// as make groups of four, those beyond the last the same as it.
  private let starts: [Int]
  /// [⌈count/4⌉, taps, 4].
  private let weights: [Float]

  init(start: Double, length: Double, sourceCount: Int, count: Int) {
    let scale = length / Double(count)
    let support = max(scale, 1)
    // No more pixels than these have their centres nearer than `support`.
    let taps = min(Int((2 * support).rounded(.up)), sourceCount)
    func center(_ position: Int) -> Double { start + (Double(position) + 0.5) * scale }
    func first(_ position: Int) -> Int {
      min(max(Int((center(position) - support + 0.5).rounded(.down)), 0), sourceCount - taps)
    }
    let span = first(0)..<first(count - 1) + taps
    let paddedCount = (count + 3) / 4 * 4
    var weights = [Float](repeating: 0, count: paddedCount * taps)
    starts = (0..<paddedCount).map { padded in
      let position = min(padded, count - 1)
      let (first, center) = (first(position), center(position))
      func weight(_ tap: Int) -> Double {
        max(0, 1 - abs((Double(first + tap) + 0.5 - center) / support))
      }
      let sum = (0..<taps).reduce(0) { $0 + weight($1) }
      // A position outside takes the edge.
      let edge = center < Double(first) + 0.5 ? 0 : taps - 1
      for tap in 0..<taps {
        weights[Self.offset(padded, tap, of: taps)] =
          Float(sum > 0 ? weight(tap) / sum : tap == edge ? 1 : 0)
      }
      return first - span.lowerBound
    }
    self.count = count
    self.sourceCount = sourceCount
    self.taps = taps
    self.span = span
    self.weights = weights
  }

  private static func offset(_ position: Int, _ tap: Int, of taps: Int) -> Int {
    (position / 4 * taps + tap) * 4 + position % 4
  }

  func index(_ position: Int, _ tap: Int) -> Int { span.lowerBound + starts[position] + tap }
  func weight(_ position: Int, _ tap: Int) -> Float {
    weights[Self.offset(position, tap, of: taps)]
  }

  /// A row of three interleaved channels over `span`, and a number after them, into three planes.
  func blend(
    _ row: UnsafePointer<Float>, factors: [Float], offsets: [Float],
    to target: UnsafeMutablePointer<Float>, planeSize: Int
  ) {
    tern_blend_pixels(
      row, starts, weights, taps, factors, offsets, count,
      target, target + planeSize, target + 2 * planeSize)
  }
}
