import Foundation
import TernCore
import TernData

/// Reads the messages of an ONNX file.
final class ONNXReader {
  let path: String
  let budget = WireBudget()
  /// Files of weights beside the model, mapped.
  private var files: [String: Data] = [:]

  init(path: String) { self.path = path }

  var externalPaths: [String] { files.keys.sorted().map { path.parentPath.appendingPath($0) } }

  /// Graphs in attributes of nodes of graphs: more than any network has.
  private static let maximumDepth = 16

  func opset(_ slice: WireSlice) throws -> (domain: String, version: Int) {
    var result = (domain: "", version: 1)
    for (number, value) in try slice.fields(budget) {
      switch (number, value) {
      case (1, .bytes(let text)): result.domain = text.text
      case (2, .varint(let version)): result.version = Int(clamping: version)
      default: break
      }
    }
    return result
  }

  func graph(_ slice: WireSlice, depth: Int) throws -> ONNXGraph {
    guard depth < Self.maximumDepth else {
      throw WireFault(description: "graphs inside graphs, \(depth) deep")
    }
    var (name, nodes, initializers) = ("", [ONNXNode](), [String: ONNXTensor]())
    var (inputs, outputs) = ([ONNXValueInfo](), [ONNXValueInfo]())
    for (number, value) in try slice.fields(budget) {
      guard case .bytes(let inner) = value else { continue }
      switch number {
      case 1: nodes.append(try node(inner, depth: depth))
      case 2: name = inner.text
      case 5:
        let tensor = try tensor(inner)
        guard initializers.updateValue(tensor, forKey: tensor.name) == nil else {
          throw WireFault(description: "two initializers are named '\(tensor.name)'")
        }
      case 11: inputs.append(try valueInfo(inner))
      case 12: outputs.append(try valueInfo(inner))
      case 15: throw WireFault(description: "sparse initializers are not read")
      default: break
      }
    }
    return ONNXGraph(
      name: name, nodes: nodes, initializers: initializers, inputs: inputs, outputs: outputs)
  }

  private func node(_ slice: WireSlice, depth: Int) throws -> ONNXNode {
    var node = ONNXNode()
    for (number, value) in try slice.fields(budget) {
      guard case .bytes(let inner) = value else { continue }
      switch number {
      case 1: node.inputs.append(inner.text)
      case 2: node.outputs.append(inner.text)
      case 3: node.name = inner.text
      case 4: node.operatorName = inner.text
      case 5:
        let (name, attribute) = try attribute(inner, depth: depth)
        node.attributes[name] = attribute
      case 7: node.domain = inner.text == "ai.onnx" ? "" : inner.text
      default: break
      }
    }
    return node
  }

  private func attribute(_ slice: WireSlice, depth: Int) throws -> (String, ONNXAttribute) {
    var (name, kind) = ("", 0)
    var single: ONNXAttribute?
    var (floats, ints, strings) = ([Float](), [Int](), [String]())
    var reference = ""
    for (number, value) in try slice.fields(budget) {
      switch (number, value) {
      case (1, .bytes(let text)): name = text.text
      case (2, .fixed32(let bits)): single = .float(Float(bitPattern: bits))
      case (3, .varint(let bits)): single = .int(Int(Int64(bitPattern: bits)))
      case (4, .bytes(let text)): single = .string(text.text)
      case (5, .bytes(let inner)): single = .tensor(try tensor(inner))
      case (6, .bytes(let inner)): single = .graph(try graph(inner, depth: depth + 1))
      case (7, .fixed32(let bits)): floats.append(Float(bitPattern: bits))
      case (7, .bytes(let packed)):
        floats += try packed.words(UInt32.self).map(Float.init(bitPattern:))
      case (8, .varint(let bits)): ints.append(Int(Int64(bitPattern: bits)))
      case (8, .bytes(let packed)): ints += try packed.packedVarints(budget).map { Int($0) }
      case (9, .bytes(let text)): strings.append(text.text)
      case (20, .varint(let number)): kind = Int(clamping: number)
      case (21, .bytes(let text)): reference = text.text
      default: break
      }
    }
    guard reference.isEmpty else { return (name, .other("a reference to \(reference)")) }
    // A list without elements, or a number that is 0, may not be written at all.
    let attribute: ONNXAttribute =
      switch kind {
      case 1: single ?? .float(0)
      case 2: single ?? .int(0)
      case 3: single ?? .string("")
      case 4, 5: single ?? .other("nothing")
      case 6: .floats(floats)
      case 7: .ints(ints)
      case 8: .strings(strings)
      case 0:
        if let single {
          single
        } else if !floats.isEmpty {
          .floats(floats)
        } else if !ints.isEmpty {
          .ints(ints)
        } else {
          .strings(strings)
        }
      default: .other("kind \(kind)")
      }
    return (name, attribute)
  }

