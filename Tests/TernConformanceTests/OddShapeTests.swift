import Foundation
import Tern
import TernBenchmark
import TernTestSupport
import Testing

@testable import TernConformance

/// Shapes that an operation does not expect: no axes, one less, one more, extents of 0. Each is a case
/// that runs, or one line that says what does not fit.
@Suite struct OddShapeTests {
  /// A case of every operation whose inputs are small, and of every number of axes it has.
  private static let seeds: [OpCase] = {
    var seen: Set<String> = []
    return OpCase.all.filter { opCase in
      let ranks = opCase.inputs.sorted { $0.key < $1.key }.map { "\($0)\($1.shape.rank)" }
      return opCase.inputs.values.allSatisfy { $0.shape.elementCount <= 2000 }
        && seen.insert("\(opCase.operation) \(opCase.attributes.keys.sorted()) \(ranks)").inserted
    }
  }()

  private static func oddShapes(_ shape: Shape) -> [Shape] {
    let inner = Array(shape.dimensions.dropFirst())
    let outer = Array(shape.dimensions.dropLast())
    return [[], [0], [1], Shape(inner), Shape(outer), Shape([0] + inner), Shape(outer + [0])]
      + [Shape([2] + shape.dimensions)]
  }

  /// The inputs with one of them, or all, of other shapes.
  private static func oddInputs(_ opCase: OpCase) -> [[String: OpCase.Input]] {
    var results: [[String: OpCase.Input]] = ([[], [0], [1]] as [Shape]).map { shape in
      opCase.inputs.mapValues { OpCase.Input(shape, $0.distribution) }
    }
    for (name, input) in opCase.inputs.sorted(by: { $0.key < $1.key }).prefix(5) {
      for shape in oddShapes(input.shape) {
        var inputs = opCase.inputs
        inputs[name] = OpCase.Input(shape, input.distribution)
        results.append(inputs)
      }
    }
    return results
  }

  private static func values(_ input: OpCase.Input) -> HostTensor {
    input.type.dataType == .int32
      ? HostTensor(input.shape, [Int32](repeating: 0, count: input.shape.elementCount))
      : HostTensor(repeating: 0.5, input.shape)
  }

  private func expectOneLine(_ error: any Error, _ what: String) {
    #expect(error is TernError || error is ShapeError, "\(what): \(error)")
    #expect(!"\(error)".isEmpty && !"\(error)".contains("\n"), "\(what): \(error)")
  }

  @Test(arguments: ["reference", "cpu"]) func conformanceCasesRunOrAreRefused(device: String) throws
  {
    let runner = CaseRunner(device: try TestDevices.open(device))
    for opCase in Self.seeds {
      for inputs in Self.oddInputs(opCase) {
        let tensors = inputs.mapValues(Self.values)
        let wanted = OpCase(opCase.operation, "odd", opCase.attributes, inputs)
          .differentiatedInputs
        let testCase = ConformanceCase(
          name: "odd", operation: opCase.operation, attributes: opCase.attributes, inputs: tensors,
          gradients: opCase.operation.hasPrefix("optimizer.")
            ? [:] : Dictionary(uniqueKeysWithValues: wanted.map { ($0, tensors[$0]!) }))
        do { _ = try runner.execute(testCase) } catch {
          expectOneLine(error, "\(opCase.name) \(inputs.mapValues(\.shape))")
        }
      }
    }
  }

  @Test func suitesRunOrAreRefused() throws {
    var benchmark = try KernelBenchmark(
      device: TestDevices.open("cpu"), peak: DevicePeak(gflops: 50, gbs: 10))
    benchmark.iterations = 1
    var ranCount = 0
    for opCase in Self.seeds {
      for inputs in Self.oddInputs(opCase) {
        var values = opCase.attributes
        values["op"] = .string(opCase.operation)
        for (name, input) in inputs {
          let shape = AttributeValue.list(input.shape.map(AttributeValue.int))
          let isInteger = input.type.dataType == .int32
          values[name] = isInteger ? .map(["shape": shape, "below": .int(2)]) : shape
        }
        if opCase.operation.hasPrefix("optimizer.") {
          values = values.filter { !$0.key.hasPrefix("gradient.") }
        }
        let what = "\(opCase.name) \(inputs.mapValues(\.shape))"
        do {
          let testCase = try BenchmarkCase(values)
          for pass in testCase.passes {
            let result = benchmark.run(testCase, pass)
            ranCount += result.status == .passed ? 1 : 0
            #expect(!(result.message ?? "").contains("\n"), "\(what): \(result.message ?? "")")
          }
        } catch { expectOneLine(error, what) }
      }
    }
    #expect(ranCount > 100)
  }

  /// Scalars are parameters too.
  @Test func aScalarHasAnUpdate() throws {
    var benchmark = try KernelBenchmark(
      device: TestDevices.open("cpu"), peak: DevicePeak(gflops: 50, gbs: 10))
    benchmark.iterations = 1
    for name in Optimizer.names {
      let result = benchmark.run(
        try BenchmarkCase([
          "op": .string("optimizer.\(name)"), "parameter": .list([]), "lr": .double(0.01),
        ]), .forward)
      #expect(result.status == .passed, "\(name): \(result.message ?? "")")
    }
  }

  @Test func networksRunOrAreRefused() {
    let shapes: [Shape] = [[], [1], [5], [1, 5], [2, 1, 1], [1, 2, 3, 4]]
    for entry in ZooEntry.all {
      for shape in shapes {
        do { _ = try entry.model(inputShape: shape).inferenceGraph(batchSize: 2) } catch {
          expectOneLine(error, "\(entry.name) \(shape)")
        }
      }
    }
  }

  /// Cases of whole networks, whose batches are no batches.
  @Test func networkCasesAreRefused() throws {
    let runner = CaseRunner(device: try TestDevices.open("cpu"))
    for shape in [[], [0], [2], [0, 1, 28, 28], [2, 1, 0, 28]] as [Shape] {
      let images = HostTensor(repeating: 0, shape)
      let model = runner.run(
        ConformanceCase(
          name: "odd", operation: "model", attributes: ["model": .string("lenet5")],
          inputs: ["input": images]))
      #expect(model.status == .error && model.message?.contains("[N, …]") == true, "\(shape)")
      let training = runner.run(Self.trainingCase(steps: 1, images))
      #expect(training.status == .error && training.message?.contains("[N, …]") == true, "\(shape)")
    }
    for steps in [0, -1] {
      let result = runner.run(Self.trainingCase(steps: steps, HostTensor(repeating: 0, [1, 4])))
      #expect(result.status == .error && result.message?.contains("'steps'") == true)
    }
  }

  private static func trainingCase(steps: Int, _ images: HostTensor) -> ConformanceCase {
    ConformanceCase(
      name: "odd", operation: "train",
      attributes: [
        "model": .string("lenet5"), "loss": .string("cross_entropy"), "steps": .int(steps),
        "optimizer": .map(["name": .string("sgd"), "lr": .double(0.1)]),
      ], inputs: ["batch.0": images, "target.0": HostTensor([1], [Int32(0)])])
  }
}
