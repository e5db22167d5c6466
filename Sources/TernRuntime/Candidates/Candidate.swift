/// One of several ways to compute something on a device: an algorithm with its parameters, a library's
/// routine, a loop of the device's own.
package struct Candidate: Hashable, Sendable {
  /// As profiles, the tuner and `--algorithm` name it: `winograd 4x4`.
  package let name: String
  /// What it is taken to cost: operations at the speed of the device's best kernels, with what it moves
  /// counted in them. It tells the candidates of a problem apart.
  package let cost: Double
  /// Scratch memory, in bytes.
  package let workspaceByteCount: Int

  package init(_ name: String, cost: Double, workspaceByteCount: Int = 0) {
    (self.name, self.cost, self.workspaceByteCount) = (name, cost, workspaceByteCount)
  }

  /// The first word of the name: `winograd`.
  package var kind: String { Self.kind(name) }

  static func kind(_ name: String) -> String { String(name.prefix { $0 != " " }) }
}

/// Something that several candidates can compute: a pass of a convolution, a product, an update.
package struct CandidateProblem: Sendable {
  /// What it is, with its shapes, in a line: what choices are kept by.
  package let description: String
  /// Those that cover the problem. Of two that cost the same the first is taken.
  package let candidates: [Candidate]
  /// The one to take where none was measured, if it is not the cheapest.
  package let untuned: String?

  /// - Precondition: there is a candidate, and names are different.
  package init(_ description: String, _ candidates: [Candidate], untuned: String? = nil) {
    precondition(!candidates.isEmpty)
    (self.description, self.candidates, self.untuned) = (description, candidates, untuned)
  }

  /// The most candidates that are worth measuring.
  package static let mostMeasured = 6

  /// The candidates that are worth measuring: the one taken untuned, one of each other kind, then the
  /// rest, always the cheapest in front, and no more than ``mostMeasured``.
  ///
  /// - Parameter margin: how many times the least cost one may have. An estimate is wrong by some factor;
  ///   beyond it a compiler's time is not worth spending.
  package func measured(within margin: Double) -> [Candidate] {
    let limit = margin * (candidates.map(\.cost).min() ?? 0)
    let first = taken(among: candidates)
    // Equal ones stay in the order that their maker prefers.
    let others = candidates.enumerated().filter {
      $0.element.name != first.name && $0.element.cost <= limit
    }.sorted { ($0.element.cost, $0.offset) < ($1.element.cost, $1.offset) }.map(\.element)
    var kinds: Set = [first.kind]
    let kindsFirst = others.filter { kinds.insert($0.kind).inserted }
    let ordered = [first] + kindsFirst + others.filter { !kindsFirst.contains($0) }
    return Array(ordered.prefix(Self.mostMeasured))
  }

  /// The one to take of some of the candidates, by estimate.
  func taken(among some: [Candidate]) -> Candidate {
    some.first { $0.name == untuned }
      ?? some.enumerated().min {
        ($0.element.cost, $0.offset) < ($1.element.cost, $1.offset)
      }!.element
  }
}

/// The candidates that a user asks for or rules out, by name or by kind. Where that leaves none, it has no
/// say: what is asked for need not cover everything.
public struct CandidateRequest: Hashable, Sendable {
  /// What is taken where it covers the problem.
  public var wanted: [String]
  /// What is not taken.
  public var forbidden: [String]

  /// A request by names or kinds.
  public init(wanted: [String] = [], forbidden: [String] = []) {
    (self.wanted, self.forbidden) = (wanted, forbidden)
  }

  /// Whether nothing is asked for or ruled out.
  public var isEmpty: Bool { wanted.isEmpty && forbidden.isEmpty }

  /// What is left of some candidates.
  func narrowing(_ candidates: [Candidate]) -> [Candidate] {
    func isNamed(_ candidate: Candidate, by names: [String]) -> Bool {
      names.contains { $0 == candidate.name || $0 == candidate.kind }
    }
    let allowed = candidates.filter { !isNamed($0, by: forbidden) }
    let some = allowed.isEmpty ? candidates : allowed
    let asked = some.filter { isNamed($0, by: wanted) }
    return asked.isEmpty ? some : asked
  }
}
