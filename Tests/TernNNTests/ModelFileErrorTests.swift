import Foundation
import Tern
import Testing

/// Everything that can be wrong with a model file: one line, with the file, the line in it, and the
/// layer where there is one.
@Suite struct ModelFileErrorTests {
  /// Something wrong, and what its line says.
  struct Fault: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let content: Data
    let message: String

    init(_ what: String, file: String, _ message: String) {
      (testDescription, content, self.message) = (what, Data(file.utf8), message)
    }

    init(_ what: String, bytes: Data, _ message: String) {
      (testDescription, content, self.message) = (what, bytes, message)
    }

    /// A file whose first layer stands on line 4.
    init(_ what: String, _ layers: String, header: String = "", _ message: String) {
      self.init(
        what, file: "input: [1, 8, 8]\nclasses: 3\nlayers:\n\(layers)\n\(header)", message)
    }
  }

  private static let head = "layers: [flatten, linear: {out_features: 3}]\n"

  /// Lists in lists, deeper than anything is meant.
  private static func nested(_ depth: Int) -> String {
    String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
  }

  private static let layers = [
    Fault(
      "unknown layer", "  - relu\n  - linaer: {out_features: 3}",
      "net.yaml:5: layer linaer_0: unknown layer 'linaer'; did you mean 'linear'?"),
    Fault(
      "unknown layer, like a block of the file's", "  - bsic", header: "blocks: {basic: [relu]}",
      "net.yaml:4: layer bsic_0: unknown layer 'bsic'; did you mean 'basic'?"),
    Fault(
      "a loss is no layer", "  - cross_entropy",
      "net.yaml:4: layer cross_entropy_0: unknown layer 'cross_entropy'"),
    Fault(
      "misspelt argument", "  - conv2d: {out_channels: 2, kernel_size: 3, strid: 2}",
      "net.yaml:4: layer conv2d_0: conv2d: strid: expected one of the attributes bias, dilation, "
        + "groups, init, kernel_size, out_channels, padding, stride, got an unknown attribute; did "
        + "you mean 'stride'?"),
    Fault(
      "misspelt argument of an operation",
      "  - relu\n  - max_pool2d: {kernel_size: 2, cel_mode: 1}",
      "net.yaml:5: layer max_pool2d_0: max_pool2d: cel_mode: expected one of the attributes "),
    Fault(
      "misspelt argument of a block", "  - residual: {layers: [relu], shortcat: [relu]}",
      "net.yaml:4: layer residual_0: residual has no argument 'shortcat'; did you mean 'shortcut'?"),
    Fault(
      "argument of another block", "  - concatenation: {layers: [relu], scale: 2}",
      "net.yaml:4: layer concatenation_0: concatenation has no argument 'scale'; it has name, "),
    Fault(
      "wrong type", "  - conv2d: {out_channels: many, kernel_size: 3}",
      "net.yaml:4: layer conv2d_0: conv2d: out_channels: expected an integer, got \"many\""),
    Fault(
      "a number as text", "  - conv2d: {out_channels: \"4\", kernel_size: 3}",
      "net.yaml:4: layer conv2d_0: conv2d: out_channels: expected an integer, got \"4\""),
    Fault(
      "too many numbers", "  - conv2d: {out_channels: 4, kernel_size: [3, 3, 3]}",
      "net.yaml:4: layer conv2d_0: conv2d: kernel_size: expected an integer or a list of 2, got"),
    Fault(
      "missing argument",
      "  - sequential:\n      name: s\n      layers:\n        - relu\n        - linear",
      "net.yaml:8: layer s.linear_0: linear: out_features: expected an integer, got nothing"),
    Fault(
      "arguments that are none", "  - linear: 3", "net.yaml:4: linear: the arguments are not a map"),
    Fault(
      "two kinds in one layer", "  - relu\n  - {relu: , tanh: }",
      "net.yaml:5: a layer is a name, or a name with arguments"),
    Fault(
      "name with a dot", "  - relu: {name: a.b}", "net.yaml:4: relu: 'name' is not a name"),
    Fault(
      "unknown initialiser", "  - flatten\n  - linear: {out_features: 3, init: gauss}",
      "net.yaml:5: layer linear_0: linear: init: expected one of standard, zeros, small"),
  ]

  private static let arrangement = [
    Fault(
      "'from' an unknown layer", "  - relu: {name: stem}\n  - relu: {from: stam}",
      "net.yaml:5: layer relu_1: 'from' names 'stam', which is not a layer above in the same list; "
        + "did you mean 'stem'?"),
    Fault(
      "'from' a later layer", "  - add: {from: [input, late]}\n  - relu: {name: late}",
      "net.yaml:4: layer add_0: 'from' names 'late', which is not a layer above"),
    Fault(
      "'from' itself", "  - relu\n  - relu: {name: a, from: a}",
      "net.yaml:5: layer a: 'from' names 'a', which is not a layer above"),
    Fault(
      "'from' out of a block", "  - relu: {name: a}\n  - sequential: {layers: [relu: {from: a}]}",
      "net.yaml:5: layer sequential_0.relu_0: 'from' names 'a', which is not a layer above"),
    Fault(
      "two layers for one that reads one", "  - relu: {name: a}\n  - flatten: {from: [a, input]}",
      "net.yaml:5: layer flatten_0: flatten: from: expected at most 1 layers to read, got 2"),
    Fault(
      "two layers for one with weights",
      "  - flatten: {name: a}\n  - linear: {out_features: 3, from: [a, input]}",
      "net.yaml:5: layer linear_0: linear reads one layer, 'from' names 2"),
    Fault(
      "one layer for a sum", "  - relu\n  - add",
      "net.yaml:5: layer add_0: add: other: expected an input, got nothing"),
    Fault(
      "'from' of a branch", "  - concatenation: {layers: [relu: {name: a}, tanh: {from: a}]}",
      "net.yaml:4: layer concatenation_0.tanh_0: a branch reads what its block reads"),
    Fault(
      "duplicate names", "  - relu: {name: a}\n  - relu: {name: a}",
      "net.yaml:5: layer a: two layers of a list are named 'a'"),
    Fault(
      "no copies", "  - sequential: {repeat: 0, layers: [relu]}",
      "net.yaml:4: layer sequential_0: 'repeat' is not a number from 1 to 1000"),
    Fault(
      "too many layers",
      "  - sequential: {repeat: 1000, layers: [sequential: {repeat: 1000, layers: [relu]}]}",
      "the network has more than 10000 layers"),
    Fault(
      "block without layers", "  - sequential",
      "net.yaml:4: layer sequential_0: expected 'layers', a list"),
    Fault(
      "a cycle of blocks", "  - a", header: "blocks: {a: [b], b: [a]}",
      "net.yaml:5: layer a_0.b_0.a_0: block 'a' contains itself"),
    Fault(
      "block with a layer's name", "  - relu", header: "blocks: {relu: [tanh]}",
      "net.yaml:5: block 'relu' has the name of a layer"),
    Fault(
      "blocks in blocks in blocks",
      "  - " + String(repeating: "sequential: {layers: [", count: 40) + "relu"
        + String(repeating: "]}", count: 40),
      "more than 32 blocks are in one another"),
  ]

  private static let shapes = [
    Fault(
      "shapes that do not add up",
      "  - conv2d: {name: a, out_channels: 2, kernel_size: 3}\n  - add: {from: [a, input]}",
      "net.yaml:5: layer add_0: add: "),
    Fault(
      "a residual block that changes the shape",
      "  - residual: {repeat: 2, layers: [relu, conv2d: {out_channels: 2, kernel_size: 3}]}",
      "net.yaml:4: layer residual_0.0.add: add: "),
    Fault(
      "extents that do not join",
      "  - max_pool2d: {name: a, kernel_size: 2}\n  - cat: {from: [a, input], dim: 1}",
      "net.yaml:5: layer cat_0: cat: "),
    Fault(
      "kernel larger than its input", "  - relu\n  - conv2d: {out_channels: 2, kernel_size: 11}",
      "net.yaml:5: layer conv2d_0: conv2d: input: expected"),
    Fault(
      "window larger than its input",
      "  - conv2d: {out_channels: 2, kernel_size: 3}\n  - max_pool2d: {kernel_size: 9}",
      "net.yaml:5: layer max_pool2d_0: max_pool2d: input: expected"),
    Fault(
      "channels that groups do not divide",
      "  - conv2d: {name: g, out_channels: 6, kernel_size: 1, groups: 4}",
      "net.yaml:4: layer g: conv2d: out_channels, kernel_size, groups: expected positive numbers; "
        + "groups dividing 1 and 6 channels, got 6, [1, 1], 4"),
    Fault(
      "heads that do not divide the width",
      "  - image_rows\n  - multi_head_attention: {num_heads: 3}",
      "net.yaml:5: layer multi_head_attention_0: multi_head_attention: num_heads: expected"),
    Fault(
      "an image for a layer of sequences", "  - lstm: {hidden_size: 4}",
      "net.yaml:4: layer lstm_0: lstm: input: expected shape [N, T, I], got [2, 1, 8, 8]"),
    Fault(
      "a size that overflows",
      "  - conv2d: {out_channels: 2000000000, kernel_size: 8}\n  - flatten\n"
        + "  - linear: {out_features: 2000000000}",
      "net.yaml:6: layer linear_0: "),
    Fault(
      "a number that no size can be",
      "  - flatten\n  - linear: {out_features: 99999999999999999999}",
      "net.yaml:5: layer linear_0: linear: out_features: expected an integer"),
    Fault(
      "enlarged beyond all bounds", "  - interpolate: {scale_factor: 1.0e+300}",
      "net.yaml:4: layer interpolate_0: interpolate: scale_factor: expected a factor"),
    Fault(
      "more parameters than any memory holds",
      "  - flatten\n  - linear: {out_features: 1000000}\n"
        + "  - sequential: {name: deep, repeat: 3, layers: [linear: {out_features: 1000000}]}\n"
        + "  - linear: {out_features: 3}",
      "net.yaml:6: layer deep.1.linear_0: with deep.1.linear_0.weight [1000000, 1000000] the network "
        + "has more than 2^40 parameters"),
    Fault(
      "classes that the head does not have",
      "  - flatten\n  - linear: {name: head, out_features: 7}",
      "net.yaml:5: layer head: the network ends in [N, 7], expected [N, 3], a score per class"),
    Fault(
      "a shape for one sample alone",
      "  - reshape: {shape: [1, 64]}\n  - linear: {out_features: 3}",
      "net.yaml:4: layer reshape_0: reshape: "),
    Fault(
      "samples added up",
      "  - flatten\n  - linear: {out_features: 3}\n  - sum: {dim: 0, keepdim: true}",
      "net.yaml:6: layer sum_0: the network ends in [1, 3] for two samples, expected [N, 3]"),
    Fault(
      "an image for a classifier's scores", "  - conv2d: {out_channels: 3, kernel_size: 1}",
      "net.yaml:4: layer conv2d_0: the network ends in [N, 3, 8, 8], expected [N, 3]"),
    Fault(
      "a mask of another size", "  - conv2d: {out_channels: 3, kernel_size: 3}",
      header: "task: segmentation",
      "net.yaml:4: layer conv2d_0: the network ends in [N, 3, 6, 6], expected [N, 3, 8, 8]"),
    Fault(
      "a picture of another size", "  - conv2d: {out_channels: 2, kernel_size: 1}",
      header: "task: reconstruction",
      "net.yaml:4: layer conv2d_0: the network ends in [N, 2, 8, 8], expected [N, 1, 8, 8]"),
  ]

  private static let files = [
    Fault("no file content", file: "", "net.yaml: the file is empty"),
    Fault("comments alone", file: "# nothing\n", "net.yaml: the file is empty"),
    Fault("not a map", file: "- 1\n", "net.yaml:1: expected a map with 'layers'"),
    Fault(
      "unknown key", file: "input: [1, 8, 8]\nclases: 3\n\(head)",
      "net.yaml:2: unknown key 'clases'; did you mean 'classes'?"),
    Fault("no input", file: "classes: 3\n\(head)", "net.yaml:1: expected 'input: [C, H, W]'"),
    Fault(
      "an input of text", file: "classes: 3\ninput: 28x28\n\(head)", "net.yaml:2: expected 'input: "
    ),
    Fault(
      "an input of nothing", file: "classes: 3\ninput: [1, 0, 8]\n\(head)",
      "net.yaml:2: expected 'input: "),
    Fault(
      "an input that overflows",
      file: "classes: 3\ninput: [2000000000, 2000000000, 2000000000]\n\(head)",
      "net.yaml:2: expected 'input: "),
    Fault(
      "no classes", file: "input: [1, 8, 8]\nclasses: none\n\(head)",
      "net.yaml:2: expected 'classes: N'"),
    Fault("no layers", file: "input: [1, 8, 8]\nclasses: 3\n", "expected a list of 'layers'"),
    Fault(
      "an empty list of layers", file: "input: [1, 8, 8]\nclasses: 3\nlayers: []\n",
      "net.yaml:3: expected a list of 'layers'"),
    Fault(
      "an unknown task", file: "input: [1, 8, 8]\nclasses: 3\ntask: detection\n\(head)",
      "net.yaml:3: expected 'task: ' and one of classification"),
    Fault(
      "an unknown initialiser for all", file: "input: [1, 8, 8]\nclasses: 3\ninit: hee\n\(head)",
      "net.yaml:3: init: expected one of"),
    Fault(
      "syntax",
      file: "input: [1, 8, 8]\nclasses: 3\nlayers:\n  - conv2d: {out_channels: 2\n  - relu\n",
      "net.yaml:6: not YAML: while parsing a flow mapping that begins on line 4: did not find "
        + "expected ',' or '}'"),
    Fault(
      "a tab", file: "input: [1, 8, 8]\nclasses: 3\nlayers:\n\t- relu\n",
      "net.yaml:4: not YAML: found character that cannot start any token; the line holds a tab"),
    Fault(
      "a key twice", file: "input: [1, 8, 8]\nclasses: 3\nclasses: 4\n\(head)",
      "'classes' is given twice"),
    Fault(
      "an argument twice", "  - conv2d: {out_channels: 2, kernel_size: 1, out_channels: 3}",
      "net.yaml:4: 'out_channels' is given twice"),
    Fault(
      "an unknown alias", "  - *stem", "net.yaml:4: not YAML: found undefined alias"),
    Fault(
      "aliases of aliases",
      "  - relu: {pad: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}\n"
        + (1..<12).map { level in
          let (below, own) = (UnicodeScalar(96 + UInt8(level)), UnicodeScalar(97 + UInt8(level)))
          let list = [String](repeating: "*\(below)", count: 10).joined(separator: ", ")
          return "  - relu: {pad: &\(own) [\(list)]}"
        }.joined(separator: "\n"),
      "net.yaml: its aliases stand for more than 200000 nodes"),
    Fault(
      "nesting too deep", file: "input: \(nested(20_000))\n\(head)",
      "net.yaml:1: not YAML: Maximum nesting level reached"),
    Fault(
      "a binary file", bytes: Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13]),
      "net.yaml: is not a text file in UTF-8"),
    Fault(
      "control characters", bytes: Data("input: [1, 8, 8]\nname: \u{1}\n".utf8),
      "net.yaml: not YAML: "),
    Fault(
      "a file that is too large", bytes: Data(repeating: 0x20, count: 5 << 20),
      "net.yaml: is larger than 4 MiB"),
  ]

  static let all = layers + arrangement + shapes + files

  @Test(arguments: all) func saysWhatIsWrongAndWhere(_ fault: Fault) throws {
    let error = #expect(throws: TernError.self) { try ModelFixture.read(fault.content) }
    #expect(error?.kind == .badData)
    let message = try #require(error?.message)
    #expect(message.contains(fault.message), "\(message)")
    #expect(!message.contains("\n"))
    #expect(message.count < 600)
  }

  @Test func aMissingFileAndAFolderAreTold() {
    let missing = #expect(throws: TernError.self) { try ModelFile.read("/nowhere/net.yaml") }
    #expect(missing?.kind == .notFound)
    #expect(missing?.message == "/nowhere/net.yaml: no such file")
    let folder = #expect(throws: TernError.self) { try ModelFile.read(NSTemporaryDirectory()) }
    #expect(folder?.kind == .badData)
  }
}
