import CMicrokernels
import TernCore
import TernGraph

/// Chains of tensors of one shape, a block at a time, so that what is in between never leaves the cache.
extension Operations.ElementwiseChain: CPUOperation {
  /// The chains that the processor computes in one: more links would not fit the first-level cache.
  static let claim = ElementwiseClaim(
    links: 9, tensors: .max, outputs: 1, readsAnyPlace: false, types: [.float32, .bfloat16])

  func isSupported(_ inputs: [TensorType]) -> Bool {
    writes == [.link(links.count - 1)] && (2...Self.claim.links).contains(links.count)
      && inputs.allSatisfy { $0.shape == shape }
      && reads.enumerated().allSatisfy { $1 == Read(input: $0, views: []) }
      && !links.flatMap(\.operands).contains { if case .number = $0 { true } else { false } }
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { isSupported(inputs) }

  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.passedOn }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    .following(request, keepsPadding: links.allSatisfy(\.function.keepsPadding))
  }

  /// The elements of a block: with eight links in between, all are in the first-level cache.
  private static let blockLength = Bfloat16Blocks.length

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.outputs[0].storedCount
    let scratchLength = (links.count - 1) * Self.blockLength
    let links = links
    if node.outputs[0].type.dataType == .bfloat16 { return lowerBfloat16(node, context) }
    return Lowering(workspaceByteCount: 4 * scratchLength * context.threads.count) { addresses in
      let inputs = node.inputs.indices.map(addresses.input)
      let (output, scratch) = (addresses.output(0), addresses.workspace())
      let kernels = links.map(\.function.kernel)
      return context.threads.partitioned(
        count, grain: Threads.elementwiseGrain, alignment: 16
      ) { range, part in
        let blocks = scratch + part * scratchLength
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.blockLength) {
          let length = min(Self.blockLength, range.upperBound - start)
          func address(_ operand: Operand) -> UnsafePointer<Float> {
            switch operand {
            case .read(let index): inputs[index] + start
            case .link(let index): UnsafePointer(blocks + index * Self.blockLength)
            case .number: preconditionFailure("numbers are not claimed")
            }
          }
          for index in links.indices {
            let operands = links[index].operands
            let result =
              index == links.count - 1 ? output + start : blocks + index * Self.blockLength
            switch kernels[index] {
            case .unary(let kernel): kernel(address(operands[0]), result, length)
            case .binary(let kernel):
              kernel(address(operands[0]), address(operands[1]), result, length)
            }
          }
        }
      }
    }
  }
}

extension Operations.ElementwiseChain {
  /// The same of values stored in bfloat16: a block of each input is widened, then a block of each link follows.
  private func lowerBfloat16(_ node: Signature, _ context: CPUContext) -> Lowering {
    let count = node.outputs[0].storedCount
    let (links, inputCount, size) = (links, node.inputs.count, Self.blockLength)
    let blocks = inputCount + links.count
    return Lowering(
      workspaceByteCount: Bfloat16Blocks.workspaceByteCount(blocks, context.threads)
    ) { addresses in
      let inputs = node.inputs.indices.map(addresses.bfloat16Input)
      let output = addresses.bfloat16Output(0)
      let kernels = links.map(\.function.kernel)
      return context.threads.bfloat16Blocks(count, blocks, addresses.workspace()) {
        start, length, scratch in
        for index in 0..<inputCount {
          tern_widen_bfloat16(inputs[index] + start, scratch + index * size, length)
        }
        func address(_ operand: Operand) -> UnsafeMutablePointer<Float> {
          switch operand {
          case .read(let index): scratch + index * size
          case .link(let index): scratch + (inputCount + index) * size
          case .number: preconditionFailure("numbers are not claimed")
          }
        }
        for index in links.indices {
          let operands = links[index].operands
          let result = address(.link(index))
          switch kernels[index] {
          case .unary(let kernel): kernel(address(operands[0]), result, length)
          case .binary(let kernel):
            kernel(address(operands[0]), address(operands[1]), result, length)
          }
        }
        tern_narrow_bfloat16(address(.link(links.count - 1)), output + start, length)
      }
    }
  }
}

extension Operations.ElementwiseChain.Function {
  fileprivate enum Kernel {
    case unary(UnaryKernel)
    case binary(BinaryKernel)
  }

  fileprivate var kernel: Kernel {
    switch self {
    case .unary(let function): .unary(function.kernel)
    case .unaryBackward(let function): .binary(function.backwardKernel)
    case .binary(let function): .binary(Operations.Binary(function).kernel)
    }
  }

  /// Whether zeros of a padded layout stay zeros.
  fileprivate var keepsPadding: Bool {
    switch self {
    case .unary(let function): function.isZeroAtZero
    case .unaryBackward(let function): function.hasFiniteDerivativeAtZero
    case .binary(let function): Operations.Binary(function).keepsPadding
    }
  }
}
