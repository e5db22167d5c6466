import TernGraph

/// Planes copied so that a convolution reads vectors of neighbours: padded with zeros, and taken
/// apart into the phases of a stride. See `convolution/packed_planes.cl`.
struct PackedPlanes {
  struct Axis {
    /// Of the planes as they are.
    var extent: Int
    /// Zeros in front.
    var before: Int
    var phases: Int
    var stride: Int
    /// The elements of a phase, zeros included.
    var length: Int
  }

  var h: Axis
  var w: Axis

  /// Elements from one row to the next.
  var pitch: Int { w.length }
  /// The elements of one phase.
  var phaseCount: Int { h.length * w.length }
  /// The elements of a plane in all its phases.
  var count: Int { h.phases * w.phases * phaseCount }

  /// Appends the copy of `count` planes, with `slack` zeros behind the last.
  func encode(_ x: View, into y: View, count: Int, slack: Int = 0, _ encoder: StepEncoder) throws {
    if encoder.architecture == .manyThreads {
      let elements = count * self.count + slack
      return try encoder.map(
        "pack_plane_elements", in: "convolution/copies_threads", count: elements,
        [
          .tensor(x), .tensor(y), .int(elements), .int(h.extent), .int(w.extent), .int(h.before),
          .int(w.before), .divisor(h.phases), .divisor(w.phases), .divisor(h.length),
          .divisor(w.length), .int(count),
        ], defines: ["SH": h.stride, "SW": w.stride])
    }
    try encoder.map(
      "pack_planes", in: "convolution/packed_planes",
      count: count * h.phases * w.phases * h.length + 1,
      groupSize: 16,
      [
        .tensor(x), .tensor(y), .int(count), .int(h.extent), .int(w.extent), .int(h.before),
        .int(w.before), .int(h.phases), .int(w.phases), .int(h.length), .int(w.length),
        .int(slack),
      ], defines: ["SH": h.stride, "SW": w.stride, "V": encoder.architecture.vectorWidth])
  }

  /// Appends the way back for planes of one phase without padding: what lies between the elements
  /// becomes zero.
  func encodeSpreading(_ x: View, into y: View, count: Int, _ encoder: StepEncoder) throws {
    if encoder.architecture == .manyThreads {
      let elements = count * h.extent * w.extent
      return try encoder.map(
        "spread_plane_elements", in: "convolution/copies_threads", count: elements,
        [
          .tensor(x), .tensor(y), .int(elements), .divisor(h.extent), .divisor(w.extent),
          .int(h.length), .int(w.length),
        ], defines: ["SH": h.stride, "SW": w.stride])
    }
    try encoder.map(
      "spread_planes", in: "convolution/packed_planes", count: count * h.extent, groupSize: 16,
      [
        .tensor(x), .tensor(y), .int(count), .int(h.extent), .int(w.extent), .int(h.length),
        .int(w.length),
      ], defines: ["SH": h.stride, "SW": w.stride])
  }
}

extension PackedPlanes {
  /// The input of a convolution, in those phases of the stride that a tap reads.
  init(inputOf g: Conv2DGeometry) {
    func axis(extent: Int, out: Int, kernel: Int, stride: Int, padding: Int, dilation: Int) -> Axis
    {
      let reach = (kernel - 1) * dilation
      return Axis(
        extent: extent, before: padding, phases: min(stride, reach + 1), stride: stride,
        length: out + reach / stride)
    }
    h = axis(
      extent: g.inHeight, out: g.outHeight, kernel: g.kernelHeight,
      stride: g.window.strideHeight, padding: g.window.paddingHeight,
      dilation: g.window.dilationHeight)
    w = axis(
      extent: g.inWidth, out: g.outWidth, kernel: g.kernelWidth, stride: g.window.strideWidth,
      padding: g.window.paddingWidth, dilation: g.window.dilationWidth)
  }

  /// The output gradient in rows of the same pitch, zeros between them, so that it meets the packed
  /// input position by position; at least `positions` of them.
  init(gradientOf g: Conv2DGeometry, pitch: Int, positions: Int) {
    h = Axis(
      extent: g.outHeight, before: 0, phases: 1, stride: 1,
      length: (positions + pitch - 1) / pitch)
    w = Axis(extent: g.outWidth, before: 0, phases: 1, stride: 1, length: pitch)
  }
}
