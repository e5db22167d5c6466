import Tern
import TernConformance

/// The numbers that are measured on.
enum BenchmarkData {
  /// The distinct values of a tensor; larger ones repeat them. Prime, so that no two rows or planes
  /// are alike.
  static let period = 65_521

  /// How an input of floats is drawn, so that the operation is defined on it.
  static func distribution(of input: String, in operation: String) -> OpCase.Distribution {
    switch (operation, input) {
    case ("max_pool2d", _), ("amax", _): .distinct
    case ("log", _), ("sqrt", _), ("rsqrt", _), ("reciprocal", _), ("pow", _), (_, "running_var"),
      ("div", "other"), ("gaussian_nll_loss", "var"):
      .uniform(0.5, 2)
    case ("binary_cross_entropy", _), ("kl_div", "target"), (_, "pos_weight"): .uniform(0.1, 0.9)
    case ("hinge_loss", "target"), ("squared_hinge_loss", "target"),
      ("soft_margin_loss", "target"):
      .signs
    case (_, "target"): .uniform(0.1, 0.9)
    default: .normal
    }
  }

  /// A tensor of the distribution; drawn once per ``period``.
  static func tensor(_ input: OpCase.Input, key: String) -> HostTensor {
    let count = input.shape.elementCount
    guard count > period else { return OpCase.draw(input, key: key) }
    let block = OpCase.draw(OpCase.Input([period], input.distribution), key: key)
    return block.withUnsafeBytes { source in
      HostTensor(input.type) { target in
        for start in stride(from: 0, to: target.count, by: source.count) {
          let length = min(source.count, target.count - start)
          UnsafeMutableRawBufferPointer(rebasing: target[start..<start + length])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<length]))
        }
      }
    }
  }

  /// Everything that a pass reads, by name.
  static func tensors(of kernel: KernelGraph, _ opCase: OpCase) -> [String: HostTensor] {
    Dictionary(
      uniqueKeysWithValues: kernel.inputTypes.map { name, type in
        (name, tensor(opCase.inputs[name] ?? OpCase.Input(type.shape), key: name))
      })
  }
}
