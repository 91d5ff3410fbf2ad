import { type Figures, PLACES } from './figures.ts';
import { asked, type Metric } from './metric.ts';

const { networkReceive: RECEIVE, networkTransmit: TRANSMIT } = PLACES;
const { blockRead: READ, blockWrite: WRITE } = PLACES;

/** Bytes that went in and out, as sums a window. */
export const TRAFFIC_METRICS: readonly Metric[] = [
  asked('NetworkReceiveBytes', 'Bytes', 'networkReceive', 'sum'),
  asked('NetworkTransmitBytes', 'Bytes', 'networkTransmit', 'sum'),
  asked('BlockReadBytes', 'Bytes', 'blockRead', 'sum'),
  asked('BlockWriteBytes', 'Bytes', 'blockWrite', 'sum'),
];

/** Bytes since the last reading. A counter that ran backwards (an interface that went) tells nothing. */
export function putNetwork(figures: Figures, received: number, transmitted: number): void {
  if (!(received >= 0 && transmitted >= 0)) return;
  figures[RECEIVE] = received;
  figures[TRANSMIT] = transmitted;
}

/** Bytes since the last reading. */
export function putBlock(figures: Figures, read: number, written: number): void {
  if (!(read >= 0 && written >= 0)) return;
  figures[READ] = read;
  figures[WRITE] = written;
}
