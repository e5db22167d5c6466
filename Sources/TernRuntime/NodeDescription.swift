import TernGraph

/// How a device would run a node of a plan.
package struct NodeDescription: Sendable {
  /// A kernel, a copy, or a call of a library.
  package struct Launch: Sendable {
    package let name: String
    /// Where the kernel's source is; `nil` for what is no kernel of Tern's.
    package let file: String?
    /// The source itself where it stands in no file, but was written for the plan.
    package let source: String?
    /// What the source is specialised by.
    package let defines: [String: String]
    /// The program that the kernel is compiled in, with others of the plan.
    package let program: String?
    /// Work-groups, and the work-items of each, by axis.
    package let groups: [Int]
    package let groupSize: [Int]

    package init(
      name: String, file: String? = nil, source: String? = nil, defines: [String: String] = [:],
      program: String? = nil, groups: [Int] = [], groupSize: [Int] = []
    ) {
      (self.name, self.file, self.source) = (name, file, source)
      (self.defines, self.program) = (defines, program)
      (self.groups, self.groupSize) = (groups, groupSize)
    }
  }

  package let name: String
  package let operation: String
  package let implementation: String
  package let cost: Cost
  package let launches: [Launch]

  package init(
    name: String, operation: String, implementation: String, cost: Cost, launches: [Launch]
  ) {
    (self.name, self.operation, self.implementation) = (name, operation, implementation)
    (self.cost, self.launches) = (cost, launches)
  }
}

/// A device that can tell what it would do, without compiling or running anything.
package protocol PlanDescribing: Device {
  /// The nodes of a plan in its order.
  func describe(_ plan: Plan) throws -> [NodeDescription]
}
