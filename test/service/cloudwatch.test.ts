// The strict server against clients that are not ours; the tables of faults and of what each shows make it long.
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  CloudWatchClient,
  type CloudWatchClientConfig,
  GetMetricStatisticsCommand,
  ListMetricsCommand,
  type MetricDatum,
  PutMetricDataCommand,
} from '@aws-sdk/client-cloudwatch';
import { AwsQueryProtocol } from '@aws-sdk/core/protocols';
import { codeOf } from '../../src/errors.ts';
import { selfSigned } from '../support/aws/tls.ts';
import {
  formOf,
  post,
  type Reply,
  type Signing,
  send,
  signedHeaders,
} from '../support/service/client.ts';
import {
  type Cloudwatch,
  type CloudwatchOptions,
  CREDENTIALS,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';
import * as fault from '../support/service/faults.ts';
import { EDGES, form, LIMITS, NOW, ONE, STATISTICS, VALUES } from '../support/service/limits.ts';
import { EXPIRED, MISREQUESTS, TEMPORARY } from '../support/service/misrequests.ts';
import { basicIso } from '../support/service/signature.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function started(t: TestContext, options: CloudwatchOptions = {}): Promise<Cloudwatch> {
  const cloudwatch = await startCloudwatch(options);
  t.after(() => cloudwatch.close());
  return cloudwatch;
}

function sdk(
  t: TestContext,
  cloudwatch: Cloudwatch,
  over: CloudWatchClientConfig = {},
): CloudWatchClient {
  const client = new CloudWatchClient({
    protocol: AwsQueryProtocol,
    endpoint: cloudwatch.url,
    region: 'us-east-1',
    credentials: CREDENTIALS,
    maxAttempts: 1,
    ...over,
  });
  t.after(() => client.destroy());
  return client;
}

function textOf(body: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1];
}

test('the AWS SDK publishes, and what it sent is kept as it was', async (t) => {
  const cloudwatch = await started(t);
  const at = new Date(Date.now() - MINUTE);
  const data: MetricDatum[] = [
    {
      MetricName: "Odd name +~*'()!&=%",
      Dimensions: [{ Name: 'Host', Value: 'a b' }],
      Timestamp: at,
      Unit: 'Percent',
      StorageResolution: 1,
      Value: 1e21,
    },
    { MetricName: 'Spread', Values: [1, 10], Counts: [2, 4] },
    { MetricName: 'Set', StatisticValues: { SampleCount: 3, Sum: 6, Minimum: 1, Maximum: 3 } },
  ];
  const answer = await sdk(t, cloudwatch).send(
    new PutMetricDataCommand({ Namespace: 'Test Agent', MetricData: data }),
  );
  const [accepted] = cloudwatch.accepted;
  assert.equal(accepted?.requestId, answer.$metadata.requestId);
  assert.equal(accepted?.namespace, 'Test Agent');
  assert.equal(accepted?.gzip, false);
  assert.equal(accepted?.bytes, cloudwatch.requests[0]?.body.length);
  const timestamp = at.toISOString().replace('.000', '');
  assert.deepEqual(accepted?.data, [{ ...data[0], Timestamp: timestamp }, data[1], data[2]]);
  assert.equal(cloudwatch.requests[0]?.status, 200);
});

test('the AWS SDK publishes gzip, with a session token', async (t) => {
  const temporary = { ...CREDENTIALS, sessionToken: 'token/with+signs==' };
  const cloudwatch = await started(t, { credentials: [temporary] });
  const client = sdk(t, cloudwatch, {
    credentials: temporary,
    requestMinCompressionSizeBytes: 1,
  });
  const MetricData = Array.from({ length: 1000 }, (_, Value) => ({ MetricName: 'Many', Value }));
  await client.send(new PutMetricDataCommand({ Namespace: 'Zip', MetricData }));
  const [accepted] = cloudwatch.accepted;
  assert.deepEqual(accepted?.data, MetricData);
  assert.equal(accepted?.gzip, true);
  assert.ok(accepted.bytes < accepted.uncompressedBytes / 5);
});

