import CTeam
import Dispatch
import Synchronization
import Testing

@testable import TernCPU

/// The threads that run loops.
@Suite struct TeamTests {
  /// Every part runs once, whoever runs it: helpers that are there, that sleep, and that are not to come.
  @Test(arguments: [1, 2, 3, 5]) func everyPartRunsOnce(count: Int) throws {
    let threads = Threads(count: count)
    let length = 1000
    let hits = UnsafeMutableBufferPointer<Int>.allocate(capacity: length)
    defer { hits.deallocate() }
    hits.initialize(repeating: 0)
    let loop = threads.loop(length, alignment: 16) { range in for i in range { hits[i] += 1 } }
    for round in 0..<600 {
      try threads.activate(alone: round / 100 % 3 == 1)
      try loop()
    }
    try threads.activate()
    #expect(hits.allSatisfy { $0 == 600 })
  }

  /// oneDNN, as Debian builds it, calls the team in place of OpenMP's.
  @Test func oneDNNRunsOnTheTeam() throws {
    try Threads(count: 2).activate()
    #expect(tern_team_runs_onednn())
  }

  /// A loop that a part of another starts stays on its thread.
  @Test func loopsWithinLoops() throws {
    let threads = Threads(count: 2)
    try threads.activate()
    let sum = Atomic(0)
    let inner = threads.loop(8) { range in
      for i in range { sum.add(i, ordering: .relaxed) }
    }
    let outer = threads.loop(4) { range in for _ in range { try? inner() } }
    for _ in 0..<50 { try outer() }
    #expect(sum.load(ordering: .relaxed) == 50 * 4 * 28)
  }

  /// Loops that several threads start at once each have a team of their own.
  @Test func startersDoNotMeet() {
    let wrong = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 4) { starter in
      let threads = Threads(count: 2)
      guard (try? threads.activate()) != nil else {
        wrong.add(1, ordering: .relaxed)
        return
      }
      let values = UnsafeMutableBufferPointer<Int>.allocate(capacity: 64)
      defer { values.deallocate() }
      values.initialize(repeating: 0)
      let loop = threads.loop(64) { range in for i in range { values[i] += starter + 1 } }
      for _ in 0..<200 { try? loop() }
      if values.contains(where: { $0 != 200 * (starter + 1) }) { wrong.add(1, ordering: .relaxed) }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }

  /// Nothing is tried where nobody waits; where waiting is what takes the time, the faster way is found,
  /// and left again when the neighbour goes.
  @Test func theGovernorFollowsTheMeasuredSteps() {
    var quiet = ThreadGovernor()
    for _ in 0..<2000 {
      quiet.note(seconds: 0.002, waited: 0.00005)
      #expect(!quiet.isAlone)
    }
    var governor = ThreadGovernor()
    var aloneCount = 0
    for step in 0..<4000 {
      // A neighbour until step 2000: together a step takes three times as long as alone, then half.
      let isBusy = step < 2000
      let together = isBusy ? 0.006 : 0.001
      governor.note(
        seconds: governor.isAlone ? 0.002 : together,
        waited: governor.isAlone || !isBusy ? 0 : 0.004)
      if isBusy, governor.isAlone { aloneCount += 1 }
      if step > 3900 { #expect(!governor.isAlone) }
    }
    #expect(aloneCount > 1800)
    // Parts of unequal length are waited for too, but being alone is slower: hardly ever tried.
    var uneven = ThreadGovernor()
    aloneCount = 0
    for _ in 0..<4000 {
      uneven.note(seconds: uneven.isAlone ? 0.006 : 0.004, waited: uneven.isAlone ? 0 : 0.001)
      if uneven.isAlone { aloneCount += 1 }
    }
    #expect(aloneCount < 20)
    // The first steps, and every fiftieth, take three times as long: no reason to be alone.
    var uncertain = ThreadGovernor()
    aloneCount = 0
    for step in 0..<400 {
      let isLate = step < 2 || step % 50 < 3
      uncertain.note(
        seconds: (uncertain.isAlone ? 0.48 : 0.33) * (isLate ? 3 : 1),
        waited: uncertain.isAlone ? 0 : 0.06)
      if uncertain.isAlone { aloneCount += 1 }
    }
    #expect(aloneCount < 20)
    // A neighbour that comes, and goes.
    var surprised = ThreadGovernor()
    aloneCount = 0
    for step in 0..<6000 {
      let isBusy = (1000..<3000).contains(step)
      surprised.note(
        seconds: surprised.isAlone ? 0.0047 : isBusy ? 0.008 : 0.0028,
        waited: surprised.isAlone ? 0 : isBusy ? 0.004 : 0.0004)
      if isBusy, surprised.isAlone { aloneCount += 1 }
      if step > 5900 { #expect(!surprised.isAlone) }
    }
    #expect(aloneCount > 1800)
  }
}
