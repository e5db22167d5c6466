import Foundation
import TernCore
import Testing

@testable import TernData

/// The rules by which tables are read: lines, fields, header, types, classes, columns by name.
@Suite struct CSVTests {
  private func table(
    _ text: String, known: TableColumns? = nil, name: String = "table.csv"
  ) throws -> CSVTable {
    try table(Array(text.utf8), known: known, name: name)
  }

  private func table(
    _ bytes: [UInt8], known: TableColumns? = nil, name: String = "table.csv"
  ) throws -> CSVTable {
    let files = try FixtureFiles()
    defer { files.remove() }
    try files.write(name, bytes)
    return try CSVTable(contentsOf: files.path(name), known: known)
  }

  private func labels(_ table: CSVTable) -> [String] {
    table.labels.map { table.labelNames[Int($0)] }
  }

  private func message(_ text: String, known: TableColumns? = nil) -> String {
    #expect(throws: TernError.self) { try table(text, known: known) }?.message ?? ""
  }

  @Test(arguments: ["\n", "\r\n", "\r"])
  func linesEndInThreeWays(end: String) throws {
    let text = ["a,b,label", "1,2,x", "", "3,4,\"y\(end)z\"", "  ", "5,6,x"].joined(separator: end)
    for text in [text, text + end] {
      let table = try table(text)
      #expect(table.values == [1, 2, 3, 4, 5, 6])
      #expect(labels(table) == ["x", "y\(end)z", "x"])
    }
  }

  struct Header: Sendable {
    let text: String
    let values: [Float]
    let labels: [String]
    let features: [String]?

    init(_ text: String, _ values: [Float], _ labels: [String], _ features: [String]?) {
      (self.text, self.values, self.labels, self.features) = (text, values, labels, features)
    }
  }

  static let headers = [
    Header("0,1,2,3,label\n5,6,7,8,x\n", [5, 6, 7, 8], ["x"], ["0", "1", "2", "3"]),
    Header("0,1,2,3,class\n5,6,7,8,x\n", [5, 6, 7, 8], ["x"], ["0", "1", "2", "3"]),
    Header("0,1,2,kind\n5,6,7,x\n1,2,3,y\n", [5, 6, 7, 1, 2, 3], ["x", "y"], ["0", "1", "2"]),
    Header("0,1,2,3\n5,6,7,1\n5,6,7,0\n", [5, 6, 7, 5, 6, 7], ["1", "0"], ["0", "1", "2"]),
    // Counting, but its label is one of the others'.
    Header("0,1,2,x\n5,6,7,x\n1,2,3,y\n", [0, 1, 2, 5, 6, 7, 1, 2, 3], ["x", "x", "y"], nil),
    Header("0,1,2,3\n5,6,7,3\n", [0, 1, 2, 5, 6, 7], ["3", "3"], nil),
    Header("0.5,class\n1,class\n2,other\n", [0.5, 1, 2], ["class", "class", "other"], nil),
    Header("0,0,0\n0,1,1\n", [0, 0, 0, 1], ["0", "1"], nil),
    Header("5.1,3.5,setosa\n6,3,virginica\n", [5.1, 3.5, 6, 3], ["setosa", "virginica"], nil),
    Header("label,a,b\nx,1,2\n", [1, 2], ["x"], ["a", "b"]),
    Header("1,LABEL,2\n3,x,4\n", [3, 4], ["x"], ["1", "2"]),
    Header("a,b,c\n1,2,0\n", [1, 2], ["0"], ["a", "b"]),
    Header(",a,label\n0,1,x\n1,2,y\n", [0, 1, 1, 2], ["x", "y"], ["", "a"]),
  ]

  @Test(arguments: headers)
  func theFirstLineIsAHeaderOrASample(header: Header) throws {
    let table = try table(header.text)
    #expect(table.values == header.values, "\(header.text)")
    #expect(labels(table) == header.labels, "\(header.text)")
    #expect(table.columns?.features == header.features, "\(header.text)")
  }

