import CMPI
import Glibc

/// SIGINT and SIGTERM as a flag. `mpirun` answers Ctrl-C by sending SIGTERM to every rank.
public enum TerminationSignal {
  /// From here on the first signal only sets the flag; the second one ends the process at once.
  public static func install() { cmpi_watch_termination() }

  /// True once a signal has come. From any thread.
  public static var requested: Bool { cmpi_termination_signal() != 0 }

  /// Asks for the end as SIGINT would. From any thread.
  public static func request() { cmpi_request_termination(SIGINT) }

  /// Forgets a signal that has been answered; the next one sets the flag again.
  public static func clear() { cmpi_request_termination(0) }

  /// Its number, or nil.
  public static var number: Int32? {
    let number = cmpi_termination_signal()
    return number == 0 ? nil : number
  }
}