test('the AWS SDK reads back statistics, percentiles and the list of metrics', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  // The SDK has no clock option but this one: the offset between its clock and the service's.
  const client = sdk(t, cloudwatch, { systemClockOffset: NOW - Date.now() });
  const Dimensions = [
    { Name: 'A', Value: '1' },
    { Name: 'B', Value: '2' },
  ];
  const put = (MetricName: string, at: number, datum: Partial<MetricDatum>): Promise<unknown> =>
    client.send(
      new PutMetricDataCommand({
        Namespace: 'Read',
        MetricData: [{ MetricName, Dimensions, Timestamp: new Date(at), ...datum }],
      }),
    );
  const minute = Math.floor(NOW / MINUTE) * MINUTE;
  await put('Spread', minute - 50_000, { Values: [1, 10], Counts: [2, 4], Unit: 'Count' });
  await put('Spread', minute - 5_000, { Value: 100, Unit: 'Count' });
  await put('Spread', minute, { Value: 7, Unit: 'Count' });
  await put('Set', minute, {
    StatisticValues: { SampleCount: 4, Sum: 10, Minimum: 1, Maximum: 5 },
  });

  const query = {
    Namespace: 'Read',
    MetricName: 'Spread',
    Dimensions: [...Dimensions].reverse(),
    StartTime: new Date(minute - 10 * MINUTE),
    EndTime: new Date(minute + MINUTE),
    Period: 60,
  };
  const read = await client.send(
    new GetMetricStatisticsCommand({
      ...query,
      Statistics: ['SampleCount', 'Sum', 'Minimum', 'Maximum', 'Average'],
    }),
  );
  assert.equal(read.Label, 'Spread');
  assert.deepEqual(read.Datapoints, [
    {
      Timestamp: new Date(minute - MINUTE),
      SampleCount: 7,
      Sum: 142,
      Minimum: 1,
      Maximum: 100,
      Average: 142 / 7,
      Unit: 'Count',
    },
    {
      Timestamp: new Date(minute),
      SampleCount: 1,
      Sum: 7,
      Minimum: 7,
      Maximum: 7,
      Average: 7,
      Unit: 'Count',
    },
  ]);
  const ranked = await client.send(
    new GetMetricStatisticsCommand({ ...query, ExtendedStatistics: ['p25', 'p50', 'p99.9'] }),
  );
  const percentiles = { p25: 1, p50: 10, 'p99.9': 100 };
  assert.deepEqual(ranked.Datapoints?.[0]?.ExtendedStatistics, percentiles);
  const set = await client.send(
    new GetMetricStatisticsCommand({
      ...query,
      MetricName: 'Set',
      Statistics: ['Average'],
      ExtendedStatistics: ['p50'],
    }),
  );
  assert.equal(set.Datapoints?.[0]?.Average, 2.5);
  assert.equal(set.Datapoints?.[0]?.ExtendedStatistics, undefined);

  const listed = await client.send(new ListMetricsCommand({ Namespace: 'Read' }));
  assert.deepEqual(listed.Metrics, [
    { Namespace: 'Read', MetricName: 'Spread', Dimensions },
    { Namespace: 'Read', MetricName: 'Set', Dimensions },
  ]);
  const none = await client.send(
    new ListMetricsCommand({ Dimensions: [{ Name: 'A', Value: '2' }] }),
  );
  assert.deepEqual(none.Metrics ?? [], []);
});

test('a wrong secret in the AWS SDK is refused, and nothing is accepted', async (t) => {
  const refused: string[] = [];
  const cloudwatch = await started(t, { onRefused: (refusal) => refused.push(refusal.code) });
  const client = sdk(t, cloudwatch, {
    credentials: { ...CREDENTIALS, secretAccessKey: 'not the secret' },
  });
  const put = new PutMetricDataCommand({
    Namespace: 'N',
    MetricData: [{ MetricName: 'M', Value: 1 }],
  });
  await assert.rejects(client.send(put), {
    name: 'SignatureDoesNotMatch',
    $fault: 'client',
    message: /does not match the signature you provided/,
  });
  assert.deepEqual(cloudwatch.accepted, []);
  assert.deepEqual(refused, ['SignatureDoesNotMatch']);
});

