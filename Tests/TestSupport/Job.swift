import Foundation
import Glibc

/// One run of a program of this package, alone or under mpirun, and what it left behind.
public struct Job {
  public let status: Int32
  public let seconds: Double
  /// Lines of standard output and standard error.
  public let output: [String]
  public let errors: [String]
  /// Processes of this job that still run, as their command lines.
  public let survivors: [String]
  /// Shared-memory files that this job made and that still exist.
  public let segments: [String]

  /// Lines that begin with "error: ", ours; mpirun's banners are not among them.
  public var complaints: [String] { errors.filter { $0.hasPrefix("error: ") } }
  public var isClean: Bool { survivors.isEmpty && segments.isEmpty }

  /// - Parameters:
  ///   - ranks: nil: without mpirun.
  ///   - launcher: further arguments for mpirun.
  ///   - more: a colon and what follows it on mpirun's line, for ranks that differ.
  ///   - starter: a command that starts the program or mpirun, in place of "mpirun --oversubscribe --bind-to none".
  ///   - input: standard input.
  ///   - limit: seconds after which it is killed.
  ///   - meanwhile: called with the process and the output so far until it returns true.
  public init(
    _ program: String, _ arguments: [String], ranks: Int?, launcher: [String] = [], more: [String] = [],
    environment: [String: String] = [:], starter: [String]? = nil, input: [UInt8] = [], limit: Double = 300,
    meanwhile: (Running) -> Bool = { _ in true }
  ) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "job-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let streams = ["out", "err"].map { folder.appending(path: $0) }
    for stream in streams { _ = FileManager.default.createFile(atPath: stream.path, contents: nil) }
    let segmentsBefore = Self.segmentFiles()

    // Nobody else's process has this in its environment.
    let mark = "FLOTILLA_TEST_MARK=\(UUID().uuidString)"
    let process = ChildProgram()
    process.executableURL = URL(filePath: "/usr/bin/env")
    let mpirun = ranks.map { ["mpirun", "--oversubscribe", "--bind-to", "none"] + launcher + ["-n", "\($0)"] } ?? []
    process.arguments = [mark] + (starter ?? mpirun) + [try Self.executable(program)] + arguments + more
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"].merging(environment) { $1 }
    ) { $1 }
    let typed = folder.appending(path: "in")
    try Data(input).write(to: typed)
    process.standardInput = try FileHandle(forReadingFrom: typed)
    process.standardOutput = try FileHandle(forWritingTo: streams[0])
    process.standardError = try FileHandle(forWritingTo: streams[1])

    let begin = ContinuousClock.now
    try process.run()
    var isQuiet = false
    while process.isRunning {
      if !isQuiet {
        isQuiet = meanwhile(
          Running(process: process.processIdentifier, mark: mark, output: Self.lines(streams[0])))
      }
      if ContinuousClock.now - begin > .seconds(limit) { kill(process.processIdentifier, SIGKILL) }
      usleep(5000)
    }
    seconds = (ContinuousClock.now - begin) / .seconds(1)
    status = process.terminationStatus
    output = Self.lines(streams[0])
    errors = Self.lines(streams[1])
    survivors = Self.remaining(mark)
    // A launcher that was killed leaves its folder: megabytes, and ours to remove.
    let session = "ompi.\(ProcessInfo.processInfo.hostName).\(getuid())/pid.\(process.processIdentifier)"
    try? FileManager.default.removeItem(
      at: FileManager.default.temporaryDirectory.appending(path: session))
    segments = Self.remainingSegments(besides: segmentsBefore)
  }

  /// A job under way.
  public struct Running {
    public let process: pid_t
    let mark: String
    /// Lines of standard output so far.
    public let output: [String]

    /// The process of a rank, or nil while it has not started.
    public func process(ofRank rank: Int) -> pid_t? { Job.process(ofRank: rank, mark: mark) }

    /// Sends a signal to what started the job while a rank stands still: a short run is not over before it arrives.
    /// Whoever passes the signal on must let the rank go on.
    /// - Returns: false: the rank has not started, nothing was sent.
    public func signal(_ signal: Int32, whileStopped rank: Int) -> Bool {
      guard let stopped = process(ofRank: rank) else { return false }
      kill(stopped, SIGSTOP)
      kill(process, signal)
      return true
    }
  }

  private static func lines(_ stream: URL) -> [String] {
    let data = (try? Data(contentsOf: stream)) ?? Data()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// The executable, which lies beside the test bundle.
  public static func executable(_ program: String) throws -> String {
    let here = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    var folders = [URL(filePath: here).deletingLastPathComponent()]
    folders += CommandLine.arguments.filter { $0.contains(".xctest") }
      .map { URL(filePath: $0).deletingLastPathComponent() }
    folders += Bundle.allBundles.map { $0.bundleURL }
    for folder in folders {
      let path = folder.appending(path: program).path
      if FileManager.default.isExecutableFile(atPath: path) { return path }
    }
    throw CocoaError(.fileNoSuchFile)
  }
}

// MARK: - What is left

extension Job {
  static func process(ofRank rank: Int, mark: String) -> pid_t? {
    let wanted = Array("OMPI_COMM_WORLD_RANK=\(rank)".utf8)
    return processes(with: mark).first { pid in environment(of: pid).contains { $0.elementsEqual(wanted) } }
  }

  /// Processes of the job after a moment for orphans of a killed launcher; ends them.
  static func remaining(_ mark: String) -> [String] {
    var left = processes(with: mark)
    for _ in 0..<100 where !left.isEmpty {
      usleep(20_000)
      left = processes(with: mark)
    }
    defer { for pid in left { kill(pid, SIGKILL) } }
    return left.map {
      "\($0) " + words(of: "/proc/\($0)/cmdline").map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }
  }

  /// Segments that have appeared since; other jobs' vanish within moments.
  private static func remainingSegments(besides before: Set<String>) -> [String] {
    var left = segmentFiles().subtracting(before)
    for _ in 0..<150 where !left.isEmpty {
      usleep(20_000)
      left = segmentFiles().intersection(left)
    }
    return left.sorted()
  }

  private static func segmentFiles() -> Set<String> {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/shm")) ?? []
    return Set(files.filter { $0.hasPrefix("vader_segment") || $0.hasPrefix("sm_segment") })
  }

  /// Running processes with `mark` in their environment. The dead whom nobody has buried yet do not count.
  fileprivate static func processes(with mark: String) -> [pid_t] {
    let wanted = Array(mark.utf8)
    let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return folders.compactMap { pid_t($0) }.filter { pid in
      environment(of: pid).contains { $0.elementsEqual(wanted) }
    }
  }

  fileprivate static func environment(of pid: pid_t) -> [Data.SubSequence] { words(of: "/proc/\(pid)/environ") }

  private static func words(of path: String) -> [Data.SubSequence] {
    (FileManager.default.contents(atPath: path) ?? Data()).split(separator: 0)
  }
}
