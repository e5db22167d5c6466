import Foundation
import TernCore
import TernData
import Testing

/// Pictures are resized as the definition of the triangle filter says, in Double.
@Suite struct ResamplingTests {
  struct Sizes: CustomTestStringConvertible, Sendable {
    let source: (width: Int, height: Int)
    let target: (width: Int, height: Int)
    let channels: Int
    var testDescription: String { "\(source) to \(target), \(channels) channels" }
  }

  /// Grown, shrunk by odd factors, both at once; single rows; widths that are no multiple of a vector.
  static let sizes = [3, 1].flatMap { channels in
    [
      ((7, 5), (13, 9)), ((40, 31), (9, 7)), ((40, 31), (8, 31)), ((12, 50), (30, 4)),
      ((1, 1), (5, 3)), ((64, 1), (3, 2)), ((33, 20), (33, 20)), ((100, 9), (1, 1)),
    ].map { Sizes(source: $0.0, target: $0.1, channels: channels) }
  }

  /// The weights of the source positions for a target position, [0, `count`).
  private func weights(_ position: Int, of targetCount: Int, from count: Int) -> [Double] {
    let scale = Double(count) / Double(targetCount)
    let center = (Double(position) + 0.5) * scale
    let weights = (0..<count).map { max(0, 1 - abs(Double($0) + 0.5 - center) / max(scale, 1)) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }

  @Test(arguments: sizes)
  func valuesAreTheMeansOfTheDefinition(sizes: Sizes) throws {
    let (source, target, channels) = (sizes.source, sizes.target, sizes.channels)
    let draws = Philox(seed: 11, stream: .augmentation)
    let pixels = draws.uniforms(source.width * source.height * channels).map { UInt8($0 * 256) }
    let path = NSTemporaryDirectory() + "tern-resampling-\(UUID().uuidString).png"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try PNGWriter.encoded(
      pixels, width: source.width, height: source.height, channels: channels
    ).write(to: URL(fileURLWithPath: path))
    let frame = PictureFrame([3, target.height, target.width], view: .squash(part: 1))
    let values = try frame.values(ofFile: path)
    for plane in 0..<3 {
      for y in 0..<target.height {
        let rows = weights(y, of: target.height, from: source.height)
        for x in 0..<target.width {
          let columns = weights(x, of: target.width, from: source.width)
          var expected = 0.0
          for (row, rowWeight) in rows.enumerated() where rowWeight > 0 {
            for (column, weight) in columns.enumerated() where weight > 0 {
              let index = (row * source.width + column) * channels + min(plane, channels - 1)
              expected += rowWeight * weight * Double(pixels[index]) / 255
            }
          }
          let value = values[(plane * target.height + y) * target.width + x]
          #expect(abs(Double(value) - expected) < 1e-6)
        }
      }
    }
  }
}
