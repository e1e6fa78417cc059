import Foundation
import Kernels
import Nodes
import StrictJSON

extension ClusterDescription {
  /// Reads a cluster description, strictly: no unknown, missing or impossible field.
  ///
  /// - Throws: ``CalibrationError`` that names file and field.
  public static func load(_ url: URL) throws(CalibrationError) -> ClusterDescription {
    let file = strictFile(url.path(percentEncoded: false))
    return try verified(file.load(url), file)
  }

  /// - Parameter file: the name for errors.
  public static func parse(_ data: Data, file: String) throws(CalibrationError) -> ClusterDescription {
    let file = strictFile(file)
    return try verified(file.read(data), file)
  }

  private static func strictFile(_ name: String) -> StrictFile<ClusterDescription> {
    StrictFile(
      file: name, what: "a cluster description", version: ("version", currentVersion),
      hint: "flotilla calibrate --hostfile HOSTS -o FILE writes a valid one",
      other: .init(
        field: "schema", what: "a calibration, which is not of a cluster",
        hint:
          "flotilla calibrate --hosts localhost -o FILE writes a cluster of this machine, --hostfile HOSTS of others"),
      encode: { try $0.json() })
  }

  private static func verified(
    _ cluster: ClusterDescription, _ file: StrictFile<ClusterDescription>
  ) throws(CalibrationError) -> ClusterDescription {
    guard (1...mostNodes).contains(cluster.nodes.count) else {
      throw file.wrong("nodes", "1 to \(mostNodes)", "\(cluster.nodes.count)")
    }
    var names: Set<String> = []
    for (index, node) in cluster.nodes.enumerated() {
      let path = "nodes[\(index)]"
      guard !node.name.isEmpty, names.insert(node.name).inserted else {
        throw file.wrong(path + ".name", "a name that no other node has", "\"\(node.name.prefix(80))\"")
      }
      guard NodeName.isRight(node.name) else {
        throw file.wrong(
          path + ".name", "the name or address of a node, or user@name", String(node.name.prefix(80)).debugDescription)
      }
      try verify(node, path, file)
    }
    let (latencies, bandwidths) = (cluster.links.latencySeconds, cluster.links.bytesPerSecond)
    try verify(latencies, cluster.nodes.count, Limits.latencySeconds, "links.latency_seconds", file)
    try verify(bandwidths, cluster.nodes.count, Limits.perSecond, "links.bytes_per_second", file)
    return cluster
  }

  private static func verify(
    _ node: Node, _ path: String, _ file: StrictFile<ClusterDescription>
  ) throws(CalibrationError) {
    try file.within(node.sockets, Limits.sockets, path + ".sockets")
    try file.within(node.domains, Limits.domains, path + ".domains")
    try file.within(node.cores, Limits.processors, path + ".cores")
    guard node.processors >= node.cores else {
      throw file.wrong(path + ".processors", "as many as cores (\(node.cores)) or more", "\(node.processors)")
    }
    try file.within(node.processors, Limits.processors, path + ".processors")
    try file.within(node.memoryBytes.total, Limits.memoryBytes, path + ".memory_bytes.total")
    guard (0...node.memoryBytes.total).contains(node.memoryBytes.available) else {
      throw file.wrong(
        path + ".memory_bytes.available", "0 to the total, \(node.memoryBytes.total)", "\(node.memoryBytes.available)")
    }
    let sets = InstructionSet.allCases.map(\.rawValue)
    guard sets.contains(node.instructionSet) else {
      throw file.wrong(
        path + ".instruction_set", "one of \(sets.joined(separator: ", "))",
        String(node.instructionSet.prefix(80)).debugDescription)
    }
    let speeds = [
      (node.readBytesPerSecond, "read_bytes_per_second"),
      (node.multiplyAddsF32PerSecond, "multiply_adds_f32_per_second"),
      (node.multiplyAddsInt8PerSecond, "multiply_adds_int8_per_second"),
    ]
    for (list, name) in speeds {
      try file.verify(list, "\(path).\(name)")
      try file.limit(list, "\(path).\(name)")
      for (index, pair) in zip(list, list.dropFirst()).enumerated() where pair.0.threads >= pair.1.threads {
        throw file.wrong(
          "\(path).\(name)[\(index + 1)].threads", "more than \(pair.0.threads), the one before", "\(pair.1.threads)")
      }
    }
    try file.verify(node.products, path + ".products")
    try file.limit(node.products ?? [], path + ".products")
    try file.verify(node.costs, path + ".costs")
    try file.limit(node.costs ?? [], path + ".costs")
    if let cost = node.messageCost { try file.verify(cost, path + ".message_cost") }
    if let cache = node.cacheBytes { try file.within(cache, Limits.memoryBytes, path + ".cache_bytes") }
  }

  private static func verify(
    _ matrix: [[Double]], _ count: Int, _ range: ClosedRange<Double>, _ path: String,
    _ file: StrictFile<ClusterDescription>
  ) throws(CalibrationError) {
    guard matrix.count == count else {
      throw file.wrong(path, "\(count) rows, one for each node", "\(matrix.count)")
    }
    for (row, values) in matrix.enumerated() {
      guard values.count == count else {
        throw file.wrong("\(path)[\(row)]", "\(count) numbers, one for each node", "\(values.count)")
      }
      for (column, value) in values.enumerated() {
        if row != column {
          try file.within(value, range, "\(path)[\(row)][\(column)]")
        } else if value != 0 {
          throw file.wrong("\(path)[\(row)][\(column)]", "0 from a node to itself", "\(value)")
        }
      }
    }
  }

  /// The bytes of the file: what a reader should know first comes first, a row of a matrix and a speed take a line each.
  public func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let members = try StrictJSON.parse(encoder.encode(self)).object?.members ?? []
    func place(_ key: JSONString) -> Int { Self.order.firstIndex(of: key.text) ?? Self.order.count }
    // The same members, none twice.
    let sorted = JSONObject(members.sorted { place($0.key) < place($1.key) })!
    return Data(CompactJSON.text(.object(sorted)).utf8)
  }

  private static let order = ["version", "note", "date", "flotilla", "command", "transport", "nodes", "links"]

  /// Writes the file; the old one stays until the new one is whole.
  ///
  /// - Throws: ``CalibrationError``.
  public func write(to url: URL) throws {
    do {
      try json().write(to: url, options: .atomic)
    } catch let error as CocoaError {
      throw CalibrationError(writing: url, error)
    }
  }
}
