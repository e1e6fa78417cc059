import Foundation

/// Numbers for people: three significant digits, units stated, "–" where there is nothing to say.
public enum Format {
  /// What stands for a value that does not exist, such as a rate of no seconds.
  public static let none = "–"

  /// Bytes in powers of 1024: "0 B", "1.50 KiB", "12.3 GiB".
  public static func bytes(_ count: Int) -> String { bytes(Double(count)) }

  /// A mean number of bytes, or bytes a second; below 1 KiB in whole ones.
  public static func bytes(_ count: Double) -> String {
    guard count.isFinite else { return none }
    return scaled(
      count.rounded(.towardZero), steps: ["B", "KiB", "MiB", "GiB", "TiB", "PiB"], base: 1024, isWhole: true)
  }

  /// A count: "0", "999", "12.3k", "4.56M", "671B" (billion), "1.20T".
  public static func count(_ count: Int) -> String { self.count(Double(count), isWhole: true) }

  /// A mean count; below 1000 with a fraction where it has one.
  public static func count(_ count: Double) -> String {
    self.count(count, isWhole: count == count.rounded())
  }

  private static func count(_ count: Double, isWhole: Bool) -> String {
    scaled(count, steps: ["", "k", "M", "B", "T"], base: 1000, isWhole: isWhole, gap: "")
  }

  /// A count in a narrow column: every digit below 100,000, three of them beyond: "1,340", "123k".
  public static func tally(_ count: Int) -> String { count < 100_000 ? exact(count) : self.count(count) }

  /// Every digit, in groups of three: "671,026,419,200".
  public static func exact(_ count: Int) -> String {
    let digits = Array(String(count.magnitude))
    var text = count < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// A duration: "0 s", "12.3 µs", "4.56 ms", "7.89 s", "2 min 03 s", "1 h 02 min", "3 d 04 h".
  public static func seconds(_ seconds: Double?) -> String {
    guard let seconds, seconds.isFinite else { return none }
    guard seconds > 0 else { return "0 s" }
    if seconds < 99.95 {
      if seconds >= 0.9995 { return significant(seconds) + " s" }
      if seconds >= 0.9995e-3 { return significant(seconds * 1e3) + " ms" }
      return significant(seconds * 1e6) + " µs"
    }
    guard seconds < 1e9 else { return "over 30 years" }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60) min \(twoDigits(whole % 60)) s" }
    if whole < 86_400 { return "\(whole / 3600) h \(twoDigits(whole % 3600 / 60)) min" }
    return "\(whole / 86_400) d \(twoDigits(whole % 86_400 / 3600)) h"
  }

  /// A part of one as a percentage with one decimal: "0 %", "<0.1 %", "12.3 %", "100 %".
  public static func share(_ share: Double?) -> String {
    guard let share, share.isFinite else { return none }
    if share == 0 { return "0 %" }
    if share > 0, share < 0.000_5 { return "<0.1 %" }
    let text = fixed(share * 100, 1)
    return (text == "100.0" ? "100" : text) + " %"
  }

  /// How many a second, or nil where no time passed or nothing was done.
  public static func perSecond(_ count: Int, _ seconds: Double) -> Double? {
    guard count > 0, seconds > 0, seconds.isFinite else { return nil }
    return Double(count) / seconds
  }

  /// A speed: "12.3 tokens/s", "4.56k tokens/s".
  public static func rate(_ rate: Double?, _ unit: String = "tokens/s") -> String {
    guard let rate, rate.isFinite else { return none }
    let scaled = scaled(rate, steps: ["", "k", "M", "B", "T"], base: 1000, isWhole: false, gap: "")
    return "\(scaled) \(unit)"
  }

  /// A factor: "1.00", "2.34".
  public static func ratio(_ ratio: Double?) -> String {
    guard let ratio, ratio.isFinite else { return none }
    return significant(ratio)
  }

  /// Three significant digits without exponent; whole numbers from 100 on.
  public static func significant(_ value: Double) -> String {
    guard value.isFinite else { return none }
    guard value != 0 else { return "0" }
    let magnitude = Int(log10(abs(value)).rounded(.down))
    let decimals = max(0, min(2 - magnitude, 12))
    let text = fixed(value, decimals)
    // 9.996 has become 10.00: one digit less.
    let digits = text.utf8.filter { $0 >= 48 && $0 <= 57 }.drop { $0 == 48 }.count
    return decimals > 0 && digits > 3 ? fixed(value, decimals - 1) : text
  }

  private static func fixed(_ value: Double, _ decimals: Int) -> String {
    String(format: "%.\(decimals)f", value)
  }

  private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

  private static func scaled(
    _ value: Double, steps: [String], base: Double, isWhole: Bool, gap: String = " "
  ) -> String {
    var value = value
    var step = 0
    // 999.6 would be shown as 1000.
    while abs(value) >= (isWhole && step == 0 ? base : base == 1024 ? 1023.5 : 999.5), step < steps.count - 1 {
      value /= base
      step += 1
    }
    let text = isWhole && step == 0 ? String(Int(value)) : significant(value)
    return steps[step].isEmpty ? text : text + gap + steps[step]
  }
}

/// Text from files and other machines, fit for a terminal: no control characters, not at any length.
public func printable(_ text: String, limit: Int = 4000) -> String {
  var out = String.UnicodeScalarView()
  for scalar in text.unicodeScalars.prefix(limit) {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .lineSeparator, .paragraphSeparator: out.append("\u{FFFD}")
    default: out.append(scalar)
    }
  }
  if text.unicodeScalars.dropFirst(limit).first != nil { out.append("…") }
  return String(out)
}
