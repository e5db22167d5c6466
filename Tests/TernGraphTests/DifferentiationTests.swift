import Foundation
import Tern
import Testing

@Suite struct DifferentiationTests {
  @Test func onlyWhatIsNeededIsComputed() throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [2, 3, 8, 8])
    let w = try builder.variable("w", [4, 3, 3, 3])
    let loss = try x.conv2d(weight: w).sum()
    _ = try builder.gradients(of: loss, withRespectTo: [w])
    #expect(!builder.graph.nodes.contains { $0.operation is Operations.Conv2DBackwardInput })
    #expect(builder.graph.nodes.contains { $0.operation is Operations.Conv2DBackwardWeight })
  }

  @Test func unrelatedValuesHaveNoGradient() throws {
    let builder = GraphBuilder()
    let a = try builder.input("a", [2])
    let b = try builder.input("b", [2])
    let gradients = try builder.gradients(of: try a.exp().sum(), withRespectTo: [a, b])
    #expect(gradients[0] != nil)
    #expect(gradients[1] == nil)
  }

  @Test func fanOutIsSummed() throws {
    let builder = GraphBuilder()
    let a = try builder.input("a", [2])
    let loss = try (a.exp() + a.square() + a).sum()
    _ = try builder.gradients(of: loss, withRespectTo: [a])
    let sums = builder.graph.nodes.filter {
      ($0.operation as? Operations.Binary)?.function == .add && !$0.scope.hasPrefix("backward")
    }
    // Two additions of the loss itself, two of the contributions.
    #expect(sums.count == 4)
  }

  /// Slices that cover a tensor are put side by side, in their order; nothing is padded and added.
  @Test func slicesThatCoverAreJoined() throws {
    let builder = GraphBuilder()
    let a = try builder.input("a", [2, 6])
    let parts = try [(4, 2), (0, 1), (1, 3)].map { try a.narrow(1, start: $0.0, length: $0.1) }
    let loss = try parts[0].sum() + parts[1].exp().sum() + parts[2].square().sum() + a.sum()
    let gradient = try #require(builder.gradients(of: loss, withRespectTo: [a])[0])
    builder.output("gradient", gradient)
    let nodes = builder.graph.removingDeadNodes().nodes
    let joined = try #require(nodes.first { $0.operation is Operations.Cat })
    #expect(joined.inputs.count == 3)
    #expect(!nodes.contains { $0.operation is Operations.Pad })

    let values = try Session(device: DeviceCatalog.standard.open("reference"))
      .compile(builder.graph).run(["a": HostTensor([2, 6], (0..<12).map { Float($0) / 4 })])
    let expected: [Float] = (0..<12).map { i in
      let x = Float(i) / 4
      return 1 + (i % 6 == 0 ? exp(x) : i % 6 < 4 ? 2 * x : 1)
    }
    for (value, expected) in zip(try #require(values["gradient"]).floats, expected) {
      #expect(abs(value - expected) <= 1e-5 * expected)
    }
  }

  /// Slices that overlap, or leave gaps, are added.
  @Test(arguments: [[(0, 4), (2, 4)], [(0, 2), (3, 3)]])
  func otherSlicesAreAdded(slices: [(Int, Int)]) throws {
    let builder = GraphBuilder()
    let a = try builder.input("a", [2, 6])
    let parts = try slices.map { try a.narrow(1, start: $0.0, length: $0.1).sum() }
    let loss = try parts[0] + parts[1]
    builder.output("gradient", try builder.gradients(of: loss, withRespectTo: [a])[0]!)
    let values = try Session(device: DeviceCatalog.standard.open("reference"))
      .compile(builder.graph).run(["a": HostTensor([2, 6], [Float](repeating: 1, count: 12))])
    let expected = (0..<12).map { i in
      Float(slices.filter { ($0.0..<$0.0 + $0.1).contains(i % 6) }.count)
    }
    #expect(try #require(values["gradient"]).floats == expected)
  }
}
