/// Which of some words was probably meant.
enum Spelling {
  /// The word that differs least from `text`, or begins with it; nil where none is close.
  static func nearest(to text: String, among words: [String]) -> String? {
    guard text.utf8.count <= 40 else { return nil }
    let near = words.map { (word: $0, distance: distance(text, $0)) }.min { $0.distance < $1.distance }
    if let near, near.distance <= max(1, near.word.count / 3) { return near.word }
    return words.first { text.count >= 2 && $0.hasPrefix(text) }
  }

  /// Levenshtein: the least number of letters to put in, leave out or change.
  private static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let change = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(change, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
