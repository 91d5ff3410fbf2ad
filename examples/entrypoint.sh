#!/bin/sh
# An AWS Batch or ECS entrypoint: the agent beside the job, the job's exit code for the container.
#
#   ENTRYPOINT ["tini", "-g", "--", "sh", "/entrypoint.sh"]
#   CMD ["python", "train.py"]
#
# Settings come from the environment: METRICS_AGENT_NAMESPACE, METRICS_AGENT_SERVICE, ...
# Under tini, tini -g, dumb-init or as process 1 itself.
set -u

# A job in the background would get /dev/null for its standard input; this keeps the container's.
exec 3<&0

node "${AGENT_JS:-/opt/agent.js}" 3<&- &
agent=$!
"$@" <&3 3<&- &
job=$!
exec 3<&-

# TERM is for the job. The script stays: it has the last window to see out.
trap 'kill -TERM "$job" 2>/dev/null' TERM INT HUP

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
kill -TERM "$agent" 2>/dev/null
wait_for "$agent"
exit "$job_code"
