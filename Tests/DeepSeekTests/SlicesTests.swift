import Checkpoint
import DeepSeek
import Kernels
import Testing

@Suite("Slices of a model without weights")
struct PhantomSlicesTests {
  @Test("However few rows a rank has of each matrix, its layers read places of their own")
  func pool() throws {
    let configuration = ModelConfiguration.Preset.r1.configuration
    let phantom = try Checkpoint(PhantomModel("r1", configuration))
    let loader = WeightLoader(
      checkpoint: phantom, formats: WeightFormats(.q4_K), compute: Compute(kernels: .best, threads: 2))
    let share = SliceShare(index: 1, count: 256)
    _ = try loader.slices(share)
    func bytes(_ rows: Int, _ columns: Int) -> Int {
      WeightFormat.q4_K.bytes(rows: share.rows(of: rows).count, columns: columns)
    }
    let (hidden, heads) = (configuration.hidden, configuration.heads)
    let queries = bytes(heads * configuration.headDimension, configuration.queryRank ?? hidden)
    let outputs = bytes(hidden, heads * configuration.valueDimension)
    let held = try #require(loader.sharedBytes)
    // Of 61 layers, which all together are less than a cache may hold, some meet by chance.
    #expect(held > (queries + outputs) * 61 * 3 / 4, "\(held)")
  }
}
