/// How many of a network's tensors something holds for, by its outermost layers.
enum LayerCounts {
  /// `features 10, classifier 4 of 6`: the layers of which some are chosen, in their order.
  static func text(_ names: [String], _ isChosen: (String) -> Bool) -> String {
    var parts: [(name: Substring, chosen: Int, count: Int)] = []
    for name in names {
      let part = name.prefix { $0 != "." }
      if parts.last?.name != part { parts.append((part, 0, 0)) }
      parts[parts.count - 1].count += 1
      if isChosen(name) { parts[parts.count - 1].chosen += 1 }
    }
    return parts.filter { $0.chosen > 0 }.map { part in
      "\(part.name) \(part.chosen)" + (part.chosen < part.count ? " of \(part.count)" : "")
    }.joined(separator: ", ")
  }
}