  @Test func numbersAreDecimalAndThere() throws {
    for field in [
      "", " ", "\" \"", "\"\"", "two", "0x10", "inf", "nan", "NA", "1e99", "1 2", "--1", "1,5",
    ] {
      let text = "a;b;label\n1;2;x\n1;\(field);y\n"
      let found = message(text)
      #expect(found.contains("line 3: column 'b'"), "\(field): \(found)")
    }
    #expect(message("a;b;label\n1;1,5;x\n").contains("decimals are written with a point"))
    #expect(message("a,b,label\n1,1e99,x\n").contains("too large"))
    let table = try table("a,b,label\n+1,-.5,x\n 1e3 ,\" 2. \",x\n")
    #expect(table.values == [1, -0.5, 1000, 2])
  }

  /// A missing value in the first line does not make it a header.
  @Test func aMissingNumberInTheFirstLineIsAFault() {
    for field in ["", "NA", "nan", "?"] {
      #expect(message("1,\(field),3,x\n1,2,3,y\n").contains("line 1: column '2'"), "\(field)")
    }
  }

  @Test func columnsAreFoundByTheirNames() throws {
    let known = TableColumns(features: ["a", "b", "b"], label: "kind")
    let other = try table("b,kind,a,b\n2,x,1,3\n", known: known)
    #expect(other.values == [1, 2, 3])
    #expect(labels(other) == ["x"])
    #expect(other.notes.contains { $0.contains("another order") })
    #expect(message("b,kind,b\n2,x,1\n", known: known).contains("no column 'a'"))
    #expect(message("a,b,b,z,kind\n1,2,3,4,x\n", known: known).contains("'z'"))
    #expect(message("a,b,b,z,w\n1,2,3,4,x\n", known: known).contains("no column 'kind'"))
    // Without names, by their places; said.
    let plain = try table("1,2,3,x\n", known: known)
    #expect(plain.values == [1, 2, 3] && plain.notes.contains { $0.contains("no header") })
    #expect(message("1,2,x\n", known: known).contains("features"))
  }

  @Test func wholeNumbersAreClassesInTheirOrder() throws {
    func names(_ text: String, _ others: String...) throws -> [String] {
      let others = try others.map { try table($0).labelNames }
      return try ClassNames(training: table(text).labelNames, others: others, path: "t").names
    }
    #expect(try names("1,20095\n1,10115\n1,20095\n") == ["10115", "20095"])
    #expect(try names("1,0\n1,2\n1,1\n") == ["0", "1", "2"])
    #expect(try names("1,2.0\n1,10\n1,-1\n") == ["-1", "2", "10"])
    #expect(try names("1,0\n1,1\n", "1,7\n") == ["0", "1", "7"])
    #expect(try names("1,b\n1,10\n1,9\n") == ["10", "9", "b"])
    #expect(throws: TernError.self) {
      try names((0...ClassNames.limit).map { "1,\($0)\n" }.joined())
    }
    // Bytes that are no text are kept apart.
    let latin = try table(Array("1,".utf8) + [0xE9, 0x0A] + Array("2,".utf8) + [0xE8, 0x0A])
    #expect(Set(latin.labelNames).count == 2)
    // One class in two forms of Unicode.
    #expect(try names("1,caf\u{E9}\n1,cafe\u{301}\n1,b\n").count == 2)
  }

  /// A quote that is not closed is found where it begins, not after reading the rest again and again.
  @Test func anOpenQuoteEndsTheReading() {
    let rest = String(repeating: "1,2,x\n", count: 200_000)
    #expect(message("a,b,label\n1,\"2,x\n" + rest).contains("line 2: a quote is not closed"))
    #expect(message("\"" + rest).contains("line 1: a quote is not closed"))
    #expect(message("a,b,label\n1,\"2,x").contains("line 2: a quote is not closed"))
    #expect(message("a,b,label\n1,\"2\"3,x\n").contains("text follows a closing quote"))
    #expect(message("a,b,label\n1,\u{0},x\n").contains("a byte 0"))
  }

  @Test func packedTablesAreUnpacked() throws {
    let text = "a,b,label\n" + (0..<100).map { "\($0),2,x\($0 % 2)\n" }.joined()
    let packed = try table(FixtureFiles.gzip(Array(text.utf8)), name: "table.csv.gz")
    #expect(packed.labels.count == 100 && packed.values[198] == 99)
  }
}
