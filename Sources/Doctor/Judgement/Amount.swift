import Foundation

/// Numbers in the doctor's texts.
enum Amount {
  static func bytes(_ count: Int) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(count), 0)
    while abs(value) >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return unit == 0 ? "\(count) bytes" : String(format: value < 100 ? "%.1f %@" : "%.0f %@", value, units[unit])
  }

  static func bits(_ perSecond: Double) -> String {
    let units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]
    var (value, unit) = (perSecond, 0)
    while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
    return String(format: value < 10 ? "%.2g %@" : "%.0f %@", value, units[unit])
  }

  static func seconds(_ seconds: Double) -> String {
    switch abs(seconds) {
    case ..<1e-3: String(format: "%.0f us", seconds * 1e6)
    case ..<1: String(format: "%.1f ms", seconds * 1e3)
    case ..<100: String(format: "%.1f s", seconds)
    default: String(format: "%.0f s", seconds)
    }
  }

  static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

  /// The first names of a list.
  static func list(_ names: [String], most: Int = 4) -> String {
    names.prefix(most).joined(separator: ", ") + (names.count > most ? " and \(names.count - most) more" : "")
  }
}
