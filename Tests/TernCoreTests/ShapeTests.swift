import TernCore
import Testing

@Suite struct ShapeTests {
  @Test func broadcasting() {
    #expect(Shape.broadcast([2, 3], [3]) == [2, 3])
    #expect(Shape.broadcast([2, 1, 4], [3, 1]) == [2, 3, 4])
    #expect(Shape.broadcast([], [5]) == [5])
    #expect(Shape.broadcast([], []) == [])
    #expect(Shape.broadcast([2, 3], [2]) == nil)
  }

  @Test func strides() {
    #expect(Shape([2, 3, 4]).strides == [12, 4, 1])
    #expect(Shape([3, 1]).broadcastStrides(to: [2, 3, 4]) == [0, 1, 0])
  }

  @Test func attributesRejectWhatNobodyAskedFor() throws {
    var attributes = Attributes("conv2d", ["stride": .int(2), "pading": .int(1)])
    #expect(try attributes.ints("stride", count: 2) == [2, 2])
    #expect(try attributes.int("groups", default: 1) == 1)
    #expect(throws: ShapeError.self) { try attributes.finish() }
    var wrong = Attributes("conv2d", ["stride": .string("two")])
    #expect(throws: ShapeError.self) { try wrong.ints("stride", count: 2) }
  }

  @Test func nearestName() {
    #expect(EditDistance.nearest(to: "lenett", among: ["mlp", "lenet5"]) == "lenet5")
    #expect(EditDistance.nearest(to: "transformer", among: ["mlp", "lenet5"]) == nil)
  }
}
