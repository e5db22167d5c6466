/// Something that came from outside — a file, a flag, a shape in a model file, a device — and
/// cannot be used. The message is one line that says what, where, and where possible what to do.
public struct TernError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What went wrong, as far as it decides what can be done about it.
  public enum Kind: Hashable, Sendable {
    /// A command or setting that makes no sense.
    case usage
    /// A file whose content is damaged or does not fit.
    case badData
    /// A file or data set that is not there.
    case notFound
    /// The device asked for is not there.
    case deviceUnavailable
    /// An output that cannot be written.
    case cannotWrite
    /// Training produced a value that is not finite.
    case diverged
    /// A plan that does not fit the memory of its device.
    case outOfMemory
    /// A failure of a device, a driver or the system.
    case runtime
  }

  /// What to do about it, where a program that asks its user can say how.
  public enum Remedy: Hashable, Sendable {
    /// Training goes on from what the run in a folder has saved.
    case resume(run: String)
    /// The folder holds a run: it can be resumed, or another folder chosen.
    case resumeOrChooseFolder
    /// Another folder is to be chosen.
    case chooseFolder
    /// The precision can be had all the same.
    case forcePrecision
  }

  /// What went wrong.
  public let kind: Kind
  /// One line: what, where, and where possible what to do.
  public let message: String
  /// What to do about it, where that is more than ``message`` says.
  public let remedy: Remedy?

  /// An error of a kind, with a message of one line.
  public init(_ kind: Kind, _ message: String, remedy: Remedy? = nil) {
    self.kind = kind
    self.message = message
    self.remedy = remedy
  }

  public var description: String { message }
}

/// Shapes, types or attributes that do not fit an operation, found before anything runs.
public struct ShapeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The operation's name, such as `conv2d`.
  public let operation: String
  /// What of it does not fit: an input such as `weight`, or an attribute such as `stride`.
  public let subject: String
  /// What would fit.
  public let expected: String
  /// What was given.
  public let got: String

  /// An error that says what of an operation does not fit, what would, and what was given.
  public init(_ operation: String, _ subject: String, expected: String, got: String) {
    self.operation = operation
    self.subject = subject
    self.expected = expected
    self.got = got
  }

  public var description: String { "\(operation): \(subject): expected \(expected), got \(got)" }
}
