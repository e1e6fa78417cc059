import CMPI
import Glibc
import Synchronization

/// MPI between its start and its end. One per process, started, used and ended by one thread.
public final class MPISession {
  /// All ranks of the job.
  public let world: Communicator
  /// The shared-memory files through which the ranks of this host talk. Their names are gone while MPI runs,
  /// so nothing stays behind, however this process ends. Empty if there are none or they kept their names.
  public let sharedSegments: [String]
  /// With which the ranks of this host wake each other; nil for a rank alone there.
  public let doorbells: Doorbells?

  /// True if this process was started by a launcher (mpirun, srun, …) as one rank of a job.
  ///
  /// Without a launcher MPI must not be started: it would look for one, and cost a second.
  public static var isLaunched: Bool {
    let marks = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"]
    return marks.contains { getenv($0) != nil }
  }

  /// The number of ranks that the launcher announced, before MPI starts; nil if it does not say.
  public static var announcedSize: Int? {
    for mark in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"] {
      if let text = getenv(mark), let size = Int(String(cString: text)), size > 0 { return size }
    }
    return nil
  }

  /// "Open MPI v4.1.4, …", known without starting MPI.
  public static var libraryVersion: String {
    let text = MPIError.string(capacity: 1024) { cmpi_library_version($0, $1) }
    return String(decoding: text.utf8.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  /// Starts MPI. The calling thread is from now on the only one that may touch it.
  public static func start() throws(MPIError) -> MPISession { try MPISession() }

  private init() throws(MPIError) {
    guard !cmpi_is_initialized() else {
      throw MPIError(code: 0, text: "MPI was started before in this process", call: "MPI_Init_thread")
    }
    Self.sendRowsInOnePiece()
    try MPIError.check(cmpi_start(), "MPI_Init_thread")
    world = try Communicator()
    sharedSegments = try SharedSegments.hide(among: world)
    doorbells = try Doorbells.share(among: world)
  }

  /// Rows of a token go through shared memory without a handshake, for which the sender would have to stop computing.
  /// What the user or the launcher says about it stays. The names are those of Open MPI 4 and 5.
  private static func sendRowsInOnePiece() {
    for layer in ["vader", "sm"] { setenv("OMPI_MCA_btl_\(layer)_eager_limit", "32768", 0) }
  }

  /// Ends MPI once all is well; every rank must come here. After a fault use `leaveAfterFault`.
  ///
  /// Waits for the other ranks, but not for ever: after `timeout` the process says so and ends.
  public func finalize(timeout: Duration = .seconds(10)) throws(MPIError) {
    guard cmpi_is_initialized(), !cmpi_is_finalized() else { return }
    let watchdog = Watchdog(
      timeout: timeout,
      message: "rank \(world.rank) on \(world.hostNames[world.rank]): the other ranks did not end in time")
    try SharedSegments.show(sharedSegments, among: world, timeout: timeout)
    try world.free()
    try MPIError.check(cmpi_finalize(), "MPI_Finalize")
    watchdog.disarm()
  }

  /// Writes "error: …" as one line to standard error, past all buffers.
  public static func complain(_ message: String) {
    var line = "error: \(message)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  /// Ends this process without MPI_Finalize or MPI_Abort, which wait for ranks that may be gone.
  /// The launcher sees the exit code and ends the other ranks.
  public static func leaveAfterFault(exitCode: Int32) -> Never {
    // A reader that stands still must not keep us: output that cannot be written in time is lost.
    signal(SIGALRM, SIG_DFL)
    alarm(2)
    fflush(nil)
    SharedSegments.unlinkMapped()
    _exit(exitCode)
  }
}

/// Ends the process if it is not called off in time. For waits inside MPI that have no deadline of their own.
private final class Watchdog: Sendable {
  private let disarmed = Atomic<Bool>(false)
  private let milliseconds: Int
  private let message: String

  init(timeout: Duration, message: String) {
    milliseconds = Int(timeout / .milliseconds(1))
    self.message = message
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        let watchdog = Unmanaged<Watchdog>.fromOpaque(argument!).takeRetainedValue()
        watchdog.watch()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    if code == 0 { pthread_detach(thread) }
  }

  func disarm() { disarmed.store(true, ordering: .releasing) }

  private func watch() {
    var left = milliseconds
    while left > 0, !disarmed.load(ordering: .acquiring) {
      usleep(10_000)
      left -= 10
    }
    guard !disarmed.load(ordering: .acquiring) else { return }
    MPISession.complain(message)
    MPISession.leaveAfterFault(exitCode: 1)
  }
}
