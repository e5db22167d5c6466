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
