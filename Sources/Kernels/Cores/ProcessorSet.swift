import CKernels
import Foundation

/// Logical processors by the system's numbers, ascending.
public struct ProcessorSet: Sendable, Equatable {
  public let numbers: [Int]

  public init(_ numbers: some Sequence<Int>) { self.numbers = Set(numbers).sorted() }

  /// - Parameter list: as the kernel writes it, `0-3,8`; nil if it is none.
  public init?(list: String) {
    var numbers: [Int] = []
    for part in list.trimmingCharacters(in: .whitespacesAndNewlines).split(separator: ",") {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard ends.count <= 2, let low = ends[0], let high = ends.last ?? low, (0..<Self.limit).contains(low),
        (low..<Self.limit).contains(high)
      else { return nil }
      numbers += low...high
    }
    self.init(numbers)
  }

  /// Those on which the calling thread may run.
  public static func ofThisThread() -> ProcessorSet {
    var words = [UInt64](repeating: 0, count: Int(FK_PROCESSOR_WORDS))
    guard fk_thread_processors(&words) else {
      return ProcessorSet(0..<ProcessInfo.processInfo.activeProcessorCount)
    }
    return ProcessorSet((0..<limit).filter { words[$0 / 64] >> ($0 % 64) & 1 == 1 })
  }

  /// Keeps the calling thread, and those that it starts from now on, on these processors.
  ///
  /// - Returns: whether the system agreed.
  @discardableResult
  public func keepThisThread() -> Bool {
    var words = [UInt64](repeating: 0, count: Int(FK_PROCESSOR_WORDS))
    for number in numbers { words[number / 64] |= 1 << UInt64(number % 64) }
    return fk_keep_thread_on(words)
  }

  /// What the system's calls have room for.
  private static let limit = Int(FK_PROCESSOR_WORDS) * 64
}

extension ProcessorSet {
  /// Two bytes a number, little-endian: how ranks tell one another.
  public var bytes: [UInt8] { numbers.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] } }

  public init(bytes: [UInt8]) {
    self.init(stride(from: 0, to: bytes.count - 1, by: 2).map { Int(bytes[$0]) | Int(bytes[$0 + 1]) << 8 })
  }
}
