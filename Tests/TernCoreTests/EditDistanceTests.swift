import TernCore
import Testing

/// What is said to have been meant by a misspelt name.
@Suite struct EditDistanceTests {
  @Test func nearNamesAreFound() {
    let known = ["bias", "groups", "kernel_size", "lr", "stride"]
    #expect(EditDistance.nearest(to: "strid", among: known) == "stride")
    #expect(EditDistance.nearest(to: "kernelsize", among: known) == "kernel_size")
    #expect(EditDistance.nearest(to: "lrr", among: known) == "lr")
    #expect(EditDistance.nearest(to: "momentum", among: known) == nil)
  }

  /// A name that shares nothing with a short word was not meant by it.
  @Test func shortWordsAreNotGuessedAt() {
    #expect(EditDistance.nearest(to: "l", among: ["k", "m", "n"]) == nil)
    #expect(EditDistance.nearest(to: "xy", among: ["k", "lr"]) == nil)
    #expect(EditDistance.nearest(to: "", among: ["k"]) == nil)
  }
}
