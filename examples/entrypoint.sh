#!/bin/sh
# For images where the agent cannot be the entrypoint itself (`node agent.js ... -- COMMAND` does more, see
# docs/jobs.md): the agent beside the job, the job's exit code for the container.
#
#   ENTRYPOINT ["tini", "-s", "--", "sh", "/entrypoint.sh"]
#   CMD ["python", "train.py"]
#
# Runs under tini, tini -g, dumb-init or as process 1, in dash, ash and bash. Settings are the agent's own
# variables, METRICS_AGENT_NAMESPACE and so on, and these:
#   AGENT_JS                    where the agent is (/opt/agent.js)
#   AGENT_NODE                  the Node that runs it (node)
#   METRICS_AGENT_STOP_TIMEOUT  seconds from SIGTERM to the container's SIGKILL (10; 30 on ECS and Batch)
#   NODE_OPTIONS                is for the job alone; the agent runs without it
#
# The job is told once of each signal, whoever tells it. The agent runs in a session of its own (by
# `setsid`), so that it is not told with the job. It gets SIGTERM when the job has ended, or 3 s before the
# container's SIGKILL if the job is still there, and SIGKILL if it does not end.
set -u

if [ $# -eq 0 ]; then
  echo 'entrypoint.sh: no command, expected: sh entrypoint.sh COMMAND [ARGUMENT]...' >&2
  exit 2
fi

node=${AGENT_NODE:-node}
usual=10
[ -n "${ECS_CONTAINER_METADATA_URI_V4:-}${AWS_BATCH_JOB_ID:-}" ] && usual=30
stop=${METRICS_AGENT_STOP_TIMEOUT:-$usual}
stop=${stop%%.*}
case $stop in '' | *[!0-9]*) stop=$usual ;; esac
[ "$stop" -lt 5 ] && stop=5

# Until there is a job to be told, a signal is kept: it would end this shell, and the job's exit code with it.
signals='HUP INT QUIT USR1 USR2 PIPE ALRM TERM CONT TSTP WINCH URG XCPU XFSZ VTALRM PROF IO PWR'
kept=''
for name in $signals; do
  trap "kept=\"\$kept $name\"" "$name"
done

# These signal all of our process group, and so the job. So does a terminal.
is_told_by_parent() {
  # shellcheck disable=SC2046 # words
  set -- $(tr '\0' ' ' </proc/$PPID/cmdline 2>/dev/null)
  init=${1##*/}
  case $init in
    dumb-init) told=0 ;;
    tini | docker-init) told=$([ -n "${TINI_KILL_PROCESS_GROUP:-}" ]; echo $?) ;;
    *) return 1 ;;
  esac
  while shift && [ $# -gt 0 ]; do
    case $init$1 in
      *--) break ;;
      *-p | *-e | *-r | *--rewrite) shift ;;
      dumb-init-c | dumb-init--single-child) told=1 ;;
      tini-*g* | docker-init-*g*) told=0 ;;
      *init-* | tini-*) ;;
      *) break ;;
    esac
  done
  return "$told"
}
is_told_by_terminal() {
  case $1 in INT | QUIT | TSTP | WINCH) ;; *) return 1 ;; esac
  stat=$(cat /proc/$$/stat 2>/dev/null) || return 1
  # After the name in parentheses: state, parent, group, session, terminal, the terminal's group.
  set -- ${stat##*) }
  [ "$3" = "$6" ]
}
told_by_parent=0
is_told_by_parent && told_by_parent=1

