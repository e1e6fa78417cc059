/// Where the lines of a journal go.
public protocol JournalSink: AnyObject {
  /// Takes the first lines; on return they are as safe as they will be.
  func begin(_ bytes: [UInt8]) throws
  func append(_ bytes: [UInt8]) throws(JournalError)
  /// Returns when all that was appended is as safe as it will be.
  func flush() throws(JournalError)
}
