import TernCore
import Testing

/// Types of elements, and numbers as they become another type.
@Suite struct DataTypeTests {
  @Test func everyBitPatternOf16BitsSurvives() {
    for bits in UInt16.min...UInt16.max {
      let half = HalfPrecision.float(bits)
      #expect(half.isNaN || HalfPrecision.bits(half) == bits)
      let brain = HalfPrecision.brainFloat(bits)
      #expect(brain.isNaN || HalfPrecision.brainBits(brain) == bits)
    }
  }

  @Test func roundingIsToTheNearestTiesToEven() {
    #expect(HalfPrecision.brain(1 + 0x1p-8) == 1)
    #expect(HalfPrecision.brain(1 + 0x3p-8) == 1 + 0x4p-8)
    #expect(HalfPrecision.brain(1 + 0x1p-8 + 0x1p-20) == 1 + 0x2p-8)
    #expect(HalfPrecision.brain(.greatestFiniteMagnitude) == .infinity)
    // A NaN whose upper bits are all zero but for the exponent does not become infinite.
    #expect(HalfPrecision.brain(Float(bitPattern: 0x7F80_0001)).isNaN)
    #expect(HalfPrecision.float(HalfPrecision.bits(65519)) == 65504)
    #expect(HalfPrecision.float(HalfPrecision.bits(65520)) == .infinity)
  }

  @Test func integersEndAtTheirRange() {
    let values: [Float] = [-1, 0.9, 1.5, 254.9, 256, 3e9, -3e9, .nan, .infinity]
    let tensor = HostTensor([9], values)
    #expect(tensor.cast(to: .uint8).floats == [0, 0, 1, 254, 255, 255, 0, 0, 255])
    #expect(
      tensor.cast(to: .int32).integers
        == [-1, 0, 1, 254, 256, .max, .min, 0, .max])
  }

  @Test(arguments: DataType.allCases) func bytesAreOfTheType(type: DataType) {
    let tensor = HostTensor([2, 3], [1, 2, 3, 4, 5, 6] as [Float]).cast(to: type)
    #expect(tensor.type == TensorType([2, 3], type))
    #expect(tensor.floats == [1, 2, 3, 4, 5, 6])
    tensor.withUnsafeBytes { bytes in
      #expect(bytes.count == 6 * type.byteCount)
      #expect(HostTensor(tensor.type) { $0.copyMemory(from: bytes) } == tensor)
    }
    #expect(tensor.reshaped([6]).type == TensorType([6], type))
  }
}
