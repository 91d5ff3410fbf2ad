import type { ClosedWindow, Datum } from '../metrics/aggregate.ts';
import type { Publication } from '../metrics/publication.ts';
import { divided, encodePages, resourcePairs } from './encode.ts';
import { otelName } from './names.ts';

/** What a dry run shows of a window: lines for people, or one of JSON with the requests as they would go. */
export function otlpPreview(
  output: string,
  publication: Publication,
  isFraction: boolean,
  format: 'text' | 'json',
): (window: ClosedWindow) => readonly string[] {
  const line = ({ name: metric, unit: ofMetric, values, counts }: Datum): string => {
    const { name, unit, divisor, isSum, attribute = [] } = otelName(metric, ofMetric, isFraction);
    const kind = counts !== undefined ? 'histogram' : isSum ? 'sum' : 'gauge';
    const figure =
      counts === undefined ? divided(values[0] ?? 0, divisor) : `${values.length} values`;
    return `  ${[name, ...attribute, figure, unit, kind].join(' ')}`;
  };
  return (window) => {
    const pages = encodePages({ ...window, publication }, { isFraction });
    const bytes = pages.reduce((sum, page) => sum + page.bytes, 0);
    const [start, end] = [window.startMs, window.endMs].map((ms) => new Date(ms).toISOString());
    if (format === 'json') {
      const requests: unknown[] = pages.map(({ body }) => JSON.parse(body(0)));
      return [
        JSON.stringify({ type: 'window', output, start, end, requestBytes: bytes, requests }),
      ];
    }
    const resource = resourcePairs(publication).map((pair) => pair.join('='));
    return [
      `window ${start} to ${end} by ${output}: ${pages.length} × POST, ${bytes} bytes`,
      `  resource ${resource.join(' ')}`,
      ...window.data.map(line),
    ];
  };
}
