import Foundation
import Inference
import Reporting
import Testing

@Suite("Records for strangers")
struct RecordRedactorTests {
  private func redacted(_ change: (inout RunRecord) -> Void) -> RunRecord {
    let record = madeUp { record in
      for rank in record.ranks.indices { record.ranks[rank].host = ["boxname", "other.lab.example", "third"][rank] }
      record.host = "boxname"
      change(&record)
    }
    var redactor = RecordRedactor([record])
    return redactor.redacted(record)
  }

  @Test("Hosts with slots or users before them, users, and folders are gone; options keep their names")
  func launcher() {
    let record = redacted {
      $0.launcher = [
        "/opt/secret/mpirun", "--host", "boxname:2,other:1,fourth:3", "-x", "LD_LIBRARY_PATH=/home/alicesecret/lib",
        "-mca",
        "plm_rsh_agent", "ssh -l alicesecret -i /home/alicesecret/key", "--hosts=bobsecret@boxname", "flotilla",
        "generate",
        "--placement=/secret/b.json", "models/secret/r1", "--record", "run.jsonl",
      ]
    }
    #expect(
      record.launcher == [
        "…/mpirun", "--host", "host-1:2,host-2:1,host-4:3", "-x", "LD_LIBRARY_PATH=…", "-mca", "plm_rsh_agent",
        "ssh -l user-1 -i …/key", "--hosts=user-2@host-1", "flotilla", "generate", "--placement=…/b.json", "…/r1",
        "--record", "run.jsonl",
      ])
    #expect(record.host == "host-1" && record.ranks.map(\.host) == ["host-1", "host-2", "host-3"])
  }

  @Test("What environment variables are set to is gone, however they are given; so are users and hosts of --hosts")
  func variables() {
    let record = redacted {
      $0.launcher = [
        "env", "TOKEN=topsecret", "mpirun", "-x", "A_SECRET=topsecret", "--x", "B=top secret", "-x", "PATH",
        "-xC=topsecret",
        "--x=D=topsecret", "-x", "E=topsecret\ntopsecret", "-x", "F=a=topsecret", "--export=G=topsecret", "--mca",
        "btl",
        "self,tcp", "--map-by=slot", "--hosts", "carol@node9:4,boxname:2",
      ]
    }
    #expect(
      record.launcher == [
        "env", "TOKEN=…", "mpirun", "-x", "A_SECRET=…", "--x", "B=…", "-x", "PATH", "-xC=…", "--x=D=…", "-x", "E=…",
        "-x",
        "F=…", "--export=G=…", "--mca", "btl", "self,tcp", "--map-by=slot", "--hosts", "user-1@host-4:4,host-1:2",
      ])
    #expect(!RunPage([record]).html.contains("topsecret"))
  }

  @Test("Of prompts the length stays, however they are given; -p of a bench is a number")
  func prompts() {
    let prompt = "Is 6/2 equal to 3?"
    let command = [
      "flotilla", "generate", "-p", prompt, "--prompt=\(prompt)", "-qp", prompt, "--system", "Brief", "-n", "4",
    ]
    let record = redacted {
      $0.command = command
      $0.launcher = ["mpirun", "-n", "2"] + command
    }
    let hidden = [
      "flotilla", "generate", "-p", "…(18 characters)", "--prompt=…(18 characters)", "-qp", "…(18 characters)",
      "--system", "…(5 characters)", "-n", "4",
    ]
    #expect(record.command == hidden && record.launcher == ["mpirun", "-n", "2"] + hidden)
    #expect(redacted { $0.command = ["flotilla", "simulate", "r1", "-p", "32"] }.command[3...] == ["-p", "32"])
  }

  @Test("The page of a redacted record names nobody; the same host has the same name in all records")
  func page() {
    let plain = ["node1", "node2", "node1"].map { host in
      madeUp(ranks: 1) {
        ($0.host, $0.ranks[0].host) = (host, host)
        $0.setup.instructionSet = "avx2 on node1; avx512 on node2"
        $0.command = ["/home/alice/flotilla", "generate", "--hosts", "node1"]
        $0.surroundings = .init(
          machine: .ofThisMachine(), sockets: 1, binary: "00", mpi: "Open MPI",
          mpiParameters: ["OMPI_MCA_btl_tcp_if_include": "10.0.0.0/24", "OMPI_MCA_btl": "node1"])
      }
    }
    var redactor = RecordRedactor(plain)
    let records = plain.map { redactor.redacted($0) }
    #expect(records.map(\.host) == ["host-1", "host-2", "host-1"])
    let page = RunPage(records).text
    for word in ["node1", "node2", "alice", "10.0.0"] { #expect(!page.contains(word), "\(word): \(page)") }
    #expect(page.contains("…/flotilla"))
  }
}
