import TernCore
import TernGraph

extension Operations.SumOfTensors: OpenCLOperation {
  /// The tensors of a launch, where they are several; the kernel's TOGETHER.
  private static let together = Together.mostPlaces(tensors: 1, beside: 64)
  /// The elements that a group adds up: enough for its work-items to have several loads under way.
  private static let share = 1 << 14

  private func groupCount(_ elementCount: Int) -> Int {
    max(1, (elementCount + Self.share - 1) / Self.share)
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int { 4 * inputs.reduce(0) { $0 + groupCount($1.elementCount) } }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let total = x.reduce(0) { $0 + groupCount($1.count) }
    let sums = encoder.scratch(0, count: total)
    var first = 0
    for start in stride(from: 0, to: x.count, by: Self.together) {
      let tensors = Array(x[start..<min(start + Self.together, x.count)])
      let together = tensors.count == 1 ? 1 : Self.together
      var defines = [
        "TOGETHER": together, "V": encoder.architecture.vectorWidth(upTo: Self.share),
      ]
      if encoder.isAligned(tensors.map(Argument.tensor)) {
        defines.merge(["V": 4, "ALIGNED": 1]) { $1 }
      }
      if isOfSquares { defines["SQUARES"] = 1 }
      var arguments: [Argument] = []
      var groups = 0
      for index in 0..<together {
        // Places that are left have no groups.
        let isThere = index < tensors.count
        let tensor = tensors[isThere ? index : 0]
        arguments += [.int(groups), .int(isThere ? tensor.count : 0), .tensor(tensor)]
        if isThere { groups += groupCount(tensor.count) }
      }
      arguments += [
        .tensor(sums.moved(by: first)), .int(Self.share), encoder.rowScratch,
      ]
      encoder.groups(
        "sum_of_tensors", in: "reduction/sum_of_tensors", upTo: encoder.device.rowGroup, arguments,
        defines: defines
      ) { [groups] size in (groups, ["GROUP": size]) }
      first += groups
    }
    try encoder.sumParts(sums, into: y[0], parts: total)
  }
}
