import ArgumentParser

/// A value of an option with a few names, taken in any case.
protocol AnyCaseArgument: ExpressibleByArgument, CaseIterable, RawRepresentable where RawValue == String {}

extension AnyCaseArgument {
  public init?(argument: String) {
    guard let value = Self.allCases.first(where: { $0.rawValue.lowercased() == argument.lowercased() }) else {
      return nil
    }
    self = value
  }
}
