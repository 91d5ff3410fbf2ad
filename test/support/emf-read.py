"""Checks lines of the embedded metric format by the schema that AWS Lambda Powertools carries, and reads them.

argv: the folder with the package. stdin: lines. stdout: one JSON object a metric of an event.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from jsonschema import Draft7Validator  # noqa: E402

schema = json.loads((Path(sys.argv[1]) / "aws_lambda_powertools/metrics/schema.json").read_text())
# Its own pointers are no identities for a validator that resolves these.
strip = lambda node: (
    {k: strip(v) for k, v in node.items() if k != "$id"} if isinstance(node, dict)
    else [strip(v) for v in node] if isinstance(node, list) else node
)
validator = Draft7Validator(strip(schema))

for line in sys.stdin:
    event = json.loads(line, parse_constant=lambda word: sys.exit(f"{word} is no JSON"))
    errors = [error.message for error in validator.iter_errors(event)]
    if errors:
        sys.exit(f"{errors} in {line}")
    for directive in event["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            for metric in directive["Metrics"]:
                target = event[metric["Name"]]
                print(json.dumps({
                    "at": event["_aws"]["Timestamp"],
                    "dimensions": {name: event[name] for name in names},
                    "name": metric["Name"],
                    "unit": metric.get("Unit", "None"),
                    "values": target if isinstance(target, list) else [target],
                }))
