/// What one of the ranks of a host gets of its cores.
///
/// Ranks that may run on the same processors divide their cores; ranks that the launcher has bound apart keep what
/// they have. On a machine of several NUMA domains every rank gets whole domains, or a part of one, and stays there:
/// the weights that it touches first then lie in memory of its own.
public struct CoreShare: Sendable, Equatable {
  /// Compute threads: one for each core, at least one. A second thread on a core gains nothing where memory is the
  /// limit, and threads that spin for work would take turns.
  public let threads: Int
  /// Of all ranks of the host: the cores that the one with fewest has where those that may run on the same divide them.
  public let fewestCores: Int
  /// Where the rank should stay; nil if it need not care.
  public let processors: ProcessorSet?
  /// NUMA domains over which the share extends.
  public let domains: Int

  /// - Parameters:
  ///   - rank: index among the ranks of the host.
  ///   - masks: the processors that each of these ranks may use.
  public init(of rank: Int, masks: [ProcessorSet], on machine: MachineCores) {
    let mine = masks[rank]
    let sharers = masks.indices.filter { masks[$0] == mine }
    // Others overlap in part: nobody can say who gets what, so count them all and stay loose.
    func ranksMeeting(_ mask: ProcessorSet) -> Int { masks.count { !Set($0.numbers).isDisjoint(with: mask.numbers) } }
    let rivals = ranksMeeting(mine)
    let parts = machine.parts(of: mine)
    fewestCores = masks.map { machine.count(in: $0) / ranksMeeting($0) }.min() ?? 0
    guard parts.count > 1, sharers.count > 1, rivals == sharers.count, let index = sharers.firstIndex(of: rank) else {
      threads = max(1, machine.count(in: mine) / rivals)
      processors = nil
      domains = parts.count
      return
    }
    let count = sharers.count
    if count < parts.count {
      let own = parts[index * parts.count / count..<(index + 1) * parts.count / count]
      let processors = ProcessorSet(own.flatMap(\.numbers))
      threads = machine.count(in: processors)
      self.processors = processors
      domains = own.count
    } else {
      let part = index * parts.count / count
      let neighbours = (0..<count).filter { $0 * parts.count / count == part }.count
      threads = max(1, machine.count(in: parts[part]) / neighbours)
      processors = parts[part]
      domains = 1
    }
  }
}
