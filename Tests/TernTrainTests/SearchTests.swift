import Foundation
import Tern
import Testing

/// Searches for settings: the rate range test, grids, random points, Parzen densities.
@Suite struct SearchTests {
  @Test func suggestionIsWhereTheLossFallsFastest() {
    var search = RateSearch()
    var isOver = false
    for step in 0..<100 where !isOver {
      let rate = RateSearch.rate(step: step, count: 100, lowest: 1e-5, highest: 10)
      // Flat, then down around 1e-2, then up.
      let x = log10(rate)
      let loss = 2 - 1.5 / (1 + exp(-6 * (x + 2))) + (x > -0.5 ? pow(10, 2 * (x + 0.5)) : 0)
      isOver = !search.add(rate: rate, loss: loss)
    }
    #expect(isOver, "a loss that diverges ends the search")
    let suggestion = search.suggestion ?? 0
    #expect(suggestion > 3e-3 && suggestion < 6e-2, "\(suggestion)")
    #expect(RateSearch.rate(step: 99, count: 100, lowest: 1e-5, highest: 10) == 10)
  }

  /// Thrown back by too high a rate, a network may fall faster than it ever did.
  @Test func suggestionStandsBeforeTheFirstRise() {
    var search = RateSearch()
    for step in 0..<140 {
      let rate = RateSearch.rate(step: step, count: 140, lowest: 1e-6, highest: 10)
      let x = log10(rate)
      let fall = 2 - 1 / (1 + exp(-6 * (x + 3)))
      let later: Double = x > -1.5 ? 3 * exp(-pow((x + 1.2) * 5, 2)) : 0
      _ = search.add(rate: rate, loss: fall + later)
    }
    let suggestion = search.suggestion ?? 0
    #expect(suggestion > 3e-4 && suggestion < 3e-3, "\(suggestion)")
  }

  @Test func aLossThatNeverFallsSuggestsNothing() {
    var search = RateSearch()
    for step in 1...20 { _ = search.add(rate: Double(step), loss: 1) }
    #expect(search.suggestion == nil)
    #expect(search.add(rate: 1, loss: .nan) == false)
  }

  private let space = SearchSpace([
    .init(
      name: "lr", domain: .range(low: 1e-4, high: 1, isLogarithmic: true, isInteger: false)),
    .init(name: "optimizer", domain: .choices([.string("sgd"), .string("adam")])),
    .init(
      name: "batch_size", domain: .range(low: 8, high: 128, isLogarithmic: false, isInteger: true)),
  ])

  @Test func gridsVisitEveryCombination() {
    let grid = (0..<18).map { space.gridPoint($0, points: 3) }
    #expect(Set(grid).count == 18)
    let settings = grid.map(space.settings)
    #expect(Set(settings.map { "\($0["batch_size"]!)" }) == ["8", "68", "128"])
    #expect(Set(settings.map { "\($0["optimizer"]!)" }).count == 2)
    #expect(settings.contains { $0["lr"] == .double(1e-2) })
  }

  @Test func randomPointsDependOnSeedAndTrialOnly() {
    #expect(space.random(trial: 3, seed: 1) == space.random(trial: 3, seed: 1))
    #expect(space.random(trial: 3, seed: 1) != space.random(trial: 4, seed: 1))
    #expect(space.random(trial: 3, seed: 1) != space.random(trial: 3, seed: 2))
  }

  @Test func positionsAndValuesAgree() {
    for parameter in space.parameters {
      for position in [0.1, 0.5, 0.9] {
        let value = parameter.value(at: position)
        #expect(parameter.value(at: parameter.position(of: value)) == value, "\(parameter.name)")
      }
    }
  }

  /// The densities lead to the minimum of a bowl: the later half of the trials lies closer to it than
  /// the random ones before, on the mean of several seeds.
  @Test func densitiesLeadToTheMinimum() {
    func distance(_ point: [Double]) -> Double {
      abs(point[0] - 0.7) + (point[1] < 0.5 ? 0 : 0.5) + abs(point[2] - 0.2)
    }
    var (early, late) = (0.0, 0.0)
    for seed in 0..<8 {
      let search = ParzenSearch(space: space, seed: UInt64(seed))
      var results: [(point: [Double], loss: Double)] = []
      for trial in 0..<40 {
        let point = search.point(trial: trial, after: results)
        #expect(point.allSatisfy { $0 >= 0 && $0 <= 1 })
        results.append((point, distance(point)))
      }
      early +=
        results.prefix(search.startupCount).map(\.loss).reduce(0, +)
        / Double(search.startupCount)
      late += results.suffix(15).map(\.loss).reduce(0, +) / 15
    }
    #expect(late < 0.5 * early, "\(late / 8) after \(early / 8)")
  }
}

/// Bayesian searches against random points, on functions whose minima are known.
@Suite struct SearchComparisonTests {
  private static let plane = SearchSpace(
    ["x", "y"].map {
      .init(name: $0, domain: .range(low: 0, high: 1, isLogarithmic: false, isInteger: false))
    })

  /// Branin's function on the unit square; its three minima are 0.397887.
  private static func branin(_ point: [Double]) -> Double {
    let (x, y) = (15 * point[0] - 5, 15 * point[1])
    let b = 5.1 / (4 * Double.pi * Double.pi)
    let bend = y - b * x * x + 5 / Double.pi * x - 6
    return bend * bend + 10 * (1 - 1 / (8 * Double.pi)) * cos(x) + 10
  }

