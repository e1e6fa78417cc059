import Checkpoint
import Foundation
import TestSupport
import Testing

@Suite("Command line", .serialized)
struct UsageTests {
  static let commands = ["generate", "trace", "bench", "perplexity", "calibrate", "inspect", "tokenize", "synthesize"]

  @Test("Help names every command, with its line; every command has help with examples")
  func help() throws {
    for arguments in [["--help"], ["help"], []] {
      let run = try Run(arguments)
      #expect(run.status == 0 && run.errors == "")
      for command in Self.commands { #expect(run.text.contains("\n  \(command) ")) }
      #expect(run.text.contains("EXIT CODES"))
    }
    for command in Self.commands {
      let run = try Run([command, "--help"])
      #expect(run.status == 0 && run.text.contains("USAGE: flotilla \(command)"))
    }
    #expect(try Run(["--version"]).text == "0.1.0\n")
  }

  @Test(
    "Wrong options: the first line says what, exit code 2",
    arguments: [
      (["inspect", "a", "-m", "b"], "MODEL was given twice: as an argument and with -m. Leave one of them out."),
      (["inspect", "a", "b"], "Unexpected argument 'b'"),
      (["inspect", "--placement-for", "0"], "--placement-for: expected 1 to 65536, found 0"),
      (["inspect", "--router-rank", "1"], "--router-rank needs --placement-for: the number of ranks."),
      (["generate", "-p", "a", "--temp=-1"], "--temp: expected 0 to 100, found -1.0"),
      (["generate", "-p", "a", "-n", "-2"], "--max-tokens: expected -1 to 16777216, found -2"),
      (["generate", "-p", "a", "--repeat-penalty", "0"], "--repeat-penalty: expected 0.001 to 1000, found 0.0"),
      (["generate", "-p", "a", "--top-p", "0"], "--top-p: expected above 0, at most 1, found 0.0"),
      (["generate", "-p", "a", "--temp", "nan"], "--temp: expected 0 to 100, found nan"),
      (["generate", "-p", "a", "-c", "0"], "--ctx-size: expected 1 to 16777216, found 0"),
      (["generate", "-p", "a", "-t", "5000"], "--threads: expected 1 to 1024, found 5000"),
      (["generate", "-p", "a", "--timeout", "0"], "--timeout: expected seconds above 0, at most 86400, found 0.0"),
      (
        ["generate", "-p", "a", "-m", "b", "c"],
        "MODEL was given twice: as an argument and with -m. Leave one of them out."
      ),
      (["tokenize", "--chat", "--decode"], "--chat and --decode exclude each other."),
      (["tokenize", "--skip-special"], "--skip-special needs --decode."),
      (["fly"], "no command \"fly\". flotilla --help lists them."),
      (["generate", "-p", "a", "--top-logprobs", "2"], "--top-logprobs needs --json."),
      (["generate", "-p", "a", "--resume", "j"], "--resume takes --prompt from the journal: leave it out."),
      (["generate", "--resume", "j", "--ignore-eos"], "--resume takes --ignore-eos from the journal: leave it out."),
      (["generate", "--resume", "j", "--seed", "0"], "--resume takes --seed from the journal: leave it out."),
      (["generate", "--resume", "j", "--quant", "f32"], "--resume takes --quant from the journal: leave it out."),
      (
        ["generate", "-p", "a", "--journal", "j", "--resume", "k"],
        "--resume goes on writing to its own file: leave out --journal."
      ),
      (["generate", "-p", "a", "--journal", ""], "--journal: expected a file name, found nothing."),
      (["generate", "-p", "a", "--journal-interval", "1"], "--journal-interval needs --journal or --resume."),
      (
        ["generate", "-p", "a", "--journal", "j", "--journal-interval=-1"],
        "--journal-interval: expected 0 to 3600, found -1.0"
      ),
      (
        ["generate", "--resume", "/nowhere/j"],
        "/nowhere/j: journal: expected to open it, found No such file or directory"
      ),
      (
        ["generate", "-p", "a", "--journal", "/nowhere/j"],
        "/nowhere/j: journal: expected to create it, found No such file or directory"
      ),
      (["generate", "-f", "."], "--prompt-file .: expected a readable file, found a folder"),
      (
        ["trace", "--token-ids", "0,1", "-o", "/nonexistent/t.safetensors"],
        "--output /nonexistent/t.safetensors: expected a folder /nonexistent to write to, found nothing"
      ),
      (
        ["tokenize", "Hello, it's me"],
        "\"Hello, it's me\" was read as MODEL, and there is no such file or folder. Text comes on standard input: "
          + #"printf '%s' 'Hello, it'\''s me' | flotilla tokenize"#
      ),
      (["calibrate", "--buffer", "0"], "--buffer: expected 1 to 1048576, found 0"),
      (["bench", "-p", "0", "-n", "0"], "nothing to measure: give -p, -n or -pg something above 0."),
      (["bench", "-pg", "64"], "-pg: expected two numbers P,N, found 64"),
      (["bench", "-pg", "64,2,1"], "-pg: expected two numbers P,N, found 64,2,1"),
      (["bench", "-ngl", "99"], "no option \"-ngl\". Flotilla computes on processors: leave it out."),
      (["bench", "-p", "1,x"], "The value '1,x' is invalid for '-p <list>'"),
      (["bench", "--parallel", "0"], "--parallel: expected 1 to 4096, found 0"),
      (["perplexity"], "Missing expected argument '--file <file>'"),
      (["perplexity", "-f", "a", "-c", "3"], "--ctx-size: expected 4 to 16777216, found 3"),
      (
        ["generate", "-p", "a", "--quant", "foo=q4_K"],
        "--quant: part: expected one of attention, kv_b, dense, shared, experts, head, found \"foo\""
      ),
      (
        ["inspect", "--quant", "Q4_0"],
        "--quant: format: expected one of auto, f32, bf16, fp8, q8_0, q4_1, q4_K, q6_K, Q4_K_M, found \"Q4_0\"; "
          + "use q4_K or q4_1"
      ),
      (
        ["prepare", "a", "b", "--quant", "experts=q5"],
        "--quant: format of experts: expected one of f32, bf16, fp8, q8_0, q4_1, q4_K, q6_K, found \"q5\"; "
          + "use q6_K"
      ),
      (
        ["perplexity", "-f", "a", "--kl-base", "q4_K,head"],
        "--kl-base: format of a part: expected PART=FORMAT, found \"head\""
      ),
      (
        ["inspect", "--quant", "q4_K, head = int8"],
        "--quant: format of head: expected one of f32, bf16, fp8, q8_0, q4_1, q4_K, q6_K, found \"int8\"; use q8_0"
      ),
      (
        ["inspect", "--quant", ""],
        "--quant: format: expected one of auto, f32, bf16, fp8, q8_0, q4_1, q4_K, q6_K, Q4_K_M, found \"\""
      ),
      (["generate", "--promt", "hi"], "no option \"--promt\". Did you mean --prompt?"),
      (["bench", "tiny", "--reptitions=3"], "no option \"--reptitions\". Did you mean --repetitions?"),
      (["inspect", "--wholly-unknown"], "no option \"--wholly-unknown\". flotilla inspect --help lists them."),
      // A value is no option, also one with hyphens.
      (["generate", "-p", "--promt", "-n", "-2"], "--max-tokens: expected -1 to 16777216, found -2"),
      (
        ["generate", "-p", "a", "--quant", "q4"],
        "--quant: format: expected one of auto, f32, bf16, fp8, q8_0, q4_1, q4_K, q6_K, Q4_K_M, found \"q4\"; "
          + "did you mean q4_K?"
      ),
      (
        ["generate", "-p", "a", "--quant", "q4k"],
        "--quant: format: expected one of auto, f32, bf16, fp8, q8_0, q4_1, q4_K, q6_K, Q4_K_M, found \"q4k\"; "
          + "did you mean q4_K?"
      ),
      (
        ["prepare", "a", "b", "--quant", "experts=f16"],
        "--quant: format of experts: expected one of f32, bf16, fp8, q8_0, q4_1, q4_K, q6_K, found \"f16\"; "
          + "f16 is no run format: use f32, which loses nothing, or bf16"
      ),
      (
        ["generate", "DeepSeek-V2-Lite"],
        "DeepSeek-V2-Lite is not here; flotilla inspect DeepSeek-V2-Lite shows what to fetch. There is no prompt either: "
          + "it goes behind -p."
      ),
      (
        ["tokenize", "deepseek-r1"], "DeepSeek-R1 is not here; flotilla inspect DeepSeek-R1 shows what to fetch."
      ),
      (["bench", "--quant", "head=q4_K,HEAD=q8_0"], "--quant: format of head: expected one, found two"),
      (["calibrate", "-r", "0"], "--repetitions: expected 1 to 1000, found 0"),
      // A negative number is a value, also where none is right.
      (["generate", "-p", "a", "--temp", "-1"], "--temp: expected 0 to 100, found -1.0"),
      (["generate", "--temp", "-.5", "-p", "a"], "--temp: expected 0 to 100, found -0.5"),
      (["generate", "-p", "a", "-c", "-5"], "--ctx-size: expected 1 to 16777216, found -5"),
      (["simulate", "tiny", "--skew", "-1"], "--skew: expected 0 to 4, found -1.0"),
      (["launch", "-n", "-2", "--", "generate", "-p", "a"], "--np: expected 1 to 4096, found -2"),
      (["launch", "-n", "2", "--", "generate", "-p", "a", "--temp", "-1"], "--temp: expected 0 to 100, found -1.0"),
      (["generate", "-p", "a", "--temp", "-x"], "Missing value for '--temp <temp>'"),
      (["launch", "-n", "2", "--", "generate", "--promt", "x"], "no option \"--promt\". Did you mean --prompt?"),
      (["launch", "-n", "2", "--", "genrate", "-p", "x"], "no command \"genrate\". Did you mean generate?"),
      (
        ["launch", "-n", "2", "--", "inspect"],
        "command: expected one that runs on several ranks (generate, chat, trace, bench, perplexity, calibrate, "
          + "simulate), found \"inspect\""
      ),
      (
        ["chat", "-p", "What is 1 + 1?"],
        "-p: chat takes questions after it has started; flotilla generate -p \"…\" answers one."
      ),
      (["chat", "What is 1 + 1?"], "\"What is 1 + 1?\" was read as MODEL, and there is no such file or folder"),
      (["chat", "Hello"], "\"Hello\" was read as MODEL, and there is no such file or folder"),
      (
        ["push", InspectTests.tiny, "--hostfile", "/nonexistent"],
        "PREPARED: expected a prepared model, found a checkpoint: \(InspectTests.tiny)"
      ),
    ])
  func wrongOptions(_ arguments: [String], _ error: String) throws {
    let run = try Run(arguments)
    #expect(run.status == 2)
    #expect(run.output == [])
    #expect(run.errors.split(separator: "\n").first.map(String.init) == "error: " + error)
  }

  @Test("What helps: the line that prepares a checkpoint, what chat is for, clusters to plan on")
  func hints() throws {
    let push = try Run(["push", InspectTests.tiny, "--hostfile", "h"])
    #expect(push.errors.contains("hint: flotilla prepare \(InspectTests.tiny) tiny-f32-prepared makes one"))
    let chat = try Run(["chat", "What is 8 / 2?"])
    #expect(
      chat.errors.hasSuffix("hint: chat takes questions after it has started; flotilla generate -p \"…\" answers one\n")
    )
    // A path is told as in every command.
    #expect(try Run(["chat", "/nonexistent"]).errors.contains("/nonexistent: checkpoint: expected"))
    #expect(try Run(["plan", "r1"]).errors.contains("Cluster/examples/"))
  }

