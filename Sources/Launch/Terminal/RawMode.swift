import Glibc

/// A terminal that hands over every key as it is pressed, and is set back afterwards.
struct RawMode {
  private let descriptor: Int32
  private var before = termios()
  private(set) var isOn = false

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  mutating func begin() {
    guard !isOn, tcgetattr(descriptor, &before) == 0 else { return }
    var raw = before
    raw.c_lflag &= ~UInt32(ICANON | ECHO | ISIG | IEXTEN)
    raw.c_iflag &= ~UInt32(ICRNL | INLCR | IXON)
    tcsetattr(descriptor, TCSADRAIN, &raw)
    isOn = true
  }

  mutating func end() {
    guard isOn else { return }
    tcsetattr(descriptor, TCSADRAIN, &before)
    isOn = false
  }
}
