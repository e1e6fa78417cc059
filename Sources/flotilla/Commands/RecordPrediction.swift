import ArgumentParser
import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Kernels
import Planning
import Reporting

/// What the planner says of runs that were recorded: the same model, formats, lengths, ranks and threads on a described
/// cluster.
struct RecordPrediction {
  private let cluster: ClusterDescription
  private let subject: Subject?
  private let routing: RoutingRecord?

  /// - Parameters:
  ///   - model: nil: a shape of the name that the record says.
  ///   - routing: which experts tokens visit; nil: all sets equally often.
  init(cluster: String, model: String?, routing: RoutingRecord?) throws {
    self.cluster = try .load(URL(filePath: cluster))
    subject = try model.map { try Subject(planning: $0) }
    self.routing = routing
  }

  func prediction(of record: RunRecord) throws -> PredictedRun {
    let configuration = try shape(of: record)
    let (found, wanted) = (record.model.expertsPerLayer, configuration.routedExperts)
    guard found == wanted, record.model.expertLayers == configuration.moeLayers.count else {
      throw UsageError(
        "--model: expected the one of the record, with \(found) experts in \(record.model.expertLayers) layers, found "
          + "\(wanted) in \(configuration.moeLayers.count)")
    }
    let placement = try placement(of: record, experts: wanted)
    let workload = try workload(of: record, configuration)
    let costs = ModelCosts(
      configuration, try WeightFormats(parsing: record.setup.format, natural: .f32),
      cacheFormat: CacheFormat(rawValue: record.setup.cacheFormat))
    try routing?.check(is: configuration, named: subject?.name ?? record.model.name, "--routing")
    let sample =
      routing.map { RoutingSample($0, most: PlanSearch.sampleTokens) }
      ?? RoutingSample(configuration, tokens: PlanSearch.sampleTokens)
    let nodes = nodes(of: record)
    let prediction = Prediction(
      of: costs, placement: placement, layout: layout(of: record, nodes), workload: workload, sample: sample)
    return PredictedRun(prediction, differences: MachineDifferences(of: record, cluster, nodes).texts)
  }

  /// Sequences as long as the run's were in the mean.
  private func workload(of record: RunRecord, _ configuration: ModelConfiguration) throws -> Workload {
    let sequences = max(1, record.seconds.firstToken.count)
    let workload = Workload(
      prompt: record.tokens.prompt / sequences, generated: max(1, record.tokens.generated / sequences),
      sequences: sequences, context: nil)
    guard workload.context <= configuration.maxPositions else {
      throw UsageError(
        "the record: tokens.prompt, tokens.generated: expected at most \(configuration.maxPositions) in a sequence (the "
          + "model's maximum), found \(workload.context)")
    }
    return workload
  }

  private func shape(of record: RunRecord) throws -> ModelConfiguration {
    if let subject { return subject.configuration }
    do {
      return try Subject(planning: record.model.name).configuration
    } catch {
      throw UsageError(
        "--cluster: expected a record of a shape with a name, found \(printable(record.model.name, limit: 100))",
        hint: "give the model's folder, its config.json or a shape's name with --model")
    }
  }

  /// Experts lie in the order of ranks, as many on each as it says.
  private func placement(of record: RunRecord, experts: Int) throws -> Placement {
    var owners: [Int] = []
    for rank in record.ranks where (0...experts).contains(rank.expertsHeld) {
      owners += Array(repeating: rank.rank, count: min(rank.expertsHeld, experts))
    }
    guard owners.count == experts else {
      throw UsageError("the record: expected ranks that hold \(experts) experts of a layer, found \(owners.count)")
    }
    func rank(_ role: String) -> Int? { record.ranks.firstIndex { $0.roles.contains(role) } }
    let placement = try Placement(
      owners: owners, ranks: record.ranks.count, coordinator: rank("coordinator") ?? 0, router: rank("router"))
    return try placement.dividing(among: record.ranks.indices.filter { record.ranks[$0].roles.contains("slices") })
  }

  /// By rank: the nodes of their hosts' names where the cluster has all of them, else dealt out round the nodes.
  private func nodes(of record: RunRecord) -> [Int] {
    let named = record.ranks.compactMap { rank in cluster.nodes.firstIndex { $0.name == rank.host } }
    return named.count == record.ranks.count ? named : record.ranks.indices.map { $0 % cluster.nodes.count }
  }

  private func layout(of record: RunRecord, _ nodes: [Int]) -> RankLayout {
    let threads = record.setup.threads.count == nodes.count ? record.setup.threads.map { max(1, $0) } : nil
    return RankLayout(cluster: cluster, nodes: nodes, threads: threads)
  }
}