  @Test("What is not there is told with its whole path; what was given is named; names in any case")
  func given() throws {
    let file = try Run(["inspect", "none.gguf"])
    #expect(file.status == 2 && file.errors.contains("/none.gguf: checkpoint: expected "), "\(file.errors)")
    let lock = try Run(["generate", InspectTests.tiny, "-p", "a", "--mlock", "--verify"])
    #expect(lock.errors.hasPrefix("error: --verify, --mlock: expected a prepared model, found "), "\(lock.errors)")
    let options = ["--cache-type", "F16", "--dense-slices", "All", "--huge-pages", "OFF"]
    #expect(try Run(["generate", "-p", "1+1=?", "-n", "1", "-q"] + options).status == 0)
    let unknown = try Run(["generate", "-p", "a", "--cache-type", "f17"])
    #expect(unknown.status == 2 && unknown.errors.contains("'auto', 'f32'"), "\(unknown.errors)")
  }

  @Test("Words that end other programs are questions where nobody types them")
  func farewell() throws {
    let run = try Run(["chat", "-n", "1", "-q"], text: "quit\nexit\n")
    #expect(run.status == 0 && run.lines.count == 2 && !run.text.contains("/quit"), "\(run.text)")
  }

  @Test("A path that leads nowhere: error, hint, exit code 2", arguments: ["inspect", "generate"])
  func wrongPath(_ command: String) throws {
    let run = try Run([command, "/nonexistent"] + (command == "generate" ? ["-p", "a"] : []))
    #expect(run.status == 2)
    #expect(
      run.errors == """
        error: /nonexistent: checkpoint: expected a Hugging Face checkpoint folder, a GGUF file or a prepared model, found nothing
        hint: Check the path.

        """)
  }

  @Test(
    "A published model that is not here: the hint tells where to look",
    arguments: [
      ["generate", "DeepSeek-V2-Lite", "-p", "a"], ["bench", "DeepSeek-V2-Lite"],
      ["prepare", "DeepSeek-V2-Lite", "/tmp/x"],
      ["export", "DeepSeek-V2-Lite", "/tmp/x"], ["trace", "DeepSeek-V2-Lite", "--token-ids", "0", "--sha256"],
    ])
  func published(_ arguments: [String]) throws {
    let run = try Run(arguments)
    #expect(run.status == 2)
    #expect(
      run.errors.hasSuffix(
        "hint: DeepSeek-V2-Lite is not here; flotilla inspect DeepSeek-V2-Lite shows what to fetch.\n"))
  }

  @Test("The built-in model has a name, which export and prepare need")
  func builtInName() throws {
    #expect(try Run(["inspect", "Abacus"]).output == Run(["inspect"]).output)
    try withTemporaryPath { path in
      let run = try Run(["prepare", "Abacus", path, "-q"])
      #expect(run.status == 0 && run.errors == "")
      #expect(try Run(["inspect", path]).text.contains("4.65M parameters"))
    }
    #expect(try Run(["generate", "Abacus", "-p", "1+1=?", "-n", "1", "-q"]).status == 0)
    #expect(try Run(["tokenize", "Abacus"], text: "a").output == Run(["tokenize"], text: "a").output)
  }

  @Test("A folder without a tokenizer, and a tokenizer that cannot be read, in our words")
  func noTokenizer() throws {
    try withTemporaryPath { path in
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      let none = try Run(["tokenize", path])
      #expect(none.status == 2)
      #expect(none.errors.hasPrefix("error: \(path): expected a folder with tokenizer.json, found one without\nhint: "))
      try FileManager.default.createDirectory(atPath: path + "/tokenizer.json", withIntermediateDirectories: false)
      #expect(
        try Run(["tokenize", path]).errors.hasPrefix("error: \(path)/tokenizer.json: expected a readable file, found a")
      )
    }
  }

  @Test("Address space that does not suffice is not a matter of permissions")
  func addressSpace() throws {
    try withTemporaryPath { path in
      try FileManager.default.copyItem(atPath: InspectTests.tiny, toPath: path)
      #expect(truncate(path + "/model.safetensors", 1 << 40) == 0)
      let process = try Run(["inspect", path], launcher: ["bash", "-c", "ulimit -v 60000000; exec \"$0\" \"$@\""])
      #expect(process.status == 2)
      #expect(
        process.errors.contains("found Cannot allocate memory\nhint: The file is mapped as a whole: raise the limit"))
    }
  }

  @Test("A model larger than memory is refused before anything is loaded", arguments: [nil, 2])
  func tooLarge(_ ranks: Int?) throws {
    try withTemporaryPath { path in
      let available = try #require(MachineMemory.available())
      try SparseCheckpoint.write(to: path, bytes: available + (6 << 30))
      let run = try Run(["generate", path, "-p", "a", "--raw", "-n", "1"], ranks: ranks, limit: 60)
      #expect(run.status == 2, "\(run.errors)")
      let parts = [
        "memory: expected ", " free", ranks == nil ? "hint: a smaller --quant, or more nodes" : "use more nodes",
      ]
      for part in parts { #expect(run.errors.contains(part), "\(run.errors)") }
    }
  }

  @Test("Control characters of a name never reach the terminal")
  func escapes() throws {
    let run = try Run(["inspect", "/nonexistent/\u{1B}[31m"])
    #expect(run.status == 2 && !run.errors.utf8.contains(0x1B))
  }

  @Test("Under mpirun, what needs one process runs on one, and errors are said once")
  func launched() throws {
    let alone = try Run(["inspect"])
    let launched = try Run(["inspect"], ranks: 3)
    #expect(launched.status == 0)
    #expect(launched.lines == alone.lines)
    let wrong = try Run(["inspect", "--placement-for", "0"], ranks: 3)
    #expect(wrong.status == 2)
    #expect(wrong.errors.components(separatedBy: "error: --placement-for").count == 2)
  }

  @Test("A prompt may begin with a hyphen, -n -1 goes on to the end, and a full context says so")
  func hyphens() throws {
    let arguments = ["--temp", "0", "--json", "--quiet"]
    let run = try Run(["generate", "-p", "-5 + 3", "--system", "- short", "--stop", "-", "-n", "0"] + arguments)
    #expect(run.status == 0 && run.text.contains(#""finish":"length""#), "\(run.errors)")
    let full = try Run(["generate", "-p", "4", "-c", "12", "-n", "-1", "--ignore-eos"] + arguments)
    #expect(full.status == 0 && full.text.contains(#""finish":"context""#), "\(full.errors)")
  }

  @Test("Several prompts are set apart by one empty line; -n 0 generates nothing and shows nothing")
  func texts() throws {
    let arguments = ["generate", "-p", "4", "-p", "5", "--temp", "0"]
    let both = try Run(arguments + ["-n", "2"])
    #expect(both.lines.count { $0.isEmpty } == 1 && both.lines.filter { $0.hasPrefix("Prompt ") }.count == 2)
    let none = try Run(arguments + ["-n", "0"])
    #expect(none.status == 0 && none.output == [])
    #expect(!none.errors.contains("stopped after"))
  }

  @Test("A terminal that is read from says so")
  func terminal() throws {
    let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    defer { close(master) }
    // TIOCSPTLCK and TIOCGPTN: unlock the terminal, ask for its number.
    var (lock, number) = (Int32(0), UInt32(0))
    #expect(ioctl(master, 0x4004_5431, &lock) == 0 && ioctl(master, 0x8004_5430, &number) == 0)
    let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    let process = ChildProgram()
    let errors = Pipe()
    process.executableURL = URL(filePath: try Job.executable("flotilla"))
    process.arguments = ["tokenize"]
    process.standardInput = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, errors)
    try process.run()
    // Ctrl-D on an empty line.
    #expect(write(master, "\u{4}", 1) == 1)
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(text == "Reading standard input from the terminal; Ctrl-D ends it.\n")
  }

  @Test("No prompt on standard input is an error; under mpirun it says which rank has it")
  func emptyInput() throws {
    let alone = try Run(["generate", "-f", "-", "-n", "1"])
    #expect(alone.status == 2)
    #expect(alone.errors.hasSuffix("error: standard input: expected a prompt, found nothing\n"))
    let launched = try Run(["generate", "-f", "-", "-n", "1", "--coordinator-rank", "1"], input: [52], ranks: 2)
    #expect(launched.status == 2 && launched.errors.contains("add --stdin 1, the coordinator's rank"))
  }

  @Test("What is written in place of a closed standard output is an error, and goes into no other file")
  func closedOutput() throws {
    try withTemporaryPath { path in
      let process = ChildProgram()
      let errors = Pipe()
      process.executableURL = URL(filePath: "/bin/sh")
      process.arguments = [
        "-c", #"exec "$0" "$@" >&-"#, try Job.executable("flotilla"), "generate", "-p", "4", "-n", "1", "-q",
        "--record", path,
      ]
      process.standardError = errors
      try process.run()
      let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 1)
      #expect(text == "error: standard output: Bad file descriptor\n")
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }

  @Test("Output that nobody takes is an error, not silence", arguments: [["inspect"], ["--help"]])
  func fullDisk(_ arguments: [String]) throws {
    let process = ChildProgram()
    let errors = Pipe()
    process.executableURL = URL(filePath: try Job.executable("flotilla"))
    process.arguments = arguments
    process.standardOutput = FileHandle(forWritingAtPath: "/dev/full")
    process.standardError = errors
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 1)
    #expect(text == "error: standard output: No space left on device\n")
  }
}
