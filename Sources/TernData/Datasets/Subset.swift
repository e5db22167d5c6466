import TernCore

/// Some samples of another dataset, in an order of its own.
public struct Subset: DatasetWrapper {
  public let base: any Dataset
  private let indices: [Int32]
  public let classNames: [String]

  /// - Parameter classNames: where they are not those of `base`.
  public init(_ base: any Dataset, _ indices: [Int32], classNames: [String]? = nil) {
    self.base = base
    self.indices = indices
    self.classNames = classNames ?? base.classNames
  }

  public var count: Int { indices.count }
  public var statisticsCount: Int { min(base.statisticsCount, count) }
  public func statisticsSample(_ number: Int) -> Int { number * count / statisticsCount }
  /// That of the other dataset, and which of its samples these are.
  public var summary: String? {
    base.summary.map { summary in
      let chosen = indices.withUnsafeBytes { FNV1a.hash64($0) }
      return "\(summary) \(String(chosen, radix: 16))"
    }
  }
  public func baseIndex(_ index: Int) -> Int { Int(indices[index]) }

  /// Those of the other dataset with what of each is in this one, where it keeps their order.
  public var runs: [Int]? {
    guard let runs = base.runs else { return nil }
    var (counts, run, end) = ([Int](repeating: 0, count: runs.count), 0, runs.first ?? 0)
    var last: Int32 = -1
    for index in indices {
      guard index > last else { return nil }
      last = index
      while Int(index) >= end {
        run += 1
        end += runs[run]
      }
      counts[run] += 1
    }
    return counts
  }

  /// Holds out one of `count` equal parts, drawn by `seed`.
  ///
  /// - Throws: ``TernError`` of kind `usage` where a part would be empty.
  public static func fold(_ base: any Dataset, _ index: Int, of count: Int, seed: UInt64) throws
    -> (rest: Subset, held: Subset)
  {
    precondition(index >= 0 && index < count)
    guard count >= 2, count <= base.count else {
      throw TernError(.usage, "folds: \(base.count) samples cannot be cut into \(count) parts")
    }
    let order = Philox(seed: seed, stream: .data).permutation(base.count)
    let held = heldRange(ofFold: index, of: count, sampleCount: base.count)
    return (
      Subset(base, (order[..<held.lowerBound] + order[held.upperBound...]).sorted()),
      Subset(base, order[held].sorted())
    )
  }

  /// Which places of the drawn order a fold holds out.
  public static func heldRange(ofFold index: Int, of count: Int, sampleCount: Int) -> Range<Int> {
    sampleCount * index / count..<sampleCount * (index + 1) / count
  }

  /// Cuts a dataset in two: the second part holds `fraction` of the samples, drawn by `seed`.
  ///
  /// - Throws: ``TernError`` of kind `usage` where a part would be empty.
  public static func split(_ base: any Dataset, fraction: Double, seed: UInt64) throws
    -> (first: Subset, second: Subset)
  {
    let order = Philox(seed: seed, stream: .data).permutation(base.count)
    let held = fraction > 0 && fraction < 1 ? Int((Double(base.count) * fraction).rounded()) : 0
    guard held > 0, held < base.count else {
      throw TernError(
        .usage, "validation-split: \(fraction) of \(base.count) samples leaves one part empty")
    }
    return (
      Subset(base, order.dropLast(held).sorted()), Subset(base, order.suffix(held).sorted())
    )
  }

  /// Cuts a dataset that comes without a test set in two: a part of each class is for testing, one sample
  /// in every so many; of numbers to be predicted, of all samples.
  ///
  /// - Parameter part: 0.2 for every fifth.
  /// - Throws: ``TernError`` of kind `badData` where no class has as many.
  static func testSplit(_ base: any Dataset, _ part: Double, name: String) throws
    -> (first: any Dataset, second: any Dataset)
  {
    if let runs = base as? any DatasetOfRuns {
      let parts = runs.holdingOut(part)
      guard parts.first.count > 0, parts.second.count > 0 else {
        throw TernError(
          .badData,
          "\(name): no test set, and holding out \(part) of each shard leaves one part empty")
      }
      return parts
    }
    var seen = [Int](repeating: 0, count: base.classCount)
    var parts: ([Int32], [Int32]) = ([], [])
    for index in 0..<base.count {
      let label = Int(base.label(index))
      seen[label] += 1
      if Int(Double(seen[label]) * part) > Int(Double(seen[label] - 1) * part) {
        parts.1.append(Int32(index))
      } else {
        parts.0.append(Int32(index))
      }
    }
    guard !parts.1.isEmpty, !parts.0.isEmpty else {
      throw TernError(
        .badData,
        base.hasNumericTargets || part != 0.2
          ? "\(name): no test set, and holding out \(part) of \(base.count) samples leaves one part empty"
          : "\(name): no test set, and no class has the five samples to hold one out of"
            + (base.hasOnlyDifferentNumbers
              ? "; labels that are all different numbers are learnt as such by the task regression"
              : ""))
    }
    return (Subset(base, parts.0), Subset(base, parts.1))
  }
}

extension Dataset {
  /// Whether what is taken for classes is a number of its own for each sample.
  fileprivate var hasOnlyDifferentNumbers: Bool {
    classCount == count && classNames.count == count && classNames.allSatisfy { Double($0) != nil }
  }
}
