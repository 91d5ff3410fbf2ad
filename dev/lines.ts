import type { Accepted, Datum } from '../test/support/service/put-metric-data.ts';
import type { Refusal } from '../test/support/service/refusal.ts';

/** What was accepted, a line a datum. */
export function acceptedLines({ at, namespace, data }: Accepted): string {
  return data
    .map((datum) => {
      const { Timestamp, MetricName, Dimensions = [], Unit = 'None' } = datum;
      const dimensions = Dimensions.map(({ Name, Value }) => `${Name}=${Value}`).join(',') || '-';
      const time = Timestamp ?? new Date(at).toISOString();
      return `${time} ${namespace} ${MetricName} ${dimensions} ${figures(datum)} ${Unit}\n`;
    })
    .join('');
}

function figures({ Value, Values, Counts, StatisticValues: set }: Datum): string {
  if (Value !== undefined) return String(Value);
  if (Values !== undefined) {
    return Values.map((value, at) => `${value}x${Counts?.[at] ?? 1}`).join(',');
  }
  return set === undefined
    ? '-'
    : `n=${set.SampleCount} sum=${set.Sum} min=${set.Minimum} max=${set.Maximum}`;
}

/** Why a request was refused, in one line. */
export function refusedLine({ status, code, message }: Refusal): string {
  return `refused: ${status} ${code}: ${message.replaceAll('\n', ' | ')}\n`;
}
