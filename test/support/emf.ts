import assert from 'node:assert/strict';
import { Ajv } from 'ajv';
import { UNITS } from './service/put-metric-data.ts';

/**
 * The limits of the schema that AWS publishes with the specification, in its 2026 edition, and what its text
 * says beyond that: at most 100 definitions a directive, none of them empty here.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
const text = (maxLength: number): object => ({ type: 'string', minLength: 1, maxLength });
const SCHEMA = {
  type: 'object',
  required: ['_aws'],
  properties: {
    _aws: {
      type: 'object',
      required: ['Timestamp', 'CloudWatchMetrics'],
      additionalProperties: false,
      properties: {
        Timestamp: { type: 'integer' },
        // For agents: the clients of AWS send it.
        LogGroupName: { ...text(512), pattern: '^[.\\-_/#A-Za-z0-9]+$' },
        CloudWatchMetrics: {
          type: 'array',
          minItems: 1,
          items: {
            type: 'object',
            required: ['Namespace', 'Dimensions', 'Metrics'],
            additionalProperties: false,
            properties: {
              Namespace: text(1024),
              Dimensions: {
                type: 'array',
                minItems: 1,
                items: { type: 'array', minItems: 0, maxItems: 30, items: text(250) },
              },
              Metrics: {
                type: 'array',
                minItems: 1,
                maxItems: 100,
                items: {
                  type: 'object',
                  required: ['Name'],
                  additionalProperties: false,
                  properties: {
                    Name: text(1024),
                    Unit: { enum: UNITS },
                    StorageResolution: { type: 'integer', enum: [1, 60] },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};
const validate = new Ajv({ allErrors: true }).compile(SCHEMA);

/** A metric of one event, or of several that say the same of it. */
export interface Read {
  readonly namespace: string;
  readonly timestamp: number;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly name: string;
  readonly unit: string;
  readonly resolution: number;
  readonly values: number[];
}

interface Event {
  readonly _aws: {
    readonly Timestamp: number;
    readonly LogGroupName?: string;
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { Name: string; Unit?: string; StorageResolution?: number }[];
    }[];
  };
  readonly [target: string]: unknown;
}

/** Reads events as the specification says, and adds up what several say. @throws AssertionError */
export function readEvents(lines: readonly string[]): Read[] {
  const found = new Map<string, Read>();
  for (const line of lines) {
    assert.doesNotMatch(line, /\n/);
    const event: Event = JSON.parse(line);
    assert.ok(validate(event), `${JSON.stringify(validate.errors)} in ${line}`);
    for (const { Namespace, Dimensions, Metrics } of event._aws.CloudWatchMetrics) {
      for (const set of Dimensions) {
        const dimensions = Object.fromEntries(set.map((name) => [name, textOf(event[name])]));
        for (const { Name, Unit = 'None', StorageResolution = 60 } of Metrics) {
          assert.ok(!set.includes(Name) && Name !== '_aws', `${Name} twice on the root`);
          const head = {
            namespace: Namespace,
            timestamp: event._aws.Timestamp,
            dimensions,
            name: Name,
            unit: Unit,
            resolution: StorageResolution,
          };
          const key = JSON.stringify(head);
          const metric = found.get(key) ?? { ...head, values: [] };
          found.set(key, metric);
          metric.values.push(...numbersOf(event[Name]));
        }
      }
    }
  }
  return [...found.values()];
}

function textOf(target: unknown): string {
  assert.ok(typeof target === 'string' && target !== '' && target.length <= 1024, String(target));
  return target;
}

function numbersOf(target: unknown): number[] {
  const all: unknown[] = Array.isArray(target) ? target : [target];
  assert.ok(all.length > 0 && all.length <= 100, `${all.length} values`);
  return all.map((value) => {
    assert.ok(typeof value === 'number' && Number.isFinite(value), String(value));
    return value;
  });
}
