import Foundation
import Synchronization
import Tern

/// Results go to stdout, everything else to stderr. Whatever is in names and messages, nothing but
/// what Tern itself writes commands the terminal.
enum Output {
  /// Lines on stdout.
  static func result(_ text: String) { write(text.visibleLines + "\n", to: STDOUT_FILENO) }

  /// A line on stdout for programs.
  static func result(_ json: JSON) { write(json.description + "\n", to: STDOUT_FILENO) }

  /// Text on stdout, whose line goes on.
  static func text(_ text: String) { write(text.visibleLines, to: STDOUT_FILENO) }

  /// A line on stderr.
  static func progress(_ text: String) { control(text.visible + "\n") }

  /// Lines on stderr.
  static func lines(_ text: String) { control(text.visibleLines + "\n") }

  /// Text on stderr as it is, with what moves the cursor; nothing from outside is in it.
  static func control(_ text: String) { write(text, to: STDERR_FILENO) }

  /// Why results did not get where they were sent, if they did not; a reader that has gone away has
  /// what it wanted.
  static var failure: TernError? {
    let reason = failedWrite.load(ordering: .relaxed)
    return reason == 0
      ? nil : TernError(.cannotWrite, "stdout: cannot write: \(String(cString: strerror(reason)))")
  }

  /// The number of the first error of a write to stdout.
  private static let failedWrite = Atomic<Int32>(0)

  /// Streams that a parent has closed lead nowhere: a file that is opened later must not take their
  /// place and get what is printed.
  static func reserveStreams() {
    for file in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(file, F_GETFD) < 0 {
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// The columns of the terminal that progress goes to; 80 where it does not say.
  static var terminalWidth: Int {
    var size = winsize()
    let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return isKnown ? Int(size.ws_col) : 80
  }

  /// Unbuffered, so that a line appears when it is written, also in a pipe. What nobody reads any
  /// more is dropped.
  private static func write(_ text: String, to file: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let reason = count < 0 ? errno : EIO
        if file == STDOUT_FILENO, reason != EPIPE {
          _ = failedWrite.compareExchange(expected: 0, desired: reason, ordering: .relaxed)
        }
        return
      }
      bytes = bytes.dropFirst(count)
    }
  }

  /// A longer message quotes a file at length.
  private static let longestMessage = 1000

  /// A line on stderr, whatever is quoted in it.
  static func error(_ text: String) {
    let line = text.visible
    let scalars = line.unicodeScalars
    guard scalars.count > longestMessage else { return control("tern: error: \(line)\n") }
    let start = String(scalars.prefix(longestMessage * 3 / 4))
    control("tern: error: \(start) … \(String(scalars.suffix(longestMessage / 4)))\n")
  }

  static func warning(_ text: String) { progress("tern: warning: \(text)") }
}

/// Columns of text, each as wide as its widest cell.
struct Table {
  private let header: [String]
  private var rows: [[String]] = []
  /// The columns whose cells stand at the right edge.
  private let numeric: Set<Int>

  init(_ header: [String], numeric: Set<Int> = []) {
    self.header = header.map(\.visible)
    self.numeric = numeric
  }

  mutating func append(_ row: [String]) { rows.append(row.map(\.visible)) }

  var text: String {
    let widths = header.indices.map { column in
      ([header] + rows).map { $0[column].count }.max() ?? 0
    }
    return ([header] + rows).map { row in
      row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return numeric.contains(column) ? space + cell : cell + space
      }.joined(separator: "  ").trimmingSuffix(" ")
    }.joined(separator: "\n")
  }
}

extension String {
  fileprivate func trimmingSuffix(_ character: Character) -> String {
    var result = self
    while result.last == character { result.removeLast() }
    return result
  }
}

/// Numbers as people read them.
enum Format {
  /// 61,706
  static func count(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
      result.append(digit)
    }
    return (value < 0 ? "-" : "") + result
  }

  static func count(_ value: Double) -> String {
    // Beyond what an Int holds, digits say nothing.
    Int(exactly: value.rounded()).map { count($0) } ?? String(format: "%.3g", value)
  }

  /// 1.5 MiB
  static func bytes(_ value: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var (number, unit) = (Double(value), 0)
    while number >= 1024, unit < units.count - 1 { (number, unit) = (number / 1024, unit + 1) }
    return unit == 0 ? "\(value) B" : fixed(number, 1) + " " + units[unit]
  }

  /// 3.2e-07
  static func scientific(_ value: Double) -> String { String(format: "%.1e", value) }

  /// 12.5 µs, 3.1 ms, 2.0 s
  static func duration(_ seconds: Double) -> String {
    switch seconds {
    case ..<1e-3: fixed(seconds * 1e6, 1) + " µs"
    case ..<1: fixed(seconds * 1e3, 2) + " ms"
    default: fixed(seconds, 2) + " s"
    }
  }

  /// 0.2763; 1.2346e-05 and 1.2346e+26 where four decimals say nothing, or more than is known.
  static func loss(_ value: Double) -> String {
    let isOrdinary = value == 0 || !value.isFinite || 1e-3..<1e6 ~= abs(value)
    return isOrdinary ? fixed(value, 4) : String(format: "%.4e", value)
  }

  static func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }
}
