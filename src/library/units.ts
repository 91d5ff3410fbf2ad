import type { Unit } from '../metrics/metric.ts';
import type { Unit as PublicUnit } from './api.ts';

/** In both spellings of the type: neither can have a unit that the other lacks. */
const UNITS: Readonly<Record<Unit, true>> & Readonly<Record<PublicUnit, true>> = {
  Seconds: true,
  Microseconds: true,
  Milliseconds: true,
  Bytes: true,
  Kilobytes: true,
  Megabytes: true,
  Gigabytes: true,
  Terabytes: true,
  Bits: true,
  Kilobits: true,
  Megabits: true,
  Gigabits: true,
  Terabits: true,
  Percent: true,
  Count: true,
  'Bytes/Second': true,
  'Kilobytes/Second': true,
  'Megabytes/Second': true,
  'Gigabytes/Second': true,
  'Terabytes/Second': true,
  'Bits/Second': true,
  'Kilobits/Second': true,
  'Megabits/Second': true,
  'Gigabits/Second': true,
  'Terabits/Second': true,
  'Count/Second': true,
  None: true,
};

export function isUnit(text: string): text is Unit {
  return Object.hasOwn(UNITS, text);
}
