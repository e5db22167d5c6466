import Foundation

/// A picture [C, H, W] in work, its values in [0, 1], with as much memory beside it.
struct Raster {
  var values: UnsafeMutablePointer<Float>
  var scratch: UnsafeMutablePointer<Float>
  let channels: Int
  let height: Int
  let width: Int

  var planeSize: Int { height * width }

  mutating func swapWithScratch() { swap(&values, &scratch) }
}

extension Transform {
  func apply(to raster: inout Raster, colors: [Float], _ draws: inout SampleDraws) {
    switch kind {
    case .flip: if draws.unit() < value { Self.flip(raster) }
    case .verticalFlip: if draws.unit() < value { Self.flipVertically(raster) }
    case .crop: Self.crop(&raster, padding: Int(value), &draws)
    case .rotate:
      let angle = draws.number(in: -value...value) * .pi / 180
      Self.turn(&raster, sine: sin(angle), cosine: cos(angle))
    case .scale:
      // A picture that grows is sampled at smaller steps.
      Self.turn(&raster, sine: 0, cosine: 1 / draws.number(in: 1 - value...1 + value))
    case .hsv: Self.jitter(raster, strength: value, &draws)
    case .fancyPCA: Self.shiftColors(raster, colors, deviation: Float(value), &draws)
    case .erase: if draws.unit() < value { Self.erase(raster, &draws) }
    // Done while the sample was fetched, and with the whole batch.
    case .resizedCrop, .mixup: break
    }
  }

  private static func flip(_ raster: Raster) {
    for row in 0..<raster.channels * raster.height {
      let start = raster.values + row * raster.width
      var (left, right) = (0, raster.width - 1)
      while left < right {
        (start[left], start[right]) = (start[right], start[left])
        left += 1
        right -= 1
      }
    }
  }

  private static func flipVertically(_ raster: Raster) {
    for plane in 0..<raster.channels {
      for y in 0..<raster.height / 2 {
        let upper = raster.values + plane * raster.planeSize + y * raster.width
        let lower =
          raster.values + plane * raster.planeSize + (raster.height - 1 - y) * raster.width
        for x in 0..<raster.width { (upper[x], lower[x]) = (lower[x], upper[x]) }
      }
    }
  }

  /// Shifts by up to `padding` either way; black comes in.
  private static func crop(_ raster: inout Raster, padding: Int, _ draws: inout SampleDraws) {
    let words = draws.words()
    func shift(_ word: UInt32) -> Int {
      Int((UInt64(word) * UInt64(2 * padding + 1)) >> 32) - padding
    }
    let (dx, dy) = (shift(words.0), shift(words.1))
    let (width, height) = (raster.width, raster.height)
    // What of a row comes from the source.
    let (first, end) = (min(max(-dx, 0), width), max(min(width - dx, width), 0))
    for plane in 0..<raster.channels {
      for y in 0..<height {
        let target = raster.scratch + plane * raster.planeSize + y * width
        guard y + dy >= 0, y + dy < height, first < end else {
          target.update(repeating: 0, count: width)
          continue
        }
        let source = raster.values + plane * raster.planeSize + (y + dy) * width
        target.update(repeating: 0, count: first)
        (target + first).update(from: source + first + dx, count: end - first)
        (target + end).update(repeating: 0, count: width - end)
      }
    }
    raster.swapWithScratch()
  }

  /// Samples the picture, bilinearly, on a grid turned about its centre; black comes in.
  private static func turn(_ raster: inout Raster, sine: Double, cosine: Double) {
    let (width, height) = (raster.width, raster.height)
    let (centerX, centerY) = (Double(width - 1) / 2, Double(height - 1) / 2)
    for y in 0..<height {
      for x in 0..<width {
        let (dx, dy) = (Double(x) - centerX, Double(y) - centerY)
        let sourceX = centerX + cosine * dx - sine * dy
        let sourceY = centerY + sine * dx + cosine * dy
        let (left, top) = (Int(sourceX.rounded(.down)), Int(sourceY.rounded(.down)))
        let (fx, fy) = (Float(sourceX - Double(left)), Float(sourceY - Double(top)))
        for plane in 0..<raster.channels {
          let source = raster.values + plane * raster.planeSize
          func value(_ x: Int, _ y: Int) -> Float {
            x >= 0 && x < width && y >= 0 && y < height ? source[y * width + x] : 0
          }
          let upper = value(left, top) * (1 - fx) + value(left + 1, top) * fx
          let lower = value(left, top + 1) * (1 - fx) + value(left + 1, top + 1) * fx
          raster.scratch[plane * raster.planeSize + y * width + x] = upper * (1 - fy) + lower * fy
        }
      }
    }
    raster.swapWithScratch()
  }

