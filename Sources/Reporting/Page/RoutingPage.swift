import ExpertParallel
import Inference
import Planning

/// A page about which experts ran: how even their use is, which run together, and what a placement makes of it.
public struct RoutingPage {
  private let record: RoutingRecord
  private let use: RoutingUse
  private let name: String
  private let placements: [(name: String, placement: Placement, load: PlacementLoad)]
  private let improvement: PlacementImprovement?

  /// - Parameters:
  ///   - name: of the file.
  ///   - placement: of the run, or one that is thought of; nil: none.
  ///   - improvement: one on which this routing is more even.
  public init(_ record: RoutingRecord, name: String, placement: Placement?, improvement: PlacementImprovement?) {
    (self.record, self.name, self.improvement) = (record, name, improvement)
    use = RoutingUse(record)
    let sample = RoutingSample(record)
    placements = [("given", placement), ("more even for this record", improvement?.placement)].compactMap {
      name, placement in
      placement.map { (name, $0, PlacementLoad($0, sample)) }
    }
  }

  public var text: String { PageBlock.text(page) }
  public var markdown: String { PageBlock.markdown(page, level: 1) }
  public var html: String { PageBlock.htmlPage(page, title: title) }

  private var title: String { "Flotilla: routing of \(printable(record.header.model, limit: 100))" }
  private var page: [PageBlock] { [.title(title)] + blocks }

  var blocks: [PageBlock] {
    guard record.tokens > 0 else {
      let text = "\(printable(name)): no tokens, so it says nothing about the use of experts."
      return [.heading("Which experts ran"), .text(text + cutNote)]
    }
    return [.heading("Which experts ran"), .text(summary), .figure(heatMap), .heading("By layer"), .table(layers)]
      + [.heading("Experts that run together"), .text(togetherText), .table(together)] + placementBlocks
  }

  private var summary: String {
    let header = record.header
    let decode = record.steps.reduce(0) { $0 + $1.decodeTokens }
    let imbalance = use.imbalance
    return "\(printable(name)): \(Format.exact(record.tokens)) tokens (\(Format.exact(decode)) of decode) in "
      + "\(Format.exact(record.steps.count)) steps, \(header.layers.count) layers of \(header.experts) experts in "
      + "\(header.groups) groups, \(header.expertsPerToken) for each token. The busiest expert of a layer had "
      + "\(Format.ratio(imbalance.min())) to \(Format.ratio(imbalance.max())) times the mean."
      + (header.isPhantom ? " PHANTOM: gates with random weights." : "")
      + cutNote
  }

  private var cutNote: String { record.isCut ? " The last step was not whole and is left out." : "" }

  private var heatMap: PageFigure {
    let (layers, experts) = (use.layers.count, use.experts)
    let values = (0..<layers).map { layer in
      (0..<experts).map { expert -> Double? in
        let count = use.counts[layer * experts + expert]
        return count == 0 ? nil : Double(count)
      }
    }
    let title = "Tokens that each expert got, by layer: the stronger the color, the more; empty where none"
    let rows = use.layers.enumerated().map { $0 % max(1, layers / 12) == 0 ? "layer \($1)" : "" }
    let columns = (0..<experts).map { $0 % max(1, experts / 8) == 0 ? "\($0)" : "" }
    let svg = SVG.cells(
      values, rows: rows, columns: columns, cell: (max(2.5, min(24, 720 / Double(experts))), layers > 20 ? 8 : 14),
      title: title, text: { "\(Format.exact(Int($0))) tokens" })
    return PageFigure(title: title, svg: svg, table: byExpert)
  }

  /// The busiest and the idlest experts over all layers.
  private var byExpert: TextTable {
    let counts = use.countsByExpert
    let order = counts.indices.sorted { (counts[$1], $0) < (counts[$0], $1) }
    let mean = Double(counts.reduce(0, +)) / Double(max(counts.count, 1))
    var table = TextTable([.init("Expert"), .init("Visits, all layers"), .init("of the mean")])
    let shown = order.count <= 12 ? order : Array(order.prefix(6) + order.suffix(6))
    for expert in shown {
      table.append([
        "\(expert)", Format.exact(counts[expert]), Format.ratio(mean > 0 ? Double(counts[expert]) / mean : nil),
      ])
    }
    return table
  }

  private var layers: TextTable {
    var table = TextTable([.init("Layer"), .init("Busiest over mean"), .init("Experts without a token")])
    let (imbalance, unused) = (use.imbalance, use.unused)
    for (index, layer) in use.layers.enumerated() {
      table.append(["\(layer)", Format.ratio(imbalance[index]), "\(unused[index])"])
    }
    return table
  }

  private var togetherText: String {
    "Pairs that most tokens visited together, and how many that would be if choices had nothing to do with each other."
  }

  private var together: TextTable {
    var table = TextTable([.init("Layer"), .init("Experts"), .init("Tokens"), .init("by chance")])
    for pair in use.pairs {
      table.append([
        "\(pair.layer)", "\(pair.first), \(pair.second)", Format.exact(pair.tokens),
        Format.significant(pair.expected),
      ])
    }
    return table
  }

  private var placementBlocks: [PageBlock] {
    guard !placements.isEmpty else { return [] }
    var table = TextTable([
      .init("Placement", .left), .init("Ranks with experts"), .init("Experts on the busiest"), .init("Ranks reached"),
      .init("Rows back"),
    ])
    for entry in placements {
      table.append([
        entry.name, "\(entry.placement.hosts.count)", Format.ratio(entry.load.busiest), Format.ratio(entry.load.hosts),
        Format.ratio(entry.load.sums),
      ])
    }
    let text =
      "Of a token's \(record.header.expertsPerToken) experts in a layer, those on the rank that has most of them: a layer "
      + "waits for it. Means over the record"
      + (improvement.map {
        "; the more even one by \(Format.exact($0.taken)) exchanges of two experts out of \(Format.exact($0.tried)) tried, "
          + "with as many experts on each rank. Whether it is faster is not said by that: a token may reach more ranks, and "
          + "more rows come back, which costs prompts time. flotilla plan --placement FILE --routing RECORD predicts it"
      } ?? "") + "."
    return [.heading("What placements make of it"), .text(text), .table(table)]
  }
}
