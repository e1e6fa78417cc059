#!/bin/bash
# A generation on Slurm: stages bundles to local disks, runs, stops in order before the time is over, goes on by itself.
#   sbatch Cluster/slurm.sh /shared/r1-q4 -p "Why is the sky blue?" -n 2000
# The first word is a prepared model on a file system that all nodes see; the rest goes to flotilla generate.

#SBATCH --job-name=flotilla
# Machines.
#SBATCH --nodes=4
# Ranks on each of them: one for each NUMA domain, as lscpu counts them.
#SBATCH --ntasks-per-node=2
# Whole machines, all cores and all memory: the ranks divide the cores of a node among themselves.
#SBATCH --exclusive
#SBATCH --mem=0
# Wall clock; a generation that takes longer is put into the queue again and goes on.
#SBATCH --time=04:00:00
# 60 seconds before that SIGTERM comes to this script, to no rank.
#SBATCH --signal=B:TERM@60
# Slurm may start the job anew after it lost a node or preempted it.
#SBATCH --requeue
# Later starts write behind what the earlier ones wrote.
#SBATCH --open-mode=append
# Standard output is the text; notes and the report are apart.
#SBATCH --output=flotilla-%j.txt
#SBATCH --error=flotilla-%j.log

# A command that fails, a variable without a value: the end.
set -euo pipefail

# The prepared model; its absence is an error with a word.
model=${1:?give a prepared model, then options of flotilla generate}
shift
# flotilla at a path that all nodes have; FLOTILLA in the environment of sbatch replaces it.
export FLOTILLA=${FLOTILLA:-/opt/flotilla/flotilla}
# A fast local disk of each node. It is kept: the next job copies only what is missing.
STAGE=${SCRATCH:-/tmp}/flotilla/$(basename "$model")
export STAGE
# What a start needs to go on lies on the shared file system, in the folder of sbatch, under the number of the job.
state=${SLURM_SUBMIT_DIR:-$PWD}/flotilla-$SLURM_JOB_ID
# Ranks on a node, as --ntasks-per-node says.
export RANKS_PER_NODE=${SLURM_NTASKS_PER_NODE:?sbatch needs --ntasks-per-node}

# What each rank reads, a line each: rank, coordinator and router (as a flag), experts. The order of ranks is
# "block" below: node 0 has the first ones.
PLAN=$("$FLOTILLA" inspect "$model" --placement-for "$SLURM_NTASKS" --json | awk '
  /"coordinator" *: *[0-9]/ { coordinator = $3 + 0 }
  /"experts" *: *"/ { split($0, word, "\""); experts[count++] = word[4] }
  /"router" *: *[0-9]/ { router = $3 + 0 }
  END {
    for (rank = 0; rank < count; rank++)
      print rank, (rank == coordinator ? "dense" : "-"), (rank == router ? "gates" : "-"), experts[rank]
  }')
export PLAN MODEL=$model

# Runs once on each node: its part of the model, to its own disk.
# shellcheck disable=SC2317  # called by name, through srun
stage() {
  set -euo pipefail
  # The bundles of this node's ranks, as inspect --bundles takes them: dense,gates,0-31.
  bundles=$(awk -v first=$((SLURM_NODEID * RANKS_PER_NODE)) -v count="$RANKS_PER_NODE" '
    $1 >= first && $1 < first + count { for (i = 2; i <= NF; i++) if ($i != "-") print $i }' <<< "$PLAN" | paste -sd, -)
  mkdir -p "$STAGE"
  # Manifest, configuration and tokenizer: every node. rsync copies what differs in size or time.
  rsync -rt --exclude='*.bundle' "$MODEL/" "$STAGE/"
  # Then the bundles, by their file names.
  for part in ${bundles//,/ }; do
    case $part in
      *[!0-9-]*) echo "$part.bundle" ;;
      *) seq -f 'expert-%03g.bundle' "${part%-*}" "${part#*-}" ;;
    esac
  done | rsync -rt --files-from=- "$MODEL/" "$STAGE/"
  # The copies are compared with the hashes of the manifest; a difference ends the job before a rank starts.
  "$FLOTILLA" inspect "$STAGE" --verify --bundles "${bundles:-none}" > /dev/null || {
    echo "$(hostname): $STAGE: damaged copy, or a damaged source. Remove it there and try again." >&2
    exit 2
  }
}
# One task a node. --mpi=none: with PMIx the ranks but the first would take inspect for a part of an MPI job.
srun --mpi=none --ntasks="$SLURM_NNODES" --ntasks-per-node=1 bash -c "$(declare -f stage); stage"

# A journal is there: an earlier start wrote it, and the very same tokens go on. The prompt comes from it.
if [ -s "$state.journal" ]; then
  command=("$FLOTILLA" generate "$STAGE" --resume "$state.journal")
else
  # An empty one is of a start that died before its first token.
  rm -f "$state.journal"
  command=("$FLOTILLA" generate "$STAGE" --journal "$state.journal" "$@")
fi
command+=(--record "$state.record.jsonl" --color never)

# srun with PMIx starts the ranks itself. Not pmi2: Open MPI 5 has none, and few builds of 4.1. Without PMIx flotilla
# launch starts them; its mpirun asks Slurm for the nodes and starts one daemon on each.
if srun --mpi=list 2>&1 | grep -q pmix; then
  starter=(srun --mpi=pmix --distribution=block --cpu-bind=none --kill-on-bad-exit=1)
else
  starter=("$FLOTILLA" launch --map-by slot --)
  command=("${command[@]:1}")
fi

# SIGTERM before the time is over goes to the ranks. They end in order within the time of a layer, and write journal
# and record.
stopped=""
# shellcheck disable=SC2317  # called by trap
stop() {
  stopped=yes
  # scancel reaches the ranks of all steps, not this script; srun itself would kill them soon after.
  if [ "${starter[0]}" = srun ]; then scancel --signal=TERM "$SLURM_JOB_ID"; else kill -TERM "$run"; fi
}
trap stop TERM

# In the background, since bash runs a trap only between commands; wait returns when a signal comes, hence twice.
"${starter[@]}" "${command[@]}" &
run=$!
status=0
wait "$run" || status=$?
if [ -n "$stopped" ]; then wait "$run" || status=$?; fi

# Stopped for the time: once more into the queue, under the same number, so with the same journal.
if [ -n "$stopped" ] && [ "$status" != 0 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$status"
