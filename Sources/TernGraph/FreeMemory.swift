/// What of an arena is free at a moment.
struct FreeMemory {
  let limit: Int
  /// What was ever taken.
  private(set) var byteCount = 0
  /// Free ranges below ``byteCount``, lowest first; none touches another.
  private var holes: [Range<Int>] = []

  init(limit: Int) { self.limit = limit }

  /// The lowest offset with so many free bytes, which are taken; `nil` where the arena has none.
  mutating func take(_ size: Int) -> Int? {
    if let index = holes.firstIndex(where: { $0.count >= size }) {
      let hole = holes[index]
      if hole.count == size {
        holes.remove(at: index)
      } else {
        holes[index] = hole.lowerBound + size..<hole.upperBound
      }
      return hole.lowerBound
    }
    let isOpen = holes.last?.upperBound == byteCount
    let start = isOpen ? holes.last!.lowerBound : byteCount
    guard start + size <= limit else { return nil }
    if isOpen { holes.removeLast() }
    byteCount = start + size
    return start
  }

  mutating func release(_ range: Range<Int>) {
    var (low, high) = (0, holes.count)
    while low < high {
      let middle = (low + high) / 2
      if holes[middle].lowerBound < range.lowerBound { low = middle + 1 } else { high = middle }
    }
    let joinsNext = low < holes.count && holes[low].lowerBound == range.upperBound
    let joinsPrevious = low > 0 && holes[low - 1].upperBound == range.lowerBound
    switch (joinsPrevious, joinsNext) {
    case (true, true):
      holes[low - 1] = holes[low - 1].lowerBound..<holes[low].upperBound
      holes.remove(at: low)
    case (true, false): holes[low - 1] = holes[low - 1].lowerBound..<range.upperBound
    case (false, true): holes[low] = range.lowerBound..<holes[low].upperBound
    case (false, false): holes.insert(range, at: low)
    }
  }
}
