import Reporting
import Testing

@Suite("Numbers for people")
struct FormatTests {
  @Test(arguments: [
    (0.0, "0"), (1, "1.00"), (9.994, "9.99"), (9.996, "10.0"), (99.96, "100"), (999.4, "999"), (123_456, "123456"),
    (0.012345, "0.0123"), (0.0009996, "0.00100"), (-2.5, "-2.50"), (.infinity, "–"), (.nan, "–"),
  ])
  func significant(_ value: Double, _ text: String) { #expect(Format.significant(value) == text) }

  @Test(arguments: [
    (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (1536, "1.50 KiB"), ((1 << 20) - 1, "1.00 MiB"),
    (100 << 20, "100 MiB"), (5 << 40, "5.00 TiB"), (.max, "8192 PiB"),
  ])
  func bytes(_ value: Int, _ text: String) { #expect(Format.bytes(value) == text) }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1.00k"), (12_345, "12.3k"), (999_600, "1.00M"), (671_026_419_200, "671B"),
    (1_200_000_000_000, "1.20T"),
  ])
  func count(_ value: Int, _ text: String) { #expect(Format.count(value) == text) }

  @Test(arguments: [
    (0.0, "0 s"), (1.5e-6, "1.50 µs"), (0.0123, "12.3 ms"), (0.9996, "1.00 s"), (59.94, "59.9 s"),
    (99.96, "1 min 40 s"),
    (123, "2 min 03 s"), (3599.6, "1 h 00 min"), (86_400, "1 d 00 h"), (.infinity, "–"), (1e300, "over 30 years"),
  ])
  func seconds(_ value: Double, _ text: String) { #expect(Format.seconds(value) == text) }

  @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (671_026_419_200, "671,026,419,200"), (-1234, "-1,234")])
  func exact(_ value: Int, _ text: String) { #expect(Format.exact(value) == text) }

  @Test(arguments: [
    (0.0, "0 %"), (0.000_49, "<0.1 %"), (0.000_5, "0.1 %"), (0.0694, "6.9 %"), (0.9996, "100 %"), (.nan, "–"),
  ])
  func share(_ value: Double, _ text: String) { #expect(Format.share(value) == text) }

  @Test(arguments: [(0, "0"), (1340, "1,340"), (99_999, "99,999"), (100_000, "100k"), (12_345_678, "12.3M")])
  func tally(_ value: Int, _ text: String) { #expect(Format.tally(value) == text) }

  @Test("No rate without tokens or without time")
  func rates() {
    #expect(Format.perSecond(0, 1) == nil)
    #expect(Format.perSecond(5, 0) == nil)
    #expect(Format.perSecond(5, 2) == 2.5)
    #expect(Format.rate(nil) == "–")
    #expect(Format.rate(1234) == "1.23k tokens/s")
  }

  @Test("Control characters never reach a terminal")
  func printableText() {
    #expect(printable("a\u{1B}[31mb\nc\u{202E}") == "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}")
    #expect(printable("abcdef", limit: 3) == "abc…")
  }

  @Test("Tables align by column and escape Markdown")
  func table() {
    var table = TextTable([.init("Name", .left), .init("Count")])
    table.append(["a|b", "1"])
    table.append(["é", "1000"])
    #expect(table.lines() == ["Name  Count", "a|b       1", "é      1000"])
    #expect(table.markdown == ["| Name | Count |", "| --- | ---: |", "| a\\|b | 1 |", "| é | 1000 |"])
  }
}
