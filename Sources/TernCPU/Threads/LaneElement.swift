import TernCore

/// A number as it is stored, which is computed with as float32. Loops over elements are generic, and are called
/// with a type that is named: one found at run time would leave every element to a call.
protocol LaneElement: BitwiseCopyable {
  /// The nearest number, ties to even.
  init(_ value: Float)
  var float: Float { get }
  static func load(_ lanes: Lanes, _ pointer: UnsafePointer<Self>) -> Vector
  static func store(_ lanes: Lanes, _ vector: Vector, _ pointer: UnsafeMutablePointer<Self>)
}

extension Float: LaneElement {
  @inline(__always)
  var float: Float { self }
  @inline(__always)
  static func load(_ lanes: Lanes, _ pointer: UnsafePointer<Float>) -> Vector {
    lanes.load(pointer)
  }
  @inline(__always)
  static func store(_ lanes: Lanes, _ vector: Vector, _ pointer: UnsafeMutablePointer<Float>) {
    lanes.store(vector, pointer)
  }
}

/// The upper half of a float32.
struct Bfloat16: LaneElement {
  let bits: UInt16

  @inline(__always)
  init(_ value: Float) { bits = HalfPrecision.brainBits(value) }
  @inline(__always)
  var float: Float { HalfPrecision.brainFloat(bits) }

  @inline(__always)
  static func load(_ lanes: Lanes, _ pointer: UnsafePointer<Bfloat16>) -> Vector {
    let bits = lanes.loadVector(
      UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt16.self))
    return unsafeBitCast(SIMD8<UInt32>(truncatingIfNeeded: bits) &<< 16, to: Vector.self)
  }

  @inline(__always)
  static func store(_ lanes: Lanes, _ vector: Vector, _ pointer: UnsafeMutablePointer<Bfloat16>) {
    let bits = unsafeBitCast(vector, to: SIMD8<UInt32>.self)
    let nearest = (bits &+ 0x7FFF &+ (bits &>> 16 & 1)) &>> 16
    // Rounding could carry a NaN into infinity.
    let rounded = nearest.replacing(with: bits &>> 16 | 0x40, where: vector .!= vector)
    lanes.storeVector(
      SIMD8<UInt16>(truncatingIfNeeded: rounded),
      UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt16.self))
  }
}

extension Lanes {
  @inline(__always)
  func load<Element: LaneElement>(_ pointer: UnsafePointer<Element>) -> Vector {
    Element.load(self, pointer)
  }
  @inline(__always)
  func load<Element: LaneElement>(_ pointer: UnsafeMutablePointer<Element>) -> Vector {
    Element.load(self, UnsafePointer(pointer))
  }
  @inline(__always)
  func store<Element: LaneElement>(
    _ vector: Vector, _ pointer: UnsafeMutablePointer<Element>
  ) {
    Element.store(self, vector, pointer)
  }
}

extension Addresses {
  func input<Element: LaneElement>(_ index: Int, of _: Element.Type) -> UnsafePointer<Element> {
    UnsafePointer(inputs[index].assumingMemoryBound(to: Element.self))
  }
  func output<Element: LaneElement>(_ index: Int, of _: Element.Type)
    -> UnsafeMutablePointer<Element>
  {
    outputs[index].assumingMemoryBound(to: Element.self)
  }
}
