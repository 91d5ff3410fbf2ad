// What no agent in Node can be cheaper than: the timer, the two reads, one kept connection, and
// nothing else. A CommonJS module as the agent's bundle is one where it is copied to: an ES module
// alone costs 0.9 MB of anonymous memory.
// Arguments: URL, sampling interval and publishing period in ms, a file with the request to send.
const { openSync, readFileSync, readSync } = require('node:fs');
const https = require('node:https');

const [url, intervalMs, periodMs, requestFile] = process.argv.slice(2);
const { headers, body } = JSON.parse(readFileSync(requestFile, 'utf8'));
const payload = Buffer.from(body, 'base64');
const options = { method: 'POST', headers, agent: new https.Agent({ keepAlive: true }) };
const stat = openSync('/proc/stat');
const meminfo = openSync('/proc/meminfo');
const buffer = Buffer.allocUnsafeSlow(256);
const startMs = performance.now();
let ticks = 0;

function tick() {
  readSync(stat, buffer, 0, 256, 0);
  readSync(meminfo, buffer, 0, 128, 0);
  if (ticks > 0 && (ticks * intervalMs) % periodMs === 0) {
    https.request(url, options, (answer) => answer.resume()).end(payload);
  }
  ticks += 1;
  setTimeout(tick, startMs + ticks * intervalMs - performance.now());
}

tick();