test('the answer to an accepted request is the document of the service', async (t) => {
  const taken: string[] = [];
  const cloudwatch = await started(t, {
    now: () => NOW,
    onAccepted: (accepted) => taken.push(accepted.requestId),
  });
  const reply = await post(cloudwatch.url, form(), { headers: { 'X-Amz-Date': basicIso(NOW) } });
  const requestId = textOf(reply.body, 'RequestId');
  assert.equal(reply.status, 200);
  assert.equal(reply.headers['content-type'], 'text/xml');
  assert.equal(reply.headers['x-amzn-requestid'], requestId);
  assert.equal(reply.headers.date, 'Thu, 13 Aug 2026 12:00:30 GMT');
  assert.match(
    reply.body,
    /^<PutMetricDataResponse xmlns="http:\/\/monitoring\.amazonaws\.com\/doc\/2010-08-01\/">\s*<ResponseMetadata>/,
  );
  assert.deepEqual(taken, [requestId]);
});

test('every limit of the service holds, in its own words', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  for (const { name, over, code, message } of LIMITS) {
    await t.test(name, async () => {
      const reply = await put(cloudwatch, form(over));
      assert.equal(reply.status, 400, reply.body);
      assert.equal(textOf(reply.body, 'Code'), code, reply.body);
      assert.equal(textOf(reply.body, 'Type'), 'Sender');
      const got = textOf(reply.body, 'Message') ?? '';
      if (typeof message === 'string') assert.equal(got, message);
      else assert.match(got, message);
    });
  }
  assert.deepEqual(cloudwatch.accepted, []);
});

test('what is just within the limits is accepted', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  for (const [name, over] of EDGES) {
    const reply = await put(cloudwatch, form(over));
    assert.equal(reply.status, 200, `${name}: ${reply.body}`);
  }
  assert.equal(cloudwatch.accepted.length, EDGES.length);
});

test('one answer names every offence, and one bad datum keeps out the good ones', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  const reply = await put(
    cloudwatch,
    form({
      'MetricData.member.2.MetricName': 'M',
      'MetricData.member.2.Value': 'NaN',
      'MetricData.member.2.Unit': 'Parsec',
      'MetricData.member.3.MetricName': 'M',
      'MetricData.member.3.Value': '1',
      'MetricData.member.3.Timestamp': '2020-01-01T00:00:00Z',
    }),
  );
  const lines = (textOf(reply.body, 'Message') ?? '').split('\n');
  const indices = lines.map((line) => /MetricData\.member\.(\d+)\./.exec(line)?.[1]);
  assert.deepEqual(indices, ['2', '2', '3']);
  assert.deepEqual(cloudwatch.accepted, []);
});

test('values beside statistics are accepted where the server is told to bear them', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW, valuesWithStatistics: true });
  const reply = await put(cloudwatch, form({ ...STATISTICS, ...VALUES }));
  assert.equal(reply.status, 200, reply.body);
});

