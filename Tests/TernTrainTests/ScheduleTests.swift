import Tern
import Testing

@Suite struct ScheduleTests {
  private func rates(_ form: Schedule.Form, warmup: Double = 0) -> [Double] {
    let schedule = Schedule(form, baseRate: 1, warmupEpochs: warmup)
    return (0..<8).map { schedule.rate(step: $0, stepsPerEpoch: 2, totalSteps: 8) }
  }

  @Test func forms() {
    #expect(rates(.constant) == [Double](repeating: 1, count: 8))
    #expect(rates(.step(epochs: 2, factor: 0.5)) == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5])
    let cosine = rates(.cosine)
    #expect(cosine[0] == 1)
    #expect(abs(cosine[4] - 0.5) < 1e-12)
    #expect(rates(.inverseSqrt)[6] == 0.5)
  }

  @Test func warmupRisesLinearly() {
    #expect(Array(rates(.constant, warmup: 2).prefix(5)) == [0.25, 0.5, 0.75, 1, 1])
  }

  @Test func unknownNamesAreRefused() {
    #expect(throws: TernError.self) { try Schedule(named: "cosin", baseRate: 1) }
  }
}
