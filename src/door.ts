/**
 * The first look at the arguments. A check of health runs again and again beside the agent and within its
 * limits, so it loads nothing but itself; all that is not its plain form is the program's to judge.
 */
import { argv, env } from 'node:process';

const [, , flag, path = '', name, seconds = ''] = argv;
const isPlain =
  argv.length === 4
    ? env['METRICS_AGENT_MAX_AGE'] === undefined
    : argv.length === 6 && name === '--max-age' && /^[1-9]\d{0,4}$/.test(seconds);

if (flag === '--healthy' && isPlain) {
  import('./health/healthy.ts').then(({ tellHealth }) => tellHealth(path, Number(seconds)));
} else import('./main.ts').then(({ start }) => start());
