/**
 * `npm run fleet -- --agents 20000`: what a fleet of agents does to one account's quota, by the delivery code
 * itself in virtual time: from the scale-out on, through an outage, and after it.
 */
import { parseArgs } from 'node:util';
import { seededRandom } from '../test/support/histories/chance.ts';
import { type FleetReport, type Stretch, simulateFleet } from '../test/support/service/fleet.ts';

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '20000' },
    period: { type: 'string', default: '60' },
    jitter: { type: 'string' },
    quota: { type: 'string', default: '500' },
    periods: { type: 'string', default: '12' },
    outage: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
  },
});

const numbers = Object.entries(values).map(([name, text]): [string, number] => [
  name,
  Number(text),
]);
const wrong = numbers.find(([, value]) => !(value >= 0));
if (wrong !== undefined) {
  process.stderr.write(`--${wrong[0]}: expected a number\n`);
  process.exit(2);
}
const given: Record<string, number> = Object.fromEntries(numbers);
const { agents = 0, period = 0, quota = 0, periods = 0, outage = 0, seed = 0 } = given;
const jitter = given['jitter'] ?? Math.min(period / 4, 15);
const begun = performance.now();
const report = simulateFleet({
  agents,
  periodMs: period * 1000,
  jitterMs: jitter * 1000,
  quota,
  periods,
  outageMs: outage * 1000,
  random: seededRandom(seed),
});
print(report);

function print(fleet: FleetReport): void {
  const { first, settled, outage: down, after, last } = fleet;
  const lines = [
    `${agents} agents, a period of ${period} s, an offset of up to ${jitter} s, ${quota} requests/s allowed, an outage of ${outage} s`,
    line('before the outage', first),
    line('  its last period', settled),
    line('in the outage', down),
    line('after it', after),
    line('  the last period', last),
    `drained ${Math.round(fleet.drainMs / 1000)} s after the outage`,
    `windows: ${fleet.windowsClosed} closed, ${fleet.windowsSent} sent, ${fleet.windowsLost} lost`,
    `(${((performance.now() - begun) / 1000).toFixed(1)} s)`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function line(what: string, { fromMs, toMs, requests, throttled, peak }: Stretch): string {
  const mean = requests / ((toMs - fromMs) / 1000);
  const share = requests === 0 ? 0 : (100 * throttled) / requests;
  return `${what.padEnd(18)} mean ${mean.toFixed(0)}/s, peak ${peak}/s, ${share.toFixed(2)} % throttled`;
}
