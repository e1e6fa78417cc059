import Checkpoint
import Crypto

// A hash of all logits tells whether two runs gave the same bits, whatever was chosen of them.

extension Engine {
  func hash(_ logits: UnsafeMutableBufferPointer<Float>, of sequence: GeneratedSequence) {
    guard hashesLogits else { return }
    logitsHashes[sequence.id, default: SHA256()].update(bufferPointer: UnsafeRawBufferPointer(logits))
  }

  /// Of all sequences so far, by their numbers: batches and ranks change nothing.
  var logitsHash: String? {
    guard !logitsHashes.isEmpty else { return nil }
    var all = SHA256()
    for (_, hash) in logitsHashes.sorted(by: { $0.key < $1.key }) { all.update(data: Array(hash.finalize())) }
    return "\(Digest(all.finalize()))"
  }
}
