import TernCore
import TernGraph

extension Operations.Bucket: CPUOperation {
  func isSupported(_ inputs: [TensorType]) -> Bool { inputs.allSatisfy { $0.dataType == .float32 } }

  /// Values as the variables beside them are stored, unless there is room between their elements.
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    LayoutAssignment(
      inputs: request.inputs.indices.map { index in
        let variable = request.inputs[index | 1]
        return index % 2 == 1 ? variable.layout : variable.bucketLayout
      }, outputs: [.dense])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let values = stride(from: 0, to: node.inputs.count, by: 2).map { ($0, node.inputs[$0]) }
    return Lowering { addresses in
      var place = addresses.output(0)
      let copies = values.map { index, value in
        defer { place += value.elementCount }
        return context.threads.copy(value.elementCount, addresses.input(index), to: place)
      }.compactMap(\.self)
      return { for copy in copies { try copy() } }
    }
  }
}

extension Operations.BucketParts: CPUOperation {
  func isSupported(_ inputs: [TensorType]) -> Bool { inputs.allSatisfy { $0.dataType == .float32 } }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let variables = request.inputs.dropFirst()
    return LayoutAssignment(
      inputs: [.dense] + variables.map(\.layout), outputs: variables.map(\.bucketLayout))
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    Lowering { addresses in
      var place = addresses.input(0)
      let copies = node.outputs.enumerated().map { index, value in
        defer { place += value.elementCount }
        return context.threads.copy(value.elementCount, place, to: addresses.output(index))
      }.compactMap(\.self)
      return { for copy in copies { try copy() } }
    }
  }
}

extension Operand {
  /// How a value is stored in a bucket beside a variable that is stored like this.
  fileprivate var bucketLayout: Layout { isPadded ? .dense : layout }
}

extension Threads {
  /// What copies elements; `nil` where they are in their place.
  fileprivate func copy(
    _ count: Int, _ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>
  ) -> Step? {
    if source == UnsafePointer(target) { return nil }
    return elementwise(count) { range in
      (target + range.lowerBound).update(from: source + range.lowerBound, count: range.count)
    }
  }
}
