import TernCore

/// What a user says of how things are computed: an algorithm for convolutions, and implementations of
/// anything by their names; with `no-` in front, those that are ruled out. Separated by commas.
public struct AlgorithmRequest: Hashable, Sendable, LosslessStringConvertible {
  /// How convolutions are computed, where the device can; its own choice where `nil`.
  public var algorithm: ConvolutionAlgorithm?
  /// The implementations that are asked for or ruled out.
  public var candidates: CandidateRequest

  /// A request for an algorithm and for implementations.
  public init(
    _ algorithm: ConvolutionAlgorithm?, candidates: CandidateRequest = CandidateRequest()
  ) {
    (self.algorithm, self.candidates) = (algorithm, candidates)
  }

  /// Reads `winograd,no-clblast`; `nil` where a name is empty or begins or ends with a space.
  public init?(_ text: String) {
    self.init(nil)
    let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    for word in words {
      let name = word.hasPrefix("no-") ? String(word.dropFirst(3)) : word
      guard let first = name.first, first != " ", name.last != " " else { return nil }
      if name != word {
        candidates.forbidden.append(name)
      } else if algorithm == nil, let algorithm = ConvolutionAlgorithm(rawValue: word) {
        self.algorithm = algorithm
      } else {
        candidates.wanted.append(word)
      }
    }
  }

  /// As a user writes it.
  public var description: String {
    ((algorithm.map { [$0.rawValue] } ?? []) + candidates.wanted
      + candidates.forbidden.map { "no-\($0)" }).joined(separator: ",")
  }
}

extension CandidateRequest {
  /// - Throws: ``TernCore/TernError`` where the device has no implementation of a name.
  func check(_ device: any Device) throws {
    let kinds = (device as? any CandidateDevice)?.candidateKinds ?? []
    for name in wanted + forbidden {
      let kind = Candidate.kind(name)
      guard kinds.contains(kind) else {
        throw TernError(
          .usage,
          kinds.isEmpty
            ? "algorithm: \(device.info.id) has one implementation of everything"
            : "algorithm: \(device.info.id) has no '\(kind)'; it has "
              + Set(kinds + ConvolutionAlgorithm.allCases.map(\.rawValue)).sorted()
              .joined(separator: ", "))
      }
    }
  }
}
