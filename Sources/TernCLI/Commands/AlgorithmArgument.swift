import ArgumentParser
import Tern

/// What `--algorithm` takes: an algorithm for convolutions, and implementations by their names; with
/// `no-` in front, those that are ruled out.
struct AlgorithmArgument: ExpressibleByArgument {
  private(set) var algorithm: ConvolutionAlgorithm?
  private(set) var candidates = CandidateRequest()

  init?(argument: String) {
    let words = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
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

  /// - Throws: ``TernError`` where the device has no implementation of a name.
  func check(_ device: any Device) throws {
    let kinds = (device as? any CandidateDevice)?.candidateKinds ?? []
    for name in candidates.wanted + candidates.forbidden {
      let kind = String(name.prefix { $0 != " " })
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
