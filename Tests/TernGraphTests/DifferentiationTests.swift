import TernCore
import TernGraph
import Testing

@Suite struct DifferentiationTests {
  @Test func onlyWhatIsNeededIsComputed() throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [2, 3, 8, 8])
    let w = try builder.variable("w", [4, 3, 3, 3])
    let loss = try x.conv2d(weight: w).sum()
    _ = try builder.gradients(of: loss, withRespectTo: [w])
    #expect(!builder.graph.nodes.contains { $0.operation is Conv2DBackwardInput })
    #expect(builder.graph.nodes.contains { $0.operation is Conv2DBackwardWeight })
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
      ($0.operation as? Binary)?.function == .add && !$0.scope.hasPrefix("backward")
    }
    // Two additions of the loss itself, two of the contributions.
    #expect(sums.count == 4)
  }
}
