import Foundation

/// What is wrong with a pickle, or not allowed in it.
struct PickleFault: Error, CustomStringConvertible {
  let description: String
}

/// A value of a pickle. Lists, tuples and dictionaries are numbers of entries in the reader's own list, so
/// that however they contain each other, nothing recurses.
enum PickleValue: Sendable {
  case none
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  /// Of which nothing is used but its being.
  case opaque
  case list(Int)
  case dictionary(Int)
  case global(String)
  case storage(PickledStorage)
  case tensor(PickledTensor)
}

/// The numbers that tensors are views of.
struct PickledStorage: Hashable, Sendable {
  let key: String
  /// `FloatStorage`, by which the type of the numbers goes.
  let kind: String
  let count: Int
}

/// A view of a storage.
struct PickledTensor: Sendable {
  let storage: PickledStorage
  let offset: Int
  let shape: [Int]
  let strides: [Int]
  /// The type of its elements, where the storage does not say it.
  var otherType: String?
}

/// Reads pickles as PyTorch writes them, without executing anything: the instructions that build values of
/// numbers, texts and containers, and a list of named functions that stand for tensors. Everything else is
/// refused by its name.
///
/// Source: the instructions as Python's `pickletools` describes them, protocols 0 to 5.
struct PickleReader {
  private let bytes: UnsafeRawBufferPointer
  private(set) var position: Int
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  private(set) var lists: [[PickleValue]] = []
  private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  /// A state dict of a million tensors has some twenty million instructions.
  private var instructionsLeft = 1 << 25
  private var elementsLeft = 1 << 25

