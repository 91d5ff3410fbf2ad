import { at, isObject } from './examples.ts';

/** A template with its parameters' defaults in place. */
export interface Template {
  /** The properties of the resources of one type. */
  resources(type: string): readonly unknown[];
}

/** Where a metric is found in CloudWatch: namespace, name and dimensions as one text. */
function keyOf(namespace: unknown, name: unknown, dimensions: readonly unknown[]): string {
  return [namespace, name, ...dimensions].join(' ');
}

/** @throws Error where something other than a parameter, a pseudo parameter or a resource is meant */
export function fillIn(document: unknown): Template {
  const resources = at(document, 'Resources');
  if (!isObject(resources)) throw new Error('no Resources');
  const named = (name: string): string => {
    const value = at(document, 'Parameters', name, 'Default');
    if (typeof value === 'string') return value;
    if (name.startsWith('AWS::') || (name.split('.')[0] ?? '') in resources) return name;
    throw new Error(`${name} is neither a parameter nor a resource`);
  };
  const filled = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(filled);
    if (!isObject(value)) return value;
    const { Ref: ref, 'Fn::Sub': text } = value;
    if (typeof ref === 'string') return named(ref);
    if (typeof text === 'string') {
      return text.replaceAll(/\$\{([\w:.]+)\}/g, (_, name: string) => named(name));
    }
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]));
  };
  return {
    resources: (type) =>
      Object.values(resources)
        .filter((one) => at(one, 'Type') === type)
        .map((one) => filled(at(one, 'Properties'))),
  };
}

/** What an alarm looks at, or a datum is. */
export function metricOf(alarm: unknown): string {
  const dimensions = at(alarm, 'Dimensions');
  const pairs = Array.isArray(dimensions)
    ? dimensions.flatMap((one) => [at(one, 'Name'), at(one, 'Value')])
    : [];
  return keyOf(at(alarm, 'Namespace'), at(alarm, 'MetricName'), pairs);
}

/** The metrics of each widget of a dashboard's body. */
export function widgetsOf(body: unknown): readonly (readonly string[])[] {
  const widgets = at(JSON.parse(String(body)), 'widgets');
  if (!Array.isArray(widgets)) throw new Error('no widgets');
  return widgets
    .filter((widget) => at(widget, 'type') === 'metric')
    .map((widget) => {
      const metrics = at(widget, 'properties', 'metrics');
      if (!Array.isArray(metrics)) throw new Error('a widget without metrics');
      return metrics.map((row: readonly unknown[]) => {
        const [namespace, name, ...rest] = row.filter((one) => typeof one === 'string');
        return keyOf(namespace, name, rest);
      });
    });
}

/** The metrics that a dry run in JSON shows. */
export function shownIn(stdout: string): string[] {
  const windows: unknown[] = stdout
    .split('\n')
    .filter((line) => line.startsWith('{"type":"window"'))
    .map((line) => JSON.parse(line));
  return windows.flatMap((window) => {
    const data = at(window, 'request', 'MetricData');
    const own = { Namespace: at(window, 'request', 'Namespace') };
    return Array.isArray(data) ? data.map((datum) => metricOf({ ...datum, ...own })) : [];
  });
}