  /// The median over 20 seeds of the best of 30 trials.
  private static func median(
    _ point: (_ seed: UInt64, _ trial: Int, [(point: [Double], loss: Double)]) -> [Double]
  ) -> Double {
    let bests = (0..<20).map { seed in
      var results: [(point: [Double], loss: Double)] = []
      for trial in 0..<30 {
        let next = point(UInt64(seed), trial, results)
        results.append((next, branin(next)))
      }
      return results.map(\.loss).min()!
    }.sorted()
    return (bests[9] + bests[10]) / 2
  }

  @Test func eachBeatsRandomPoints() {
    let random = Self.median { seed, trial, _ in Self.plane.random(trial: trial, seed: seed) }
    let parzen = Self.median {
      ParzenSearch(space: Self.plane, seed: $0).point(trial: $1, after: $2)
    }
    let process = Self.median {
      GaussianProcessSearch(space: Self.plane, seed: $0).point(trial: $1, after: $2)
    }
    #expect(parzen < random, "\(parzen) against \(random)")
    #expect(process < random, "\(process) against \(random)")
    #expect(process < 0.397888 + 0.01, "\(process)")
  }

  /// Two values of a function at 0 and 1, by hand: K = [[s² + n, k], [k, s² + n]].
  @Test func theProcessIsTheOneOfTheTextbooks() throws {
    let (length, variance, noise) = (0.5, 2.0, 0.1)
    let process = try #require(
      GaussianProcess(
        points: [[0], [1]], values: [1, -1],
        .init(lengthScales: [log(length)], variance: log(variance), noise: log(noise))))
    func kernel(_ distance: Double) -> Double {
      let r = 5.0.squareRoot() * distance / length
      return variance * (1 + r + r * r / 3) * exp(-r)
    }
    let (a, k) = (variance + noise, kernel(1))
    let determinant = a * a - k * k
    // K⁻¹ y for y = (1, −1) is (1, −1)/(a − k).
    let (near, far) = (kernel(0.25), kernel(0.75))
    let mean = (near - far) / (a - k)
    let explained = (a * (near * near + far * far) - 2 * k * near * far) / determinant
    let prediction = process.prediction(at: [0.25])
    #expect(abs(prediction.mean - mean) < 1e-12)
    #expect(abs(prediction.variance - (variance - explained)) < 1e-12)
    let likelihood = -1 / (a - k) - 0.5 * log(determinant) - log(2 * Double.pi)
    #expect(abs(process.logLikelihood - likelihood) < 1e-12)
    // By the definition: the mean of max(best − value, 0).
    let deviation = prediction.variance.squareRoot()
    var expected = 0.0
    for step in 0..<20_000 {
      let z = -8 + 16 * (Double(step) + 0.5) / 20_000
      let density = exp(-0.5 * z * z) / (2 * Double.pi).squareRoot()
      expected += max(0.3 - prediction.mean - deviation * z, 0) * density * 16 / 20_000
    }
    #expect(abs(process.expectedImprovement(at: [0.25], below: 0.3) - expected) < 1e-6)
  }

  /// The noise that was put on a wave is found again, and so is its length.
  @Test func hyperparametersAreThoseThatMakeTheValuesLikely() throws {
    let draws = Philox(seed: 3, stream: .data).normals(40)
    let points = (0..<40).map { [Double($0) / 39] }
    func fitted(noise: Double) throws -> GaussianProcess {
      let values = zip(points, draws).map { sin(6 * $0[0]) * 1.2 + noise * Double($1) }
      let process = GaussianProcess.fitted(
        points: points, values: values, seed: 0, stream: 0, distance: { abs($1 - $2) })
      return try #require(process)
    }
    let (clean, noisy) = (try fitted(noise: 0.02), try fitted(noise: 0.5))
    let deviations = [clean, noisy].map { exp($0.hyperparameters.noise / 2) }
    #expect(deviations[0] < 0.05 && deviations[1] > 0.3 && deviations[1] < 0.8, "\(deviations)")
    #expect(abs(noisy.prediction(at: [0.26]).mean - 1.2) < 0.4)
  }

  /// Choices and whole numbers are tried as they are; trials that failed lead elsewhere.
  @Test func mixedSpacesAndFailedTrials() {
    let space = SearchSpace([
      .init(name: "optimizer", domain: .choices(["a", "b", "c"].map(AttributeValue.string))),
      .init(
        name: "width", domain: .range(low: 1, high: 9, isLogarithmic: false, isInteger: true)),
    ])
    let search = GaussianProcessSearch(space: space, seed: 1)
    var results: [(point: [Double], loss: Double)] = []
    for trial in 0..<25 {
      let point = search.point(trial: trial, after: results)
      #expect(point == search.point(trial: trial, after: results), "a function of what it is given")
      let settings = space.settings(at: point)
      guard case .int(let width)? = settings["width"] else {
        Issue.record("\(settings)")
        return
      }
      let isB = settings["optimizer"] == .string("b")
      results.append((point, width == 9 ? .infinity : abs(Double(width) - 4) + (isB ? 0 : 3)))
    }
    #expect(results.map(\.loss).min() == 0)
    #expect(results.suffix(10).filter { $0.loss <= 1 }.count >= 5)
  }
}
