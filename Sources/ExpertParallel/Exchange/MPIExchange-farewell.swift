import Glibc
import MessagePassing

extension MPIExchange {
  /// The orderly end. Every rank calls it; it returns when all have. Afterwards MPI can be finalized.
  ///
  /// What still arrives is dropped. Heartbeats go on meanwhile, so a rank that dies on the way is noticed.
  /// - Throws: `RankLost`, `MPIError`.
  public func farewell() throws {
    guard !hasEnded else { return }
    // All that one has sent must have left before one says so: nobody listens after the goodbye.
    try drain { self.allSent }
    if rank == hub {
      try drain { self.leaving.count == self.rankCount - 1 }
      for other in 0..<rankCount where other != rank { try sendControl(.goodbye, to: other) }
    } else {
      try sendControl(.leaving, to: hub)
      try drain { self.goodbye }
    }
    try drain { self.allSent }
    hasEnded = true
  }

  private func drain(until isDone: () -> Bool) throws {
    while !isDone() {
      if let message = try receive() { message.recycle() } else { try idle() }
    }
  }

  /// Says why the job cannot go on, as one line on standard error, tells the other ranks to end quietly, and ends.
  ///
  /// If another rank has said it before, this one is quiet too. Never waits for anyone.
  public func abandon(reason: String, exitCode: Int32) -> Never {
    let code = exitCode == 0 ? 1 : exitCode
    let lost = (failure as? RankLost)?.rank
    failure = nil
    hasEnded = false
    // Has someone else been faster? Then this does not return.
    poll(at: Self.now())
    MPISession.complain(reason)
    // A rank that is lost comes last: MPI may not return from that call.
    for other in Array(0..<rankCount).filter({ $0 != lost }) + [lost].compactMap({ $0 }) where other != rank {
      try? sendControl(.abandon(exitCode: code), to: other)
    }
    // The word must get out before the launcher notices that we are gone.
    let deadline = Self.now() + 200_000_000
    while Self.now() < deadline {
      failure = nil
      poll(at: Self.now())
      usleep(1000)
    }
    MPISession.leaveAfterFault(exitCode: code)
  }

  func obey(_ control: JobMessage, from source: Int) throws {
    switch control {
    case .heartbeat: if rank == hub { try sendControl(.heartbeat, to: source) }
    case .leaving: leaving.insert(source)
    case .goodbye: goodbye = true
    case .abandon(let exitCode): MPISession.leaveAfterFault(exitCode: exitCode)
    }
  }
}