test('a body that is no clean form is refused', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  const bodies: [string, string | Buffer, RegExp][] = [
    ['a key twice', `${form()}&Namespace=N`, /Namespace comes twice/],
    ['a broken escape', `${form()}&${ONE}.Unit=%`, /not percent-encoded UTF-8/],
    ['half a character', `${form()}&${ONE}.Unit=%C3`, /not percent-encoded UTF-8/],
    ['an unescaped slash', form().replace('%2F', '/'), /not percent-encoded/],
    ['a key without a value', `${form()}&Unit`, /not a pair/],
    ['a pair too few', `${form()}&`, /not a pair/],
    ['a value with members', `${form()}&${ONE}.Value.member.1=1`, /a simple value already/],
  ];
  for (const [name, body, message] of bodies) {
    const reply = await put(cloudwatch, body);
    assert.equal(reply.status, 400, name);
    assert.equal(textOf(reply.body, 'Code'), 'MalformedInput');
    assert.match(textOf(reply.body, 'Message') ?? '', message);
  }
  const gzip = { 'Content-Encoding': 'gzip' };
  const wrong = await put(cloudwatch, form(), { headers: gzip });
  assert.equal(wrong.status, 400);
  assert.match(wrong.body, /The body is not gzip/);
  const right = await put(cloudwatch, gzipSync(form()), { headers: gzip });
  assert.equal(right.status, 200, right.body);
});

test('a body is measured as it is without compression: 1,048,576 bytes are the most', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  const fill = (bytes: number): string => {
    const start = `${form()}&${ONE}.Timestamp=2026-08-13T12%3A00%3A00.`;
    return `${start}${'0'.repeat(bytes - start.length - 1)}Z`;
  };
  const headers = { 'Content-Encoding': 'gzip' };
  const over = await put(cloudwatch, gzipSync(fill(1_048_577)), { headers });
  assert.equal(over.status, 413);
  assert.equal(textOf(over.body, 'Code'), 'RequestEntityTooLarge');
  assert.equal(textOf(over.body, 'Message'), 'Request size 1048577 exceeded 1048576 bytes');
  const within = await put(cloudwatch, fill(1_048_576));
  assert.equal(within.status, 200, within.body.slice(0, 500));
});

test('a request that is not signed, dated and addressed as AWS wants is refused', async (t) => {
  const cloudwatch = await started(t, {
    now: () => NOW,
    credentials: [CREDENTIALS, TEMPORARY, EXPIRED],
  });
  for (const { name, status, code, message, signing = {}, alter, method, path } of MISREQUESTS) {
    await t.test(name, async () => {
      const dated = { ...signing, headers: { 'X-Amz-Date': basicIso(NOW), ...signing.headers } };
      const headers = signedHeaders(cloudwatch.url, form(), dated);
      const reply = await send(cloudwatch.url, form(), alter?.(headers) ?? headers, {
        ...(method === undefined ? {} : { method }),
        ...(path === undefined ? {} : { path }),
      });
      assert.equal(reply.status, status, reply.body);
      assert.equal(textOf(reply.body, 'Code'), code);
      assert.match(textOf(reply.body, 'Message') ?? '', message);
    });
  }
  assert.deepEqual(cloudwatch.accepted, []);
});

test('a body changed on its way no longer fits the signature', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  const headers = signedHeaders(cloudwatch.url, form(), {
    headers: { 'X-Amz-Date': basicIso(NOW) },
  });
  const reply = await send(cloudwatch.url, form({ [`${ONE}.Value`]: '12.6' }), headers);
  assert.equal(reply.status, 403);
  assert.equal(textOf(reply.body, 'Code'), 'SignatureDoesNotMatch');
});

test('credentials may expire and be replaced while the server runs', async (t) => {
  const identity = { ...TEMPORARY, expired: false };
  const cloudwatch = await started(t, { now: () => NOW, credentials: [identity] });
  const status = async (): Promise<number> =>
    (await put(cloudwatch, form(), { credentials: TEMPORARY })).status;
  assert.equal(await status(), 200);
  identity.expired = true;
  assert.equal(await status(), 403);
  cloudwatch.credentials.splice(0, 1, TEMPORARY);
  assert.equal(await status(), 200);
});

interface FaultCase {
  name: string;
  fault: fault.Fault;
  /** What a plain client sees: an answer that this fits, or the code of an error. */
  sees: ((reply: Reply) => void) | string;
  /** Whether the data are counted all the same. */
  accepts?: true;
}

function answers(status: number, body: RegExp): (reply: Reply) => void {
  return (reply) => {
    assert.equal(reply.status, status);
    assert.match(reply.body, body);
  };
}

