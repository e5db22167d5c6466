/// The hash of Fowler, Noll and Vo, variant 1a: the same for the same bytes in every process, where Swift's own
/// hashes differ from run to run. For names and keys, not against anybody who looks for collisions.
package enum FNV1a {
  /// In 32 bits.
  @inlinable package static func hash32(_ bytes: some Sequence<UInt8>) -> UInt32 {
    bytes.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
  }

  /// In 64 bits.
  @inlinable package static func hash64(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
  }
}
