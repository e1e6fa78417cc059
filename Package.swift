// swift-tools-version: 6.2
import PackageDescription

/// Our own code compiles without warnings, or not at all.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]
let strictC: [CSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
  name: "Flotilla",
  products: [
    .executable(name: "flotilla", targets: ["flotilla"]),
    .library(name: "Inference", targets: ["Inference"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
  ],
  targets: [
    // Each target imports only targets above it.
    .systemLibrary(
      name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .target(name: "CMPI", dependencies: ["COpenMPI"], cSettings: strictC),
    .target(name: "CKernels", cSettings: strictC),
    .target(name: "StrictJSON", swiftSettings: strict),
    .target(name: "MessagePassing", dependencies: ["CMPI"], swiftSettings: strict),
    .target(name: "Kernels", dependencies: ["CKernels"], swiftSettings: strict),
    .target(
      name: "Checkpoint",
      dependencies: ["Kernels", "StrictJSON", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: strict),
    .target(name: "Tokenization", dependencies: ["StrictJSON"], swiftSettings: strict),
    .target(name: "DeepSeek", dependencies: ["Kernels", "Checkpoint"], swiftSettings: strict),
    .target(
      name: "ExpertParallel",
      dependencies: [
        "DeepSeek", "Checkpoint", "Kernels", "MessagePassing", "StrictJSON",
      ],
      swiftSettings: strict),
    .target(name: "Nodes", dependencies: ["Kernels", "StrictJSON"], swiftSettings: strict),
    .target(
      name: "Push",
      dependencies: [
        "Nodes", "ExpertParallel", "Checkpoint", "Kernels", "StrictJSON",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: strict),
    .target(
      name: "Launch", dependencies: ["Nodes", "ExpertParallel", "Kernels"], swiftSettings: strict),
    .target(
      name: "Inference",
      dependencies: [
        "ExpertParallel", "DeepSeek", "Tokenization", "Checkpoint", "Nodes", "Kernels", "MessagePassing",
        "StrictJSON",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      resources: [.copy("Resources/Abacus")],
      swiftSettings: strict),
    .target(
      name: "Planning",
      dependencies: ["Inference", "ExpertParallel", "DeepSeek", "Checkpoint", "Kernels"],
      swiftSettings: strict),
    .target(
      name: "Reporting",
      dependencies: ["Planning", "Inference", "Nodes", "ExpertParallel", "Checkpoint", "StrictJSON"],
      swiftSettings: strict),
    .target(
      name: "Doctor",
      dependencies: [
        "Inference", "Nodes", "Checkpoint", "Kernels", "MessagePassing", "StrictJSON",
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "flotilla",
      dependencies: [
        "Doctor", "Reporting", "Planning", "Inference", "Launch", "Push", "Nodes", "ExpertParallel", "DeepSeek",
        "Tokenization", "Checkpoint", "Kernels", "MessagePassing", "StrictJSON",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    .target(
      name: "TestSupport", dependencies: ["Checkpoint"], path: "Tests/TestSupport", swiftSettings: strict),
    // What MPI must do for us, as commands to be started under mpirun.
    .executableTarget(
      name: "mpi-selftest", dependencies: ["MessagePassing", "ExpertParallel"],
      path: "Tests/MPISelfTest", swiftSettings: strict),
    .testTarget(
      name: "MessagePassingTests",
      dependencies: ["MessagePassing", "ExpertParallel", "mpi-selftest", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "StrictJSONTests", dependencies: ["StrictJSON", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "KernelsTests", dependencies: ["Kernels", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "CheckpointTests", dependencies: ["Checkpoint", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "TokenizationTests", dependencies: ["Tokenization", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "DeepSeekTests", dependencies: ["DeepSeek", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "ExpertParallelTests", dependencies: ["ExpertParallel", "TestSupport"],
      swiftSettings: strict),
    .testTarget(name: "NodesTests", dependencies: ["Nodes", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "LaunchTests", dependencies: ["Launch", "Nodes", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "PushTests", dependencies: ["Push", "Nodes", "Checkpoint", "ExpertParallel", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "DoctorTests", dependencies: ["Doctor", "Inference", "Nodes", "StrictJSON", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "InferenceTests", dependencies: ["Inference", "StrictJSON", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "PlanningTests",
      dependencies: ["Planning", "Inference", "ExpertParallel", "DeepSeek", "Checkpoint", "Kernels", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ReportingTests", dependencies: ["Reporting", "StrictJSON", "TestSupport"], swiftSettings: strict),
    // Start the built `flotilla`, alone and under mpirun.
    .testTarget(
      name: "DistributedTests",
      dependencies: ["flotilla", "Inference", "Checkpoint", "ExpertParallel", "StrictJSON", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "CommandLineTests",
      dependencies: ["flotilla", "Inference", "Checkpoint", "StrictJSON", "TestSupport"],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
