"""Reads OTLP requests, a line of JSON each, by protobuf's strict parser; writes each one's points as a line."""

import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)


def attributes(holder):
    return {one.key: one.value.string_value for one in holder.attributes}


def points_of(request):
    for resource in request.resource_metrics:
        for scoped in resource.scope_metrics:
            for metric in scoped.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                is_delta = kind == "gauge" or data.aggregation_temporality == 1
                for one in data.data_points:
                    point = {
                        "resource": attributes(resource.resource),
                        "name": metric.name,
                        "unit": metric.unit,
                        "kind": kind,
                        "isDelta": is_delta,
                        "attributes": attributes(one),
                        "startMs": one.start_time_unix_nano // 1_000_000,
                        "timeMs": one.time_unix_nano // 1_000_000,
                    }
                    if kind == "exponential_histogram":
                        counts = [*one.positive.bucket_counts, *one.negative.bucket_counts]
                        assert sum(counts) + one.zero_count == one.count
                        point["value"] = one.count
                    else:
                        point["value"] = one.as_double
                    yield point


for line in sys.stdin:
    parsed = json_format.Parse(line, ExportMetricsServiceRequest())
    print(json.dumps(list(points_of(parsed))))
