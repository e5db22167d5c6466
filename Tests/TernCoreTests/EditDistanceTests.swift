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

  /// Neighbours that were exchanged are one mistake.
  @Test func exchangedLetters() {
    #expect(EditDistance.between("trian", "train") == 1)
    #expect(EditDistance.between("ab", "ba") == 1)
    #expect(EditDistance.between("ca", "abc") == 3)
    #expect(EditDistance.between("", "abc") == 3)
    #expect(EditDistance.between("kitten", "sitting") == 3)
  }

  /// What other libraries call a thing goes before a name that only looks like it.
  @Test func namesOfOtherLibraries() {
    #expect(EditDistance.nearest(to: "amp", among: ["ema", "precision"]) == "precision")
    #expect(EditDistance.nearest(to: "amp", among: ["ema", "lr"]) == "ema")
    #expect(
      EditDistance.nearest(to: "Max-Pool_2D", among: ["avg_pool2d", "max_pool2d"]) == "max_pool2d")
    #expect(EditDistance.nearest(to: "kernel", among: ["bias", "kernel_size"]) == "kernel_size")
    #expect(
      EditDistance.nearest(to: "valid", among: ["validation_split", "lr"]) == "validation_split")
    #expect(EditDistance.nearest(to: String(repeating: "a", count: 100_000), among: ["a"]) == nil)
    #expect(EditDistance.nearest(to: "-", among: ["lr"]) == nil)
  }
}