  /// Saturation and value to a power of 0.25 to 4, times 0.7 to 1.4, plus -0.1 to 0.1; hue plus
  /// -0.1 to 0.1 of the circle; all nearer to no change where the strength is below 1.
  ///
  /// Source: Dosovitskiy et al., "Discriminative unsupervised feature learning with exemplar
  /// convolutional neural networks", 2014.
  private static func jitter(_ raster: Raster, strength: Double, _ draws: inout SampleDraws) {
    let shift = 0.1 * strength
    func change(_ draws: inout SampleDraws) -> (power: Float, factor: Float, offset: Float) {
      (
        Float(draws.power(from: pow(0.25, strength), to: pow(4, strength))),
        Float(draws.number(in: 1 - 0.3 * strength...1 + 0.4 * strength)),
        Float(draws.number(in: -shift...shift))
      )
    }
    let (saturation, brightness) = (change(&draws), change(&draws))
    let hueOffset = Float(draws.number(in: -shift...shift))
    let plane = raster.planeSize
    for i in 0..<plane {
      let color = (raster.values[i], raster.values[plane + i], raster.values[2 * plane + i])
      var (h, s, v) = hsv(color)
      h += hueOffset
      h -= h.rounded(.down)
      s = min(max(pow(s, saturation.power) * saturation.factor + saturation.offset, 0), 1)
      v = min(max(pow(v, brightness.power) * brightness.factor + brightness.offset, 0), 1)
      let changed = rgb((h, s, v))
      raster.values[i] = changed.0
      raster.values[plane + i] = changed.1
      raster.values[2 * plane + i] = changed.2
    }
  }

  /// Red, green, blue as hue, saturation, value, all in [0, 1].
  static func hsv(_ c: (Float, Float, Float)) -> (Float, Float, Float) {
    let (high, low) = (max(c.0, c.1, c.2), min(c.0, c.1, c.2))
    let range = high - low
    guard range > 0 else { return (0, 0, high) }
    let sector: Float =
      if high == c.0 {
        (c.1 - c.2) / range
      } else if high == c.1 {
        2 + (c.2 - c.0) / range
      } else {
        4 + (c.0 - c.1) / range
      }
    return (sector < 0 ? sector / 6 + 1 : sector / 6, range / high, high)
  }

  static func rgb(_ c: (Float, Float, Float)) -> (Float, Float, Float) {
    let (h, s, v) = (c.0 * 6, c.1, c.2)
    func level(_ n: Float) -> Float {
      let k = (n + h).truncatingRemainder(dividingBy: 6)
      return v - v * s * max(0, min(k, 4 - k, 1))
    }
    return (level(5), level(3), level(1))
  }

  /// Adds to all pixels the same random mixture of the training set's principal colours.
  ///
  /// Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
  /// networks", 2012, section 4.1.
  private static func shiftColors(
    _ raster: Raster, _ colors: [Float], deviation: Float, _ draws: inout SampleDraws
  ) {
    let (first, second) = (draws.normals(), draws.normals())
    let amounts = [first.0 * deviation, first.1 * deviation, second.0 * deviation]
    for channel in 0..<3 {
      var shift: Float = 0
      for component in 0..<3 { shift += amounts[component] * colors[component * 3 + channel] }
      let plane = raster.values + channel * raster.planeSize
      for i in 0..<raster.planeSize { plane[i] = min(max(plane[i] + shift, 0), 1) }
    }
  }

  /// Fills a rectangle of 2 to 33 % of the area with noise.
  ///
  /// Source: Zhong et al., "Random erasing data augmentation", 2017.
  private static func erase(_ raster: Raster, _ draws: inout SampleDraws) {
    for _ in 0..<10 {
      let area = Double(raster.planeSize) * draws.number(in: 0.02...0.33)
      let aspect = draws.power(from: 0.3, to: 1 / 0.3)
      let height = Int((area * aspect).squareRoot().rounded())
      let width = Int((area / aspect).squareRoot().rounded())
      let (u, v) = (draws.unit(), draws.unit())
      guard height > 0, width > 0, height < raster.height, width < raster.width else { continue }
      let top = Int(u * Double(raster.height - height + 1))
      let left = Int(v * Double(raster.width - width + 1))
      for plane in 0..<raster.channels {
        for y in top..<top + height {
          let row = raster.values + plane * raster.planeSize + y * raster.width
          for x in stride(from: left, to: left + width, by: 4) {
            let words = draws.words()
            let noise = SIMD4(words.0, words.1, words.2, words.3)
            for lane in 0..<min(4, left + width - x) {
              row[x + lane] = Float(noise[lane] >> 8) * 0x1p-24
            }
          }
        }
      }
      return
    }
  }
}
