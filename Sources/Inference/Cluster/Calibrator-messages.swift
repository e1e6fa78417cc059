import ExpertParallel

extension Calibrator {
  /// Times with messages; one more without.
  private static let loads = 3
  /// Of the time for each size of message on a link.
  private static let loadShare = 1.5

  /// What messages take from the processors of each node: every rank in turn sends to the next one while both compute,
  /// again and again with quiet times between.
  ///
  /// - Parameter begin: called before each rank.
  /// - Returns: by rank; nil where no message arrived in the time.
  func messageCosts(_ begin: (_ rank: Int, _ next: Int) -> Void) throws -> [Calibration.MessageCost?] {
    let count = rank.exchange.rankCount
    var sent = [Double?](repeating: nil, count: count)
    var received = sent
    _ = try rank.command(Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, .prepareLoad(options)) }))
    for from in 0..<count {
      let to = (from + 1) % count
      begin(from, to)
      var (quiet, busy): ([[Calibration.LoadSample]], [[Calibration.LoadSample]]) = ([[], []], [[], []])
      for turn in 0...2 * Self.loads {
        let isBusy = turn % 2 == 1
        let seconds = options.linkSeconds * Self.loadShare
        let answers = try rank.command([
          from: .load(seconds: seconds, to: isBusy ? to : nil), to: .load(seconds: seconds, to: nil),
        ])
        for (place, member) in [from, to].enumerated() {
          guard case .loaded(let sample)? = answers[member] else {
            throw CalibrationFailure("rank \(member): expected what it computed, found another answer")
          }
          if isBusy { busy[place].append(sample) } else { quiet[place].append(sample) }
        }
      }
      sent[from] = Calibration.MessageCost.secondsPerByte(busy[0], quiet: quiet[0], \.bytesSent)
      received[to] = Calibration.MessageCost.secondsPerByte(busy[1], quiet: quiet[1], \.bytesReceived)
    }
    return zip(sent, received).map { sent, received in
      guard let sent, let received else { return nil }
      return Calibration.MessageCost(secondsPerByteSent: sent, secondsPerByteReceived: received)
    }
  }
}
