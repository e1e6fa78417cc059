extension Checkpoint {
  /// What a person should know before running it; nil where there is nothing.
  public var warning: String? {
    var warnings: [String] = []
    if !surplus.isEmpty {
      let names = surplus.prefix(5).joined(separator: ", ") + (surplus.count > 5 ? ", …" : "")
      warnings.append("\(surplus.count) tensors are not used: \(names)")
    }
    if let text = Checkpoint.warning(about: configuration) { warnings.append(text) }
    return warnings.isEmpty ? nil : warnings.joined(separator: "; ")
  }

  /// What a person should know about a configuration alone; nil where there is nothing.
  public static func warning(about configuration: ModelConfiguration) -> String? {
    let assumed = configuration.assumedFields
    guard !assumed.isEmpty else { return nil }
    return "config.json leaves out \(assumed.joined(separator: ", ")): the official defaults are taken"
  }
}
