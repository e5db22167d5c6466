import Foundation
import Tern
import Testing

@testable import TernBenchmark
@testable import TernConformance

struct BenchmarkSuiteTests {
  @Test func everyEmbeddedSuiteIsValid() throws {
    #expect(
      BenchmarkSuite.embeddedNames
        == ["alexnet", "conv", "gemm", "lenet5", "ops", "resnet50", "vgg16"])
    for name in BenchmarkSuite.embeddedNames {
      let suite = try BenchmarkSuite(name)
      #expect(suite.name == name)
      #expect(!suite.cases.isEmpty)
    }
  }

  @Test func resNet50HasItsConvolutions() throws {
    let convolutions = try BenchmarkSuite("resnet50").cases.filter { $0.kind == .conv }
    #expect(convolutions.reduce(0) { $0 + $1.count } == 53)
    // 4.09 billion multiply-adds an image, of which the classifier has 2 million.
    let flops = try convolutions.reduce(0) {
      try $0 + $1.count * KernelGraph($1, .forward).cost.flops
    }
    #expect(abs(Double(flops) / 2 / 32 - 4.087e9) < 0.005e9)
  }

  @Test func aCaseSaysItsShapesOnOneLine() throws {
    let suite = try BenchmarkSuite(
      JSON(
        parsing: """
          {"name": "s", "cases": [
            {"op": "conv2d", "batch": 2, "in_channels": 6, "height": 8, "width": 9,
             "out_channels": 4, "kernel_size": [3, 5], "stride": 2, "padding": [1, 2], "groups": 2},
            {"op": "linear", "name": "head", "batch": 4, "in_features": 3, "out_features": 5},
            {"op": "matmul", "batch": 2, "m": 3, "n": 4, "k": 5, "count": 7},
            {"op": "softmax", "input": [3, 4], "dim": 1}
          ]}
          """), source: "here")
    #expect(
      suite.cases.map(\.shape) == [
        "[2, 6, 8, 9] -> 4, 3x5, stride 2, padding 1x2, groups 2", "[4, 3] -> 5",
        "[2, 3, 5] x [2, 5, 4]", "[3, 4], dim 1",
      ])
    #expect(suite.cases[1].name == "head")
    #expect(suite.cases.map(\.count) == [1, 1, 7, 1])
    #expect(suite.cases.map(\.kind) == [.conv, .gemm, .gemm, .ops])
  }

  @Test func onlyPassesThatDoSomethingAreMeasured() throws {
    func passes(_ text: String) throws -> [BenchmarkPass] {
      guard case .map(let values) = try JSON(parsing: text).attribute else { return [] }
      return try BenchmarkCase(values).passes
    }
    let all = BenchmarkPass.allCases
    #expect(try passes(#"{"op": "matmul", "m": 3, "n": 4, "k": 5}"#) == all)
    #expect(
      try passes(#"{"op": "add", "input": [3, 4], "other": [3, 4]}"#) == [.forward])
    #expect(
      try passes(#"{"op": "max_pool2d", "input": [1, 1, 4, 4], "kernel_size": 2}"#)
        == [.forward, .backwardData])
    #expect(
      try passes(
        #"{"op": "embedding", "input": {"shape": [3], "below": 5}, "weight": [5, 2]}"#)
        == [.forward, .backwardWeights])
    #expect(
      try passes(#"{"op": "optimizer.sgd", "parameter": [3], "lr": 0.1}"#) == [.forward])
  }

  @Test(arguments: [
    (#"[]"#, "s: expected a JSON object"),
    (#"{"cases": []}"#, "s: 'name' is not a string"),
    (#"{"name": "s"}"#, "s: 'cases' is not a list"),
    (#"{"name": "s", "cases": []}"#, "s: expected 1 to 10000 cases, got 0"),
    (#"{"name": "s", "case": []}"#, "s: unknown key 'case'; known are name, about, cases"),
    (#"{"name": "s", "cases": [3]}"#, "s: case 1: expected a JSON object"),
    (#"{"name": "s", "cases": [{}]}"#, "s: case 1: 'op' is not the name of an operation"),
    (
      #"{"name": "s", "cases": [{"op": "conv3d"}]}"#,
      "s: case 1: unknown operation 'conv3d'; did you mean conv2d?"
    ),
    (
      #"{"name": "s", "cases": [{"op": "matmul", "m": 0, "n": 1, "k": 1}]}"#,
      "s: case 1: matmul: m: expected at least 1, got 0"
    ),
    (
      #"{"name": "s", "cases": [{"op": "matmul", "m": 1, "n": 1, "k": 1, "length": 1}]}"#,
      "s: case 1: matmul: length: expected one of the attributes batch, k, m, n, got an unknown "
        + "attribute"
    ),
    (
      #"{"name": "s", "cases": [{"op": "matmul", "m": 99999, "n": 99999, "k": 1}]}"#,
      "s: case 1: matmul: matmul: expected at most 2147483647 elements, got [99999, 99999]"
    ),
    (
      #"{"name": "s", "cases": [{"op": "softmax", "input": [99999, 99999], "dim": 1}]}"#,
      "s: case 1: softmax: input: [99999, 99999] is too large"
    ),
    (
      #"{"name": "s", "cases": [{"op": "relu", "input": [4], "count": 9999999999}]}"#,
      "s: case 1: relu: count: 9999999999 is too large"
    ),
    (
      #"{"name": "s", "cases": [{"op": "relu", "input": [4]}, {"op": "relu", "input": [4]}]}"#,
      "s: case 2: the same as an earlier one; give 'count' or another 'name'"
    ),
    (
      #"{"name": "s", "cases": [{"op": "optimizer.sgd", "lr": 0.1}]}"#,
      "s: case 1: optimizer.sgd: parameter: expected a shape, got nothing"
    ),
  ])
  func aFaultSaysWhereItIs(text: String, message: String) throws {
    let json = try JSON(parsing: text)
    #expect(throws: TernError(.badData, message)) { try BenchmarkSuite(json, source: "s") }
  }

  @Test func aSuiteThatIsNotThereNamesThoseThatAre() {
    #expect(
      throws: TernError(
        .notFound,
        "nosuch: neither a file nor one of the suites alexnet, conv, gemm, lenet5, ops, resnet50, "
          + "vgg16")
    ) { try BenchmarkSuite("nosuch") }
  }
}
