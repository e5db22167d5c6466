import TernGraph

/// How a device would run a node of a plan.
public struct NodeDescription: Sendable {
  /// A kernel, a copy, or a call of a library.
  public struct Launch: Sendable {
    public let name: String
    /// Where the kernel's source is; `nil` for what is no kernel of Tern's.
    public let file: String?
    /// What the source is specialised by.
    public let defines: [String: String]
    /// The program that the kernel is compiled in, with others of the plan.
    public let program: String?
    /// Work-groups, and the work-items of each, by axis.
    public let groups: [Int]
    public let groupSize: [Int]

    public init(
      name: String, file: String? = nil, defines: [String: String] = [:],
      program: String? = nil, groups: [Int] = [], groupSize: [Int] = []
    ) {
      (self.name, self.file, self.defines, self.program) = (name, file, defines, program)
      (self.groups, self.groupSize) = (groups, groupSize)
    }
  }

  public let name: String
  public let operation: String
  public let implementation: String
  public let cost: Cost
  public let launches: [Launch]

  public init(
    name: String, operation: String, implementation: String, cost: Cost, launches: [Launch]
  ) {
    (self.name, self.operation, self.implementation) = (name, operation, implementation)
    (self.cost, self.launches) = (cost, launches)
  }
}

/// A device that can tell what it would do, without compiling or running anything.
public protocol PlanDescribing: Device {
  /// The nodes of a plan in its order.
  func describe(_ plan: Plan) throws -> [NodeDescription]
}
