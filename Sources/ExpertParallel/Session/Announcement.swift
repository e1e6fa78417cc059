import Foundation

/// What the coordinator alone can know, such as the contents of a file on its disk, told to all ranks before they open
/// anything. One message to each rank; waits are bounded by the exchange.
public enum Announcement {
  /// Tells every other rank.
  public static func send(_ value: some Encodable, over exchange: any Exchange) throws {
    let payload = try ServiceMessage.encode(value)
    precondition(payload.count <= ServiceMessage.mostBytes, "an announcement is short")
    for rank in 0..<exchange.rankCount where rank != exchange.rank {
      try ServiceMessage.send(.announcement, payload: payload, epoch: 0, to: rank, over: exchange)
    }
  }

  /// Waits for what the coordinator tells.
  ///
  /// - Throws: `FabricError` where it is lost or sends something else.
  public static func receive<Value: Decodable>(
    _ type: Value.Type, from coordinator: Int, over exchange: any Exchange
  ) throws -> Value {
    do {
      while true {
        guard let message = try exchange.receive() else {
          try exchange.idle()
          continue
        }
        defer { message.recycle() }
        guard message.source == coordinator else {
          throw WireError(
            source: message.source, kind: nil, field: "source", expected: "\(coordinator), the coordinator",
            found: "\(message.source)")
        }
        return try ServiceMessage.decode(type, from: message, .announcement)
      }
    } catch let lost as RankLost {
      throw FabricError(lost, layer: nil, awaited: "the start")
    } catch let error as WireError {
      throw FabricError(error, host: exchange.hostName(of: error.source), layer: nil)
    }
  }
}
