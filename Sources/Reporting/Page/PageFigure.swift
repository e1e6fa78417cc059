/// A drawing on a page, with the numbers behind it.
struct PageFigure {
  /// What it shows, in a sentence.
  var title: String
  /// The drawing with its legend, from ``SVG``.
  var svg: String
  /// The same as a table.
  var table: TextTable
}
