import Foundation
import TestSupport

/// One run of the built `flotilla` with an input, and all its bytes.
struct Run {
  let status: Int32
  let output: [UInt8]
  let errors: String

  var text: String { String(decoding: output, as: UTF8.self) }
  /// Lines without their line feeds; a last one without is an error of its own and shows as such.
  var lines: [String] {
    var lines = output.split(separator: 10, omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
    if lines.last == "" { lines.removeLast() } else { lines.append("no line feed at the end") }
    return lines
  }

  /// - Parameters:
  ///   - input: standard input; streams are files, so that nothing blocks.
  ///   - ranks: nil: without mpirun.
  ///   - launcher: without mpirun, what runs it, arguments behind.
  ///   - limit: seconds after which it is killed, which shows as status 9.
  init(
    _ arguments: [String], input: some Sequence<UInt8> = [], ranks: Int? = nil, environment: [String: String] = [:],
    launcher: [String] = [], limit: Double = 180
  ) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = ["in", "out", "err"].map { folder.appending(path: $0) }
    try Data(input).write(to: files[0])
    for file in files[1...] { try Data().write(to: file) }
    let process = ChildProgram()
    process.executableURL = URL(filePath: "/usr/bin/env")
    let launcher = ranks.map { ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", "\($0)"] } ?? launcher
    process.arguments = launcher + [try Job.executable("flotilla")] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"].merging(environment) { $1 }
    ) { $1 }
    process.standardInput = try FileHandle(forReadingFrom: files[0])
    process.standardOutput = try FileHandle(forWritingTo: files[1])
    process.standardError = try FileHandle(forWritingTo: files[2])
    try process.run()
    let end = ContinuousClock.now + .seconds(limit)
    while process.isRunning {
      if ContinuousClock.now > end { kill(process.processIdentifier, SIGKILL) }
      usleep(2000)
    }
    status = process.terminationStatus
    output = Array(try Data(contentsOf: files[1]))
    errors = String(decoding: try Data(contentsOf: files[2]), as: UTF8.self)
  }

  init(_ arguments: [String], text: String) throws { try self.init(arguments, input: Array(text.utf8)) }
}

extension URL {
  var filePath: String { path(percentEncoded: false) }
}

/// A path for the time of `body`, with nothing there yet.
func withTemporaryPath<Result>(_ body: (String) throws -> Result) throws -> Result {
  let url = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: url) }
  return try body(url.filePath)
}