  private func valueInfo(_ slice: WireSlice) throws -> ONNXValueInfo {
    var info = ONNXValueInfo()
    for (number, value) in try slice.fields(budget) {
      guard case .bytes(let inner) = value else { continue }
      if number == 1 { info.name = inner.text }
      guard number == 2 else { continue }
      for (number, value) in try inner.fields(budget) {
        guard case .bytes(let inner) = value else { continue }
        switch number {
        case 1: try tensorType(inner, &info)
        case 4: info.kind = "sequence"
        case 5: info.kind = "map"
        case 8: info.kind = "sparse tensor"
        case 9: info.kind = "optional"
        default: break
        }
      }
    }
    return info
  }

  private func tensorType(_ slice: WireSlice, _ info: inout ONNXValueInfo) throws {
    for (number, value) in try slice.fields(budget) {
      switch (number, value) {
      case (1, .varint(let code)):
        info.type = ElementType(rawValue: Int(clamping: code))
        if info.type == nil { info.kind = "tensor of type \(code)" }
      case (2, .bytes(let inner)):
        var shape: [ONNXValueInfo.Extent] = []
        for case (1, .bytes(let dimension)) in try inner.fields(budget) {
          var extent = ONNXValueInfo.Extent.symbol("")
          for (number, value) in try dimension.fields(budget) {
            switch (number, value) {
            case (1, .varint(let count)): extent = .fixed(Int(Int64(bitPattern: count)))
            case (2, .bytes(let text)): extent = .symbol(text.text)
            default: break
            }
          }
          shape.append(extent)
        }
        info.shape = shape
      default: break
      }
    }
  }

  func tensor(_ slice: WireSlice) throws -> ONNXTensor {
    var (name, code, shape) = ("", 0, [Int]())
    var payload = ONNXTensor.Payload.none
    var (floats, doubles, words) = ([Float](), [Double](), [UInt64]())
    var (isExternal, external) = (false, [String: String]())
    for (number, value) in try slice.fields(budget) {
      switch (number, value) {
      case (1, .varint(let extent)): shape.append(Int(Int64(bitPattern: extent)))
      case (1, .bytes(let packed)): shape += try packed.packedVarints(budget).map { Int($0) }
      case (2, .varint(let number)): code = Int(clamping: number)
      case (4, .fixed32(let bits)): floats.append(Float(bitPattern: bits))
      case (4, .bytes(let packed)):
        floats += try packed.words(UInt32.self).map(Float.init(bitPattern:))
      case (5, .varint(let bits)), (7, .varint(let bits)), (11, .varint(let bits)):
        words.append(bits)
      case (5, .bytes(let packed)), (7, .bytes(let packed)), (11, .bytes(let packed)):
        words += try packed.packedVarints(budget).map { UInt64(bitPattern: $0) }
      case (8, .bytes(let text)): name = text.text
      case (9, .bytes(let raw)): payload = .raw(raw)
      case (10, .fixed64(let bits)): doubles.append(Double(bitPattern: bits))
      case (10, .bytes(let packed)):
        doubles += try packed.words(UInt64.self).map(Double.init(bitPattern:))
      case (13, .bytes(let entry)):
        let (key, value) = try pair(entry)
        external[key] = value
      case (14, .varint(let location)): isExternal = location == 1
      default: break
      }
    }
    guard let type = ElementType(rawValue: code) else {
      throw WireFault(
        description: "tensor '\(name)' has elements of type \(code), which is not known")
    }
    if isExternal {
      payload = .raw(try self.external(external, of: name))
    } else if !floats.isEmpty {
      payload = .floats(floats)
    } else if !doubles.isEmpty {
      payload = .doubles(doubles)
    } else if !words.isEmpty {
      payload = .words(words)
    }
    return try ONNXTensor(name: name, type: type, shape: shape, payload: payload)
  }

  private func pair(_ slice: WireSlice) throws -> (String, String) {
    var (key, value) = ("", "")
    for case (let number, .bytes(let text)) in try slice.fields(budget) {
      if number == 1 { key = text.text } else if number == 2 { value = text.text }
    }
    return (key, value)
  }

  /// Values in a file beside the model's, never elsewhere.
  private func external(_ entries: [String: String], of name: String) throws -> WireSlice {
    func fault(_ text: String) -> WireFault { WireFault(description: "tensor '\(name)': \(text)") }
    guard let location = entries["location"], !location.isEmpty, !location.hasPrefix("/"),
      !location.contains("/"), !location.utf8.contains(0)
    else {
      throw fault("its values are in '\(entries["location"] ?? "")', which is not beside the model")
    }
    let data: Data
    if let known = files[location] {
      data = known
    } else {
      data = try InputFile.contents(of: path.parentPath.appendingPath(location))
      files[location] = data
    }
    let offset = entries["offset"].map(Int.init) ?? 0
    guard let offset, (0...data.count).contains(offset) else {
      throw fault("its values start behind the end of \(location)")
    }
    let length = entries["length"].map(Int.init) ?? data.count - offset
    guard let length, (0...data.count - offset).contains(length) else {
      throw fault("its values end behind the end of \(location)")
    }
    return WireSlice(data, in: offset..<offset + length)
  }
}