const FAULTS: FaultCase[] = [
  {
    name: 'throttling',
    fault: fault.throttling(),
    sees: answers(
      400,
      /<Type>Sender<\/Type>\s*<Code>Throttling<\/Code>\s*<Message>Rate exceeded<\/Message>\s*<\/Error>\s*<RequestId>/,
    ),
  },
  {
    name: 'an internal error',
    fault: fault.internalServiceError(),
    sees: answers(500, /<Type>Receiver<\/Type>\s*<Code>InternalServiceError</),
  },
  {
    name: 'no service',
    fault: fault.serviceUnavailable(),
    sees: answers(503, /<Code>ServiceUnavailable</),
  },
  { name: 'a timeout', fault: fault.requestTimeout(), sees: answers(408, /^$/) },
  {
    name: 'too large',
    fault: fault.entityTooLarge(),
    sees: answers(413, /<Code>RequestEntityTooLarge</),
  },
  {
    name: 'any refusal',
    fault: fault.refusal(403, 'AccessDenied', 'User is not authorized & <more>'),
    sees: answers(403, /not authorized &amp; &lt;more&gt;</),
  },
  {
    name: 'an HTML page with 200',
    fault: fault.htmlPage(200),
    sees: (reply) => {
      answers(200, /^<!DOCTYPE html>/)(reply);
      assert.equal(reply.headers['content-type'], 'text/html');
    },
  },
  {
    name: 'an HTML page with 503',
    fault: fault.htmlPage(503),
    sees: answers(503, /^<!DOCTYPE html>/),
  },
  {
    name: 'a document that ends in the middle',
    fault: fault.truncatedXml(),
    sees: answers(200, /^<PutMetricDataResponse [^>]*>\s*<[A-Za-z]+$/),
  },
  {
    name: 'a document of another service',
    fault: fault.wrongRoot(),
    sees: answers(200, /^<ListAllMyBucketsResult>/),
  },
  {
    name: 'a redirect',
    fault: fault.redirect('http://127.0.0.1:9/'),
    sees: (reply) => {
      answers(302, /^$/)(reply);
      assert.equal(reply.headers.location, 'http://127.0.0.1:9/');
    },
  },
  { name: 'a reset at once', fault: fault.resetBeforeReading(), sees: 'ECONNRESET' },
  { name: 'a reset in the body', fault: fault.resetMidBody(), sees: 'ECONNRESET' },
  { name: 'a cut', fault: fault.cutBeforeAnswer(), sees: 'ECONNRESET', accepts: true },
  { name: 'a cut in the answer', fault: fault.cutMidAnswer(), sees: 'ECONNRESET', accepts: true },
  {
    name: 'an answer in drops',
    fault: fault.drip(1),
    sees: (reply) => {
      answers(200, /^<PutMetricDataResponse [\s\S]*<\/PutMetricDataResponse>\s*$/)(reply);
      assert.ok(reply.pieces > 1);
    },
    accepts: true,
  },
  {
    name: 'a Date an hour ahead',
    fault: fault.skewDate(HOUR),
    sees: (reply) => {
      answers(200, /^<PutMetricDataResponse /)(reply);
      assert.equal(reply.headers.date, new Date(NOW + HOUR).toUTCString());
    },
    accepts: true,
  },
];

test('every fault shows itself to a plain client, once', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  for (const { name, fault: played, sees, accepts } of FAULTS) {
    await t.test(name, async () => {
      cloudwatch.play(played);
      const before = cloudwatch.accepted.length;
      if (typeof sees === 'string') {
        await assert.rejects(put(cloudwatch, form()), (thrown) => codeOf(thrown) === sees);
      } else sees(await put(cloudwatch, form()));
      assert.equal(cloudwatch.accepted.length - before, accepts ? 1 : 0);
      assert.equal(cloudwatch.requests[cloudwatch.requests.length - 1]?.fault, played.kind);
      assert.equal((await put(cloudwatch, form())).status, 200);
    });
  }
});

