import Tern
import Testing

@Suite struct ScheduleTests {
  private func rates(
    _ form: Schedule.Form, warmup: Double = 0, minimum: Double = 0, drops: [Int] = []
  ) -> [Double] {
    let schedule = Schedule(form, baseRate: 1, warmupEpochs: warmup, minimumRate: minimum)
    return (0..<8).map { schedule.rate(step: $0, stepsPerEpoch: 2, totalSteps: 8, drops: drops) }
  }

  @Test func forms() {
    #expect(rates(.constant) == [Double](repeating: 1, count: 8))
    #expect(rates(.step(epochs: 2, factor: 0.5)) == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5])
    #expect(
      rates(.multiStep(epochs: [1, 3], factor: 0.5)) == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])
    #expect(rates(.exponential(factor: 0.25)).prefix(4) == [1, 0.5, 0.25, 0.125])
    let cosine = rates(.cosine)
    #expect(cosine[0] == 1)
    #expect(abs(cosine[4] - 0.5) < 1e-12)
    #expect(abs(rates(.cosine, minimum: 0.2)[4] - 0.6) < 1e-12)
    #expect(rates(.inverseSqrt)[6] == 0.5)
  }

  /// Against torch.optim.lr_scheduler.OneCycleLR; runs shorter than its rise begin in the fall.
  @Test(arguments: [
    [
      0.04, 0.52, 1, 0.9504846320134737, 0.8117456539497631, 0.6112620219362893,
      0.38874197806371075, 0.18825834605023697, 0.049519367986526286, 4e-6,
    ],
    [0.9944154354509117, 0.46263710266697505, 4e-6],
    [0.811745653949763, 4e-6],
    [4e-6],
  ]) func oneCycleRisesThenFalls(expected: [Double]) {
    let schedule = Schedule(.oneCycle, baseRate: 1)
    for (step, rate) in expected.enumerated() {
      let got = schedule.rate(step: step, stepsPerEpoch: 2, totalSteps: expected.count)
      #expect(abs(got - rate) < 1e-12, "step \(step): \(got)")
    }
  }

  @Test func plateauDropsWhereRecorded() {
    let form = Schedule.Form.plateau(factor: 0.5, patience: 2)
    #expect(rates(form, drops: [4, 6]) == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25])
    let schedule = Schedule(form, baseRate: 1)
    #expect(!schedule.drops(afterEpochsWithoutImprovement: 1))
    #expect(schedule.drops(afterEpochsWithoutImprovement: 2))
    #expect(!Schedule(.cosine, baseRate: 1).drops(afterEpochsWithoutImprovement: 9))
  }

  @Test func warmupRisesLinearly() {
    #expect(Array(rates(.constant, warmup: 2).prefix(5)) == [0.25, 0.5, 0.75, 1, 1])
  }

  @Test(arguments: Schedule.names) func everyNameMakesASchedule(name: String) throws {
    let schedule = try Schedule(named: name, baseRate: 1, parameters: .init(milestones: [3]))
    #expect(schedule.rate(step: 0, stepsPerEpoch: 2, totalSteps: 8) > 0)
  }

  @Test func nonsenseIsRefused() {
    #expect(throws: TernError.self) { try Schedule(named: "cosin", baseRate: 1) }
    #expect(throws: TernError.self) { try Schedule(named: "multi-step", baseRate: 1) }
    #expect(throws: TernError.self) {
      try Schedule(named: "multi-step", baseRate: 1, parameters: .init(milestones: [5, 3]))
    }
    #expect(throws: TernError.self) {
      try Schedule(named: "step", baseRate: 1, parameters: .init(factor: 2))
    }
    #expect(throws: TernError.self) {
      try Schedule(named: "one-cycle", baseRate: 1, warmupEpochs: 1)
    }
  }
}
