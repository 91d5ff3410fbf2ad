// A program for a network of its own, whose resolv.conf names 127.0.0.1: asks for a name as the HTTP
// client does and, when nothing is under way any more, says in JSON what came and what was asked for.
import { lookup } from '../../../src/net/lookup.ts';
import { startNameServer } from './name-server.ts';

const { asked } = await startNameServer(53);
lookup('cloudwatch.test', { all: true }, (error, addresses) => {
  const atAnswer = [...asked];
  process.once('exit', () => {
    process.stdout.write(JSON.stringify({ error: error?.code, addresses, atAnswer, asked }));
  });
});
