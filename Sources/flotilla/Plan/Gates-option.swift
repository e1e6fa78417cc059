import ArgumentParser
import Planning

extension RoutingSample.Gates: AnyCaseArgument {}
