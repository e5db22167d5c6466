import Tern

extension OpCase {
  private static let sizes: [(String, Int, Int, Int, Int)] = [
    // time, batch, input, hidden
    ("basic", 5, 3, 4, 6), ("one", 1, 1, 1, 1), ("step", 1, 4, 7, 3), ("long", 20, 2, 3, 5),
    ("wide", 3, 2, 17, 19),
  ]

  private static func packed(
    _ name: String, gates: Int, hasCell: Bool, hasBias: Bool = true,
    attributes: [String: AttributeValue] = [:]
  ) -> [OpCase] {
    sizes.map { label, time, batch, size, hidden in
      var inputs = [
        "input": Input([time, batch, size]), "h0": Input([batch, hidden]),
        "weight_ih_l0": Input([gates * hidden, size], .uniform(-0.5, 0.5)),
        "weight_hh_l0": Input([gates * hidden, hidden], .uniform(-0.5, 0.5)),
      ]
      if hasCell { inputs["c0"] = Input([batch, hidden]) }
      if hasBias {
        inputs["bias_ih_l0"] = Input([gates * hidden])
        inputs["bias_hh_l0"] = Input([gates * hidden])
      }
      return OpCase(
        name, label + (hasBias ? "" : "-no-bias") + (attributes.isEmpty ? "" : "-reset-before"),
        attributes, inputs, terms: time * batch * hidden)
    }
  }

  private static let peepholes: [OpCase] = sizes.map { label, time, batch, size, hidden in
    var inputs = [
      "input": Input([time, batch, size]), "h0": Input([batch, hidden]),
      "c0": Input([batch, hidden]),
    ]
    for gate in ["i", "f", "o", "c"] {
      inputs["W_\(gate)"] = Input([hidden, size], .uniform(-0.5, 0.5))
      inputs["U_\(gate)"] = Input([hidden, hidden], .uniform(-0.5, 0.5))
      if gate != "c" { inputs["V_\(gate)"] = Input([hidden], .uniform(-0.5, 0.5)) }
    }
    return OpCase("lstm_peephole", label, [:], inputs, terms: time * batch * hidden)
  }

  static let recurrent: [OpCase] =
    packed("rnn_tanh", gates: 1, hasCell: false) + packed("lstm", gates: 4, hasCell: true)
    + packed("gru", gates: 3, hasCell: false)
    + packed(
      "gru", gates: 3, hasCell: false, attributes: ["reset_after": .bool(false)])
    + packed("lstm", gates: 4, hasCell: true, hasBias: false) + peepholes
}