test('faults come in their order, and a reading request takes none', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  cloudwatch.play(fault.throttling(), fault.serviceUnavailable());
  const reading = formOf({ Action: 'ListMetrics', Version: '2010-08-01' });
  assert.equal((await put(cloudwatch, reading)).status, 200);
  assert.equal((await put(cloudwatch, form())).status, 400);
  assert.equal((await put(cloudwatch, form())).status, 503);
  assert.equal((await put(cloudwatch, form())).status, 200);
});

test('a function of the request chooses the faults from its turn on', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  cloudwatch.play(({ index }) => (index % 2 === 0 ? fault.serviceUnavailable() : undefined));
  const statuses = [];
  for (let at = 0; at < 4; at += 1) statuses.push((await put(cloudwatch, form())).status);
  assert.deepEqual(statuses, [503, 200, 503, 200]);
  cloudwatch.calm();
  assert.equal((await put(cloudwatch, form())).status, 200);
});

test('a fault in place of an answer does not hide what is wrong with the request', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  cloudwatch.play(fault.throttling());
  await put(cloudwatch, form({ Namespace: 'AWS/EC2' }));
  assert.equal(cloudwatch.requests[0]?.refusal?.code, 'InvalidParameterValue');
});

test('close ends stalled and kept connections at once', { timeout: 5000 }, async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const headers = signedHeaders(cloudwatch.url, form(), {
    headers: { 'X-Amz-Date': basicIso(NOW), Connection: 'keep-alive' },
  });
  assert.equal((await send(cloudwatch.url, form(), headers, { agent })).status, 200);
  cloudwatch.play(fault.stall());
  const stalled = assert.rejects(
    put(cloudwatch, form()),
    (thrown) => codeOf(thrown) === 'ECONNRESET',
  );
  await cloudwatch.waitFor(({ requests }) => requests.length === 2);
  assert.equal(cloudwatch.requests[1]?.status, undefined);
  assert.equal(cloudwatch.accepted.length, 1);
  await cloudwatch.close();
  await stalled;
});

test('the server refuses connections, and comes back on the same port', async (t) => {
  const cloudwatch = await started(t, { now: () => NOW });
  const { url } = cloudwatch;
  await cloudwatch.refuse();
  await assert.rejects(put(cloudwatch, form()), (thrown) => codeOf(thrown) === 'ECONNREFUSED');
  await cloudwatch.listenAgain();
  assert.equal(cloudwatch.url, url);
  assert.equal((await put(cloudwatch, form())).status, 200);
});

test('a wait that is not fulfilled fails at its deadline and tells the state', async (t) => {
  const cloudwatch = await started(t);
  await assert.rejects(
    cloudwatch.waitFor(({ accepted }) => accepted.length > 0, 1),
    /within 1 ms.*accepted\.length ?> ?0.*0 accepted/,
  );
});

test('over TLS only a client that trusts the certificate gets through', async (t) => {
  const cloudwatch = await started(t, { tls: true, now: () => NOW });
  const headers = signedHeaders(cloudwatch.url, form(), {
    headers: { 'X-Amz-Date': basicIso(NOW) },
  });
  const { url, ca } = cloudwatch;
  assert.equal((await send(url, form(), headers, { ca })).status, 200);
  // A root of the client's own rules out whatever the environment has added to the trusted ones.
  const another = await selfSigned();
  await assert.rejects(send(url, form(), headers, { ca: another.cert }));
  cloudwatch.play(fault.resetMidBody());
  await assert.rejects(
    send(url, form(), headers, { ca }),
    (thrown) => codeOf(thrown) === 'ECONNRESET',
  );
});

/** Signs at NOW, and sends. */
function put(cloudwatch: Cloudwatch, body: string | Buffer, signing: Signing = {}): Promise<Reply> {
  const headers = { 'X-Amz-Date': basicIso(NOW), ...signing.headers };
  return post(cloudwatch.url, body, { ...signing, headers });
}
