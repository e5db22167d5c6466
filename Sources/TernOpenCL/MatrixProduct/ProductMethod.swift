import TernRuntime

/// How a matrix product is computed.
struct ProductMethod {
  enum Kind: String {
    /// By CLBlast.
    case library = "clblast"
    /// Elements of A meet vectors of B's rows.
    case rows
    /// The same, for few rows of A: all of them meet stripes of B's rows.
    case thin
    /// Rows of A meet rows of Bᵀ.
    case dot
    /// Both operands are first copied into blocks.
    case packed
    /// By tiles in local memory.
    case tile
    /// On tensor cores.
    case tensor
  }

  let kind: Kind
  /// Rows and columns (of vectors) of the accumulators of a work-item.
  var rows = 1
  var columns = 1
  var vectorWidth = 1
  /// Whether the transposed product is computed: few columns of B meet stripes of Aᵀ's rows.
  var isTransposed = false
  /// What a group computes, on tensor cores or without.
  var tensorTile: TensorTile?
  var tile: TileChoice?

  var name: String {
    if let tensorTile { return tensorTile.name }
    if let tile { return "\(kind) \(tile.name)" }
    return kind == .library
      ? kind.rawValue : "\(kind) \(rows)x\(columns)" + (isTransposed ? " transposed" : "")
  }
}