# A shell ignores INT and QUIT in what it starts by `&` and cannot undo it. coreutils' env can; elsewhere a
# Node in between does. What was ignored before us stays ignored; sed has what a job would have.
ignored=$(sed -n 's/^SigIgn:.*\(.\)$/\1/p' /proc/self/status 2>/dev/null)
case $ignored in [2367abef]) undo='' ;; *) undo=INT ;; esac
case $ignored in [4567cdef]) ;; *) undo=${undo:+$undo,}QUIT ;; esac
between='
const { ENTRYPOINT_NODE_OPTIONS: options, ENTRYPOINT_TOLD: told, ...env } = process.env;
if (options) env.NODE_OPTIONS = options; else delete env.NODE_OPTIONS;
const [file, ...argv] = process.argv.slice(1);
let job;
const names = "HUP INT QUIT USR1 USR2 PIPE ALRM TERM CONT WINCH URG XCPU XFSZ VTALRM IO PWR";
for (const name of names.split(" ")) {
  process.on(`SIG${name}`, () => told === "1" || job.kill(`SIG${name}`));
}
job = require("child_process").spawn(file, argv, { stdio: "inherit", env });
job.on("error", ({ code, message }) => {
  console.error(message);
  process.exit(code === "ENOENT" ? 127 : 126);
});
job.on("exit", (code, signal) => process.exit(code ?? 128 + require("os").constants.signals[signal]));'
if [ -z "$undo" ]; then :
elif env --default-signal=INT,QUIT true 2>/dev/null; then set -- env "--default-signal=$undo" "$@"
elif command -v "$node" >/dev/null; then
  set -- env NODE_OPTIONS= "ENTRYPOINT_NODE_OPTIONS=${NODE_OPTIONS:-}" "ENTRYPOINT_TOLD=$told_by_parent" \
    "$node" -e "$between" -- "$@"
fi

# Told to end before there was a job: there will be none.
for name in $kept; do
  case $name in
    HUP) exit 129 ;;
    INT) exit 130 ;;
    QUIT) exit 131 ;;
    TERM) exit 143 ;;
  esac
done
kept=''

# A job in the background would get /dev/null for its standard input; this keeps the container's. From
# here on the shell has nothing to say itself: how a child ended is the job's own business.
exec 3<&0 4>&2 2>/dev/null
"$@" <&3 2>&4 3<&- 4>&- &
job=$!
exec 3<&-

own_session=''
command -v setsid >/dev/null && own_session=setsid
NODE_OPTIONS='' $own_session "$node" "${AGENT_JS:-/opt/agent.js}" </dev/null 2>&4 4>&- &
agent=$!
exec 4>&-

# Where the script is killed, nobody else ends the agent.
$own_session sh -c '
  trap "" HUP INT QUIT TERM
  while kill -0 "$1" 2>/dev/null; do sleep 2; done
  kill -TERM "$2" 2>/dev/null && sleep 5 && kill -KILL "$2" 2>/dev/null
' guard $$ "$agent" </dev/null >/dev/null 2>&1 &
guard=$!

# The agent, told and then killed: after so many seconds, and so many more.
enders=''
end_agent() {
  (
    trap '' HUP INT QUIT TERM USR1 USR2
    sleep "$1"
    kill -TERM "$agent"
    sleep "$2"
    kill -KILL "$agent"
  ) </dev/null >/dev/null 2>&1 &
  enders="$enders $!"
}

on_signal() {
  if [ "$1" = TERM ] && [ -z "${is_stopping:-}" ]; then
    is_stopping=1
    end_agent $((stop - 3)) 2
  fi
  [ "$told_by_parent" -eq 1 ] && return
  is_told_by_terminal "$1" || kill -s "$1" "$job"
}
for name in $signals; do
  trap "on_signal $name" "$name"
done
for name in $kept; do on_signal "$name"; done

# A trapped signal interrupts `wait`, so wait until the child is really gone.
wait_for() {
  wait "$1"
  code=$?
  while kill -0 "$1" 2>/dev/null; do
    wait "$1"
    code=$?
  done
  return "$code"
}

wait_for "$job"
job_code=$?
end_agent 0 $((stop > 12 ? 12 : stop - 1))
wait_for "$agent"
# shellcheck disable=SC2086 # a list
kill -KILL "$guard" $enders
exit "$job_code"
