import Foundation
import Glibc
import Kernels

/// The last row of a terminal, kept free of what scrolls above it.
///
/// Text that is written goes on as if the screen had a row less, so a status beside streaming text needs no care of
/// where the cursor is.
struct StatusBar {
  private let descriptor: Int32
  private var rows = 0
  private var columns = 0
  private var isShown = false

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  private static let fewestRows = 8

  /// Shows `text`; makes room for it the first time, and again when the terminal has another size.
  mutating func show(_ text: String) {
    let size = TerminalSize(descriptor)
    guard size.rows >= Self.fewestRows, size.columns >= 20 else { return hide() }
    if !isShown || size.rows != rows || size.columns != columns { reserve(size) }
    draw(text)
  }

  private mutating func reserve(_ size: TerminalSize) {
    if isShown { hide() }
    (rows, columns, isShown) = (size.rows, size.columns, true)
    // A row down first, in case the cursor is in the last one: by a command, since the terminal driver makes a carriage
    // return of a line feed. The region's command moves the cursor.
    write("\u{1B}D\u{1B}7\u{1B}[1;\(rows - 1)r\u{1B}8\u{1B}[1A")
  }

  private func draw(_ text: String) {
    let line = String(text.prefix(columns - 1))
    write("\u{1B}7\u{1B}[\(rows);1H\u{1B}[K\u{1B}[2m\(line)\u{1B}[0m\u{1B}8")
  }

  /// Gives the row back.
  mutating func hide() {
    guard isShown else { return }
    isShown = false
    write("\u{1B}7\u{1B}[r\u{1B}[\(rows);1H\u{1B}[K\u{1B}8")
  }

  private func write(_ text: String) { Descriptor.write(Array(text.utf8), to: descriptor) }
}

/// Rows and columns of a terminal; 24 and 80 where nobody knows.
struct TerminalSize: Equatable {
  var rows = 24
  var columns = 80

  init(_ descriptor: Int32) {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return }
    if size.ws_row > 0 { rows = Int(size.ws_row) }
    if size.ws_col > 0 { columns = Int(size.ws_col) }
  }
}