  init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0) {
    (self.bytes, self.position) = (bytes, position)
  }

  // MARK: Bytes

  private mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
    guard count >= 0, count <= bytes.count - position else {
      throw PickleFault(description: "truncated")
    }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  private mutating func number<T: FixedWidthInteger>(_: T.Type) throws -> Int {
    let value = try take(MemoryLayout<T>.size).loadUnaligned(as: T.self)
    guard let number = Int(exactly: T(littleEndian: value)) else {
      throw PickleFault(description: "a length of more than 63 bits")
    }
    return number
  }

  private mutating func text(_ count: Int) throws -> String {
    String(decoding: try take(count), as: UTF8.self)
  }

  private mutating func line() throws -> String {
    guard let end = bytes[position...].firstIndex(of: 10) else {
      throw PickleFault(description: "truncated")
    }
    defer { position = end + 1 }
    return String(decoding: bytes[position..<end], as: UTF8.self)
  }

  // MARK: Stack

  private mutating func pop() throws -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else {
      throw PickleFault(description: "an instruction without its operands")
    }
    return value
  }

  private mutating func popToMark() throws -> [PickleValue] {
    guard let mark = marks.popLast(), mark <= stack.count else {
      throw PickleFault(description: "an instruction without its operands")
    }
    let values = Array(stack[mark...])
    stack.removeSubrange(mark...)
    return values
  }

  private mutating func pushList(_ values: [PickleValue]) throws {
    elementsLeft -= values.count
    guard elementsLeft >= 0 else { throw PickleFault(description: "more than 2^25 values") }
    lists.append(values)
    stack.append(.list(lists.count - 1))
  }

  private mutating func append(_ values: [PickleValue]) throws {
    if case .opaque? = stack.last { return }
    guard case .list(let index)? = stack.last else {
      throw PickleFault(description: "elements for what is no list")
    }
    lists[index] += values
  }

  private mutating func set(_ items: [PickleValue]) throws {
    if case .opaque? = stack.last { return }
    guard case .dictionary(let index)? = stack.last, items.count % 2 == 0 else {
      throw PickleFault(description: "items for what is no dictionary")
    }
    for at in stride(from: 0, to: items.count, by: 2) {
      dictionaries[index].append((items[at], items[at + 1]))
    }
  }

  // MARK: Instructions

  /// The value of the pickle, which ends where ``position`` then is.
  mutating func value() throws -> PickleValue {
    (stack, marks, memo) = ([], [], [:])
    while true {
      instructionsLeft -= 1
      guard instructionsLeft >= 0 else {
        throw PickleFault(description: "more than 2^25 instructions")
      }
      let code = try take(1)[0]
      if code == UInt8(ascii: ".") { return try pop() }
      try execute(code)
    }
  }

  private mutating func execute(_ code: UInt8) throws {
    switch Character(UnicodeScalar(code)) {
    case "\u{80}": _ = try take(1)
    case "\u{95}": _ = try take(8)
    case "(": marks.append(stack.count)
    case "0": _ = try pop()
    case "1": _ = try popToMark()
    case "2":
      let value = try pop()
      stack += [value, value]
    case "N": stack.append(.none)
    case "\u{88}": stack.append(.bool(true))
    case "\u{89}": stack.append(.bool(false))
    case "J": stack.append(.int(try number(Int32.self)))
    case "K": stack.append(.int(try number(UInt8.self)))
    case "M": stack.append(.int(try number(UInt16.self)))
    case "\u{8A}": stack.append(try long(try number(UInt8.self)))
    case "\u{8B}": stack.append(try long(try number(Int32.self)))
    case "G":
      let bits = UInt64(bigEndian: try take(8).loadUnaligned(as: UInt64.self))
      stack.append(.double(Double(bitPattern: bits)))
    case "X": stack.append(.string(try text(try number(UInt32.self))))
    case "\u{8C}": stack.append(.string(try text(try number(UInt8.self))))
    case "\u{8D}": stack.append(.string(try text(try number(UInt64.self))))
    case "U": stack.append(.string(try text(try number(UInt8.self))))
    case "T": stack.append(.string(try text(try number(Int32.self))))
    case "B":
      _ = try take(try number(UInt32.self))
      stack.append(.opaque)
    case "C":
      _ = try take(try number(UInt8.self))
      stack.append(.opaque)
    case "\u{8E}", "\u{96}":
      _ = try take(try number(UInt64.self))
      stack.append(.opaque)
    // Numbers and texts as lines, of protocols 0 and 1.
    case "I", "L": stack.append(try integer(try line()))
    case "F":
      guard let number = Double(try line()) else { throw PickleFault(description: "no number") }
      stack.append(.double(number))
    case "V": stack.append(.string(try line()))
    case "S":
      let quoted = try line()
      guard quoted.utf8.count >= 2 else { throw PickleFault(description: "a text without quotes") }
      stack.append(.string(String(quoted.dropFirst().dropLast())))
    case ")", "]", "\u{8F}": try pushList([])
    case "}":
      dictionaries.append([])
      stack.append(.dictionary(dictionaries.count - 1))
    case "t", "l": try pushList(try popToMark())
    case "\u{91}":
      _ = try popToMark()
      stack.append(.opaque)
    case "\u{85}": try pushList([try pop()])
    case "\u{86}":
      let b = try pop()
      try pushList([try pop(), b])
    case "\u{87}":
      let (c, b) = (try pop(), try pop())
      try pushList([try pop(), b, c])
    case "a":
      let value = try pop()
      try append([value])
    case "e", "\u{90}": try append(try popToMark())
    case "s":
      let value = try pop()
      let key = try pop()
      try set([key, value])
    case "u": try set(try popToMark())
    case "d":
      let items = try popToMark()
      dictionaries.append([])
      stack.append(.dictionary(dictionaries.count - 1))
      try set(items)
    case "p":
      guard case .int(let index) = try integer(try line()) else {
        throw PickleFault(description: "a place that is no number")
      }
      memo[index] = try top()
    case "g":
      guard case .int(let index) = try integer(try line()) else {
        throw PickleFault(description: "a place that is no number")
      }
      try recall(index)
    case "q": memo[try number(UInt8.self)] = try top()
    case "r": memo[try number(UInt32.self)] = try top()
    case "\u{94}": memo[memo.count] = try top()
    case "h": try recall(try number(UInt8.self))
    case "j": try recall(try number(UInt32.self))
    case "c":
      let module = try line()
      stack.append(try PickledGlobals.checked("\(module).\(try line())"))
    case "\u{93}":
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw PickleFault(description: "a name that is no text")
      }
      stack.append(try PickledGlobals.checked("\(module).\(name)"))
    case "R", "\u{81}":
      guard case .list(let index) = try pop(), case .global(let name) = try pop() else {
        throw PickleFault(description: "a call of what is no function")
      }
      try call(name, lists[index])
    case "b":
      // What an ordered dictionary or a parameter carries besides its own values.
      _ = try pop()
    case "Q": stack.append(.storage(try storage(try pop())))
    default:
      throw PickleFault(description: "the instruction 0x\(String(code, radix: 16)) is not read")
    }
  }

  /// A whole number in digits, or a truth value.
  private func integer(_ text: String) throws -> PickleValue {
    switch text {
    case "00": return .bool(false)
    case "01": return .bool(true)
    default:
      let digits = text.hasSuffix("L") ? text.dropLast() : text[...]
      if let number = Int(digits) { return .int(number) }
      guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2D })
      else { throw PickleFault(description: "no whole number") }
      return .opaque
    }
  }

  private func top() throws -> PickleValue {
    guard let value = stack.last else {
      throw PickleFault(description: "an instruction without its operands")
    }
    return value
  }

  private mutating func recall(_ index: Int) throws {
    guard let value = memo[index] else {
      throw PickleFault(description: "a value that was not kept")
    }
    stack.append(value)
  }

  private mutating func long(_ count: Int) throws -> PickleValue {
    let digits = try take(count)
    // Of longer numbers, such as seeds and the mark of the older form, nothing but their being is used.
    guard count <= 8 else { return .opaque }
    var value: Int = 0
    for (index, byte) in digits.enumerated() { value |= Int(byte) << (8 * index) }
    if count > 0, count < 8, digits[count - 1] & 0x80 != 0 { value -= 1 << (8 * count) }
    return .int(value)
  }

  // MARK: Calls

  private func integers(_ value: PickleValue) throws -> [Int] {
    guard case .list(let index) = value else {
      throw PickleFault(description: "a shape that is no list")
    }
    return try lists[index].map {
      guard case .int(let number) = $0 else {
        throw PickleFault(description: "a shape of no integers")
      }
      return number
    }
  }

  private mutating func call(_ name: String, _ arguments: [PickleValue]) throws {
    switch name {
    case "collections.OrderedDict":
      dictionaries.append([])
      let index = dictionaries.count - 1
      if case .list(let pairs)? = arguments.first {
        for case .list(let pair) in lists[pairs] where lists[pair].count == 2 {
          dictionaries[index].append((lists[pair][0], lists[pair][1]))
        }
      }
      stack.append(.dictionary(index))
    case "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor":
      guard arguments.count >= 4, case .storage(let storage) = arguments[0],
        case .int(let offset) = arguments[1]
      else { throw PickleFault(description: "a tensor without a storage") }
      stack.append(
        .tensor(
          PickledTensor(
            storage: storage, offset: offset, shape: try integers(arguments[2]),
            strides: try integers(arguments[3]))))
    case "torch._utils._rebuild_tensor_v3":
      // Of bytes alone; their type stands beside.
      guard arguments.count >= 7, case .storage(let storage) = arguments[0],
        case .int(let offset) = arguments[1], case .global(let type) = arguments[6]
      else { throw PickleFault(description: "a tensor without a storage") }
      let (shape, strides) = (try integers(arguments[2]), try integers(arguments[3]))
      stack.append(
        .tensor(
          PickledTensor(
            storage: storage, offset: offset, shape: shape, strides: strides,
            otherType: type.lastDotted)))
    case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
      guard case .tensor(let tensor)? = arguments.first else {
        throw PickleFault(description: "a parameter without a tensor")
      }
      stack.append(.tensor(tensor))
    case "torch._tensor._rebuild_from_type_v2":
      guard arguments.count >= 3, case .global(let inner) = arguments[0],
        inner.hasPrefix("torch._utils."), case .list(let index) = arguments[2]
      else { throw PickleFault(description: "a tensor of a type that is not read") }
      try call(inner, lists[index])
    case "torch.Size":
      guard case .list? = arguments.first else {
        throw PickleFault(description: "a shape that is no list")
      }
      stack.append(arguments[0])
    case _ where PickledGlobals.opaque.contains(name): stack.append(.opaque)
    default: throw PickleFault(description: "\(name) is not called")
    }
  }

  private func storage(_ value: PickleValue) throws -> PickledStorage {
    guard case .list(let index) = value, lists[index].count >= 5,
      case .string("storage") = lists[index][0], case .global(let kind) = lists[index][1],
      case .string(let key) = lists[index][2], case .int(let count) = lists[index][4], count >= 0
    else { throw PickleFault(description: "a reference to what is no storage") }
    return PickledStorage(key: key, kind: kind.lastDotted, count: count)
  }
}

extension String {
  /// What stands behind the last dot.
  var lastDotted: String { split(separator: ".").last.map(String.init) ?? self }
}
