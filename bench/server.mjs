// A TLS server that takes every publication, in a process of its own so that its work is nobody
// else's CPU. Tells its parent the certificate, and answers { open: id } with { id, port }: each
// program that is measured has its own port, and each publication is told as { id, headers, body }.
import { once } from 'node:events';
import { createServer } from 'node:https';
import { generate } from 'selfsigned';

const ANSWER =
  '<PutMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">\n' +
  '<ResponseMetadata><RequestId>6d0c9bd5-0f6a-4fae-b3a7-3b4f0d6a2a11</RequestId></ResponseMetadata>\n' +
  '</PutMetricDataResponse>\n';
/** Longer than any pause here: the client decides how long a connection lives. */
const KEEP_ALIVE_MS = 300_000;

const authority = await generate([{ name: 'commonName', value: 'bench authority' }], {
  keyType: 'ec',
  algorithm: 'sha256',
  extensions: [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, critical: true },
  ],
});
// Apart from its authority: rustls takes no server's certificate that could sign others.
const { cert, private: key } = await generate([{ name: 'commonName', value: 'bench server' }], {
  keyType: 'ec',
  algorithm: 'sha256',
  ca: { key: authority.private, cert: authority.cert },
  extensions: [
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
  ],
});

async function open(id) {
  const server = createServer({ cert, key, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) =>
    take(id, request, response),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send({ id, port: server.address().port });
}

async function take(id, request, response) {
  const body = Buffer.concat(await request.toArray()).toString('base64');
  response.writeHead(200, { 'content-type': 'text/xml', 'content-length': ANSWER.length });
  response.end(ANSWER);
  process.send({ id, headers: request.headers, body });
}

process.on('message', (message) => open(message.open));
// Its parent is gone, however it went.
process.on('disconnect', () => process.exit());
process.send({ cert: authority.cert });
