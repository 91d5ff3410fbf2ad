import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import {
  CloudWatchClient,
  PutMetricDataCommand,
  type MetricDatum as SdkDatum,
  type StandardUnit,
} from '@aws-sdk/client-cloudwatch';
import { AwsQueryProtocol } from '@aws-sdk/core/protocols';
import fc from 'fast-check';
import { type MetricDatum, metricData } from '../../src/cloudwatch/datum.ts';
import { encodePage, encodePages, type Form } from '../../src/cloudwatch/form.ts';
import { MAX_BODY_BYTES, MAX_DATUMS, MAX_DIMENSIONS } from '../../src/cloudwatch/limits.ts';
import type { WaitingDatum } from '../../src/delivery/packing.ts';
import type { Page, Publishable } from '../../src/delivery/service.ts';
import type { Publication } from '../../src/metrics/publication.ts';

const DATUM: WaitingDatum = { name: 'CPUUtilization', unit: 'Percent', values: [1] };
const START = Date.UTC(2026, 10, 23, 8, 15);
const N: Publication = { namespace: 'N', dimensions: [], highResolution: false };

function windowOf(
  data: readonly WaitingDatum[],
  publication: Partial<Publication> = {},
): Publishable {
  return { startMs: START, endMs: START + 60_000, data, publication: { ...N, ...publication } };
}

/** By the clock of this machine. */
function textOf({ body, bytes }: Page<Form>): string {
  const text = body(0);
  assert.equal(bytes, text.length);
  return text;
}

/** The only body, of one datum. */
function bodyOf(datum: Partial<WaitingDatum>, publication: Partial<Publication> = {}): string {
  const [page, ...more] = encodePages(windowOf([{ ...DATUM, ...datum }], publication));
  assert.ok(page !== undefined && more.length === 0);
  return textOf(page);
}

/** Keys and values, decoded, as any form reader takes them; the empty lists that the SDK writes are left out. */
function pairsOf(body: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(body)) {
    assert.ok(!pairs.has(key), `${key} comes twice`);
    if (!/\.(?:Dimensions|Values|Counts)$/.test(key) || value !== '') pairs.set(key, value);
  }
  return pairs;
}

describe('a body', () => {
  test('is written as the Query protocol wants it', () => {
    const dimensions = [
      { Name: 'ServiceName', Value: 'Foo' },
      { Name: 'Stage', Value: 'a b' },
    ];
    const publication = { namespace: 'Team/App', dimensions, highResolution: true };
    const body = bodyOf({ values: [12.5] }, publication);
    const member = '&MetricData.member.1.';
    assert.equal(
      body,
      'Action=PutMetricData&Version=2010-08-01&Namespace=Team%2FApp' +
        `${member}MetricName=CPUUtilization` +
        `${member}Dimensions.member.1.Name=ServiceName${member}Dimensions.member.1.Value=Foo` +
        `${member}Dimensions.member.2.Name=Stage${member}Dimensions.member.2.Value=a%20b` +
        `${member}Timestamp=2026-11-23T08%3A15%3A00Z` +
        `${member}Value=12.5${member}Unit=Percent${member}StorageResolution=1`,
    );
  });

  test('carries values with their counts, numbered from 1', () => {
    const pairs = pairsOf(bodyOf({ values: [1, 2.5], counts: [3, 1] }));
    const list = (name: string): (string | undefined)[] =>
      ['0', '1', '2', '3'].map((k) => pairs.get(`MetricData.member.1.${name}.member.${k}`));
    assert.deepEqual(list('Values'), [undefined, '1', '2.5', undefined]);
    assert.deepEqual(list('Counts'), [undefined, '3', '1', undefined]);
    assert.equal(pairs.has('MetricData.member.1.Value'), false);
  });

  test('has no key for an empty list', () => {
    const keys = [...new URLSearchParams(bodyOf({ values: [], counts: [] })).keys()];
    assert.deepEqual(keys, [
      'Action',
      'Version',
      'Namespace',
      'MetricData.member.1.MetricName',
      'MetricData.member.1.Timestamp',
      'MetricData.member.1.Unit',
    ]);
    assert.equal(bodyOf({ values: [] }), bodyOf({ values: [], counts: [] }));
  });

  test('tells the time by the services’ clock, and is as long by any', () => {
    const [page] = encodePages(windowOf([DATUM, DATUM]));
    assert.ok(page);
    for (const [offsetMs, time] of [
      [0, '2026-11-23T08:15:00Z'],
      [-3_600_000, '2026-11-23T07:15:00Z'],
      [999, '2026-11-23T08:15:00Z'],
      [400 * 86_400_000, '2027-12-28T08:15:00Z'],
    ] as const) {
      const body = page.body(offsetMs);
      assert.equal(body.split(`.Timestamp=${encodeURIComponent(time)}&`).length, 3, body);
      assert.equal(body.length, page.bytes);
    }
  });

  test('holds windows of several processes, each with its own time and dimensions', () => {
    const dimensions = [{ Name: 'ServiceName', Value: 'other' }];
    const page = encodePage([
      windowOf([DATUM], { highResolution: true }),
      { ...windowOf([DATUM], { dimensions }), startMs: START - 60_000 },
    ]);
    const pairs = pairsOf(textOf(page));
    assert.equal(page.datums, 2);
    assert.equal(pairs.get('MetricData.member.1.Timestamp'), '2026-11-23T08:15:00Z');
    assert.equal(pairs.get('MetricData.member.1.StorageResolution'), '1');
    assert.equal(pairs.get('MetricData.member.2.Timestamp'), '2026-11-23T08:14:00Z');
    assert.equal(pairs.get('MetricData.member.2.Dimensions.member.1.Value'), 'other');
    assert.equal(pairs.has('MetricData.member.2.StorageResolution'), false);
  });

  const escapes: [text: string, encoded: string][] = [
    ["lat +~*'()!", 'lat%20%2B~%2A%27%28%29%21'],
    ['a&b=c', 'a%26b%3Dc'],
    ['100%', '100%25'],
    ['a.b-c_d~e', 'a.b-c_d~e'],
    ['/:#?;@,$', '%2F%3A%23%3F%3B%40%2C%24'],
    ['"<>\\^`{|}[]', '%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D'],
    ['caf\u00e9', 'caf%C3%A9'],
    ['\u{1f600}', '%F0%9F%98%80'],
  ];
  for (const [text, encoded] of escapes) {
    test(`writes ${text} as ${encoded}, wherever it stands`, () => {
      const dimensions = [{ Name: text, Value: text }];
      const body = bodyOf({ name: text, unit: text }, { namespace: text, dimensions });
      for (const key of ['Namespace', 'MetricName', 'Unit', 'member.1.Name', 'member.1.Value']) {
        assert.ok(`${body}&`.includes(`${key}=${encoded}&`), `${key} in ${body}`);
      }
    });
  }

  const numbers: [value: number, encoded: string][] = [
    [0, '0'],
    [-0, '0'],
    [100, '100'],
    [33.3333, '33.3333'],
    [0.000001, '0.000001'],
    [1e-7, '1e-7'],
    [1e21, '1e%2B21'],
    [-1.5, '-1.5'],
    [5e-324, '5e-324'],
  ];
  for (const [value, encoded] of numbers) {
    test(`writes the number ${Object.is(value, -0) ? '-0' : value} as ${encoded}`, () => {
      assert.ok(bodyOf({ values: [value] }).includes(`.Value=${encoded}&`));
      const body = bodyOf({ values: [value], counts: [1] });
      assert.ok(body.includes(`.Values.member.1=${encoded}&`));
    });
  }
});

const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 });
const dimensions = fc.uniqueArray(fc.record({ Name: printable, Value: printable }), {
  maxLength: MAX_DIMENSIONS,
  selector: ({ Name }) => Name,
});
const number = fc.oneof(
  fc.double({ min: 0, max: 100, noNaN: true }),
  fc.double({ min: -(2 ** 360), max: 2 ** 360, noNaN: true }),
  fc.integer(),
);
/** A second of the years 2000 to 2100. */
const instant = fc
  .integer({ min: 946_684_800, max: 4_102_444_800 })
  .map((seconds) => seconds * 1000);
const figures = fc.oneof(
  number.map((value) => ({ values: [value] })),
  fc
    .array(fc.tuple(number, fc.integer({ min: 1, max: 1e6 })), { minLength: 1, maxLength: 20 })
    .map((pairs) => ({
      values: pairs.map(([value]) => value),
      counts: pairs.map(([, count]) => count),
    })),
);
const units: fc.Arbitrary<StandardUnit> = fc.constantFrom(
  'Percent',
  'Count',
  'Count/Second',
  'Bytes/Second',
  'None',
);
const datum: fc.Arbitrary<WaitingDatum> = fc
  .tuple(fc.record({ name: printable, unit: units }), figures)
  .map(([common, figure]) => ({ ...common, ...figure }));
const data = fc.array(datum, { maxLength: 40, size: 'max' });
const publication = fc.record({
  namespace: printable,
  dimensions,
  highResolution: fc.boolean(),
});

/** As the SDK's types want it. */
function asSdk(datum: MetricDatum): SdkDatum {
  const { Dimensions, Timestamp, Unit, Values, Counts, ...rest } = datum;
  const lists = Values && Counts ? { Values: [...Values], Counts: [...Counts] } : undefined;
  const unit = Unit as StandardUnit;
  return {
    ...rest,
    ...lists,
    Dimensions: [...Dimensions],
    Timestamp: new Date(Timestamp),
    Unit: unit,
  };
}

/** What two writers of numbers and of time may write differently is made the same. */
function comparable(pairs: ReadonlyMap<string, string>): [string, string | number][] {
  return [...pairs]
    .map(([key, value]): [string, string | number] => {
      if (/\.Timestamp$/.test(key)) return [key, Date.parse(value)];
      const isNumber = /\.(?:(?:Values|Counts)\.member\.\d+|StorageResolution)$/.test(key);
      const isValue = /member\.\d+\.Value$/.test(key) && !key.includes('.Dimensions.');
      return [key, isNumber || isValue ? Number(value) : value];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function first([name]: readonly [string, string]): string {
  return name;
}

/** The SDK writes an empty map as an empty value. */
function isSaid([key, value]: [string, string | number]): boolean {
  return !(key.endsWith('.Attributes') && value === '');
}

describe('a page with entities', () => {
  const entity = {
    keys: { Type: 'Service', Name: 'web', Environment: 'ecs:main' },
    attributes: { PlatformType: 'AWS::ECS' },
  };
  const others = { ...N, dimensions: [{ Name: 'ServiceName', Value: 'other' }] };
  const entityOf = (one: Publication): typeof entity | undefined =>
    one === N ? entity : undefined;
  const mine = { ...windowOf([DATUM, DATUM]), publication: N };

  test('ends where a window of another process begins, and the other way round', () => {
    const other = { ...windowOf([DATUM]), publication: others };
    assert.equal(encodePage([mine, other], undefined, entityOf).datums, 2);
    const [page] = [encodePage([other, mine], undefined, entityOf)];
    assert.equal(page.datums, 1);
    assert.doesNotMatch(textOf(page), /Entity/);
  });

  test('has room for as many datums less as the entity takes', () => {
    const large = { ...entity, attributes: { A: 'é'.repeat(2048), B: 'x'.repeat(2048) } };
    const all = windowOf(Array.from({ length: 1000 }, () => DATUM));
    const whole = { ...all, publication: N };
    const { bytes } = encodePage([whole], undefined, entityOf);
    for (const maxBytes of [bytes - 1, Math.floor(bytes / 2), 20_000, 16_000]) {
      const pages = encodePages(whole, maxBytes, () => large);
      assert.equal(
        pages.reduce((sum, page) => sum + page.datums, 0),
        1000,
      );
      for (const page of pages) assert.ok(textOf(page).length <= maxBytes, `${page.bytes}`);
    }
  });
});

describe('beside the SDK of AWS', () => {
  const ACCEPTED =
    '<PutMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">' +
    '<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PutMetricDataResponse>';
  const bodies: string[] = [];
  let server: Server;
  let client: CloudWatchClient;

  before(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        bodies.push(Buffer.concat(chunks).toString('latin1'));
        response.setHeader('content-type', 'text/xml');
        response.end(ACCEPTED);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    client = new CloudWatchClient({
      endpoint: `http://127.0.0.1:${address.port}`,
      region: 'eu-west-1',
      credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' },
      maxAttempts: 1,
      disableRequestCompression: true,
      requestMinCompressionSizeBytes: 10_240,
      protocol: AwsQueryProtocol,
      protocolSettings: {
        defaultNamespace: 'com.amazonaws.cloudwatch',
        xmlNamespace: 'http://monitoring.amazonaws.com/doc/2010-08-01/',
        version: '2010-08-01',
      },
    });
  });

  after(() => {
    client.destroy();
    server.close();
  });

  test('an entity becomes the same keys and values, and its datums too', async () => {
    const text = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });
    const pairs = (least: number, most: number): fc.Arbitrary<Record<string, string>> =>
      fc
        .uniqueArray(fc.tuple(text, text), { minLength: least, maxLength: most, selector: first })
        .map((all) => Object.fromEntries(all));
    const entities = fc.record({ keys: pairs(2, 4), attributes: pairs(0, 10) });
    const windows = fc.record({
      publication,
      startMs: instant,
      endMs: instant,
      data: fc.array(datum, { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(windows, entities, async (window, entity) => {
        bodies.length = 0;
        await client.send(
          new PutMetricDataCommand({
            Namespace: window.publication.namespace,
            EntityMetricData: [
              {
                Entity: { KeyAttributes: entity.keys, Attributes: entity.attributes },
                MetricData: metricData(window).map(asSdk),
              },
            ],
            StrictEntityValidation: false,
          }),
        );
        const own = encodePage([window], undefined, () => entity);
        const theirs = comparable(pairsOf(bodies[0] ?? ''));
        assert.deepEqual(comparable(pairsOf(textOf(own))), theirs.filter(isSaid));
        const plain = comparable(pairsOf(textOf(encodePage([window]))));
        const without = comparable(
          new Map(
            [...pairsOf(textOf(own))]
              .filter(([key]) => !/^StrictEntity|\.Entity\./.test(key))
              .map(([key, value]) => [key.replace('EntityMetricData.member.1.', ''), value]),
          ),
        );
        assert.deepEqual(without, plain, 'the datums are the same without');
      }),
    );
  });

  test('the same datums become the same keys and values', async () => {
    const windows = fc.array(
      fc.record({
        publication,
        startMs: instant,
        endMs: instant,
        data: fc.array(datum, { minLength: 1, maxLength: 2 }),
      }),
      { minLength: 1, maxLength: 3 },
    );
    await fc.assert(
      fc.asyncProperty(printable, windows, async (namespace, some) => {
        const batch = some.map((window) => ({
          ...window,
          publication: { ...window.publication, namespace },
        }));
        bodies.length = 0;
        const all = batch.flatMap(metricData).map(asSdk);
        const command = new PutMetricDataCommand({ Namespace: namespace, MetricData: all });
        await client.send(command);
        const page = encodePage(batch);
        assert.equal(page.datums, all.length);
        assert.equal(bodies.length, 1);
        assert.deepEqual(comparable(pairsOf(textOf(page))), comparable(pairsOf(bodies[0] ?? '')));
      }),
      { numRuns: 200 },
    );
  });
});

describe('pages', () => {
  /** Members by number, each with its pairs. */
  function membersOf(body: string): Map<string, string>[] {
    const members: Map<string, string>[] = [];
    for (const [key, value] of pairsOf(body)) {
      const [, number, rest] = /^MetricData\.member\.(\d+)\.(.+)$/.exec(key) ?? [];
      if (number === undefined || rest === undefined) continue;
      const index = Number(number) - 1;
      assert.ok(index === members.length || index === members.length - 1, key);
      if (index === members.length) members.push(new Map());
      members[index]?.set(rest, value);
    }
    return members;
  }

  /** How many datums each page of a window holds. */
  function datumsOf(all: readonly WaitingDatum[], maxBytes?: number): number[] {
    return encodePages(windowOf(all), maxBytes).map(({ datums }) => datums);
  }

  test('of nothing are none', () => assert.deepEqual(encodePages(windowOf([])), []));

  const counts: [datums: number, pages: number[]][] = [
    [1, [1]],
    [MAX_DATUMS, [MAX_DATUMS]],
    [MAX_DATUMS + 1, [MAX_DATUMS, 1]],
    [2 * MAX_DATUMS + 5, [MAX_DATUMS, MAX_DATUMS, 5]],
  ];
  for (const [datums, pages] of counts) {
    test(`of ${datums} datums hold ${pages.join(' and ')}`, () => {
      assert.deepEqual(datumsOf(Array.from({ length: datums }, () => DATUM)), pages);
    });
  }

  test('of many windows hold no more than one of them would', () => {
    const window = windowOf(Array.from({ length: 300 }, () => DATUM));
    assert.equal(encodePage([window, window, window, window]).datums, MAX_DATUMS);
  });

  test('of 100 datums of 150 values are more than one, each within the service’s bytes', () => {
    const values = Array.from({ length: 150 }, (_, index) => index + 0.1234);
    const full = { ...DATUM, values, counts: values.map(() => 1) };
    const pages = encodePages(windowOf(Array.from({ length: 100 }, () => full)));
    assert.equal(pages.length, 2);
    assert.ok(pages.every((page) => textOf(page).length <= MAX_BODY_BYTES));
    // Full but for the room that one more would take.
    assert.ok((pages[0]?.bytes ?? 0) > MAX_BODY_BYTES - 20_000);
  });

  test('a datum that is larger than a page alone has one to itself', () => {
    const large = { ...DATUM, name: 'x'.repeat(500) };
    for (const all of [[DATUM, large, DATUM], [large, DATUM, DATUM], [large]]) {
      assert.deepEqual(
        datumsOf(all, 300),
        all.map(() => 1),
      );
    }
  });

  test('a body of just the limit is one page, and of one byte more two', () => {
    const two = [DATUM, DATUM];
    const whole = encodePages(windowOf(two))[0]?.bytes ?? 0;
    assert.deepEqual(datumsOf(two, whole), [2]);
    assert.deepEqual(datumsOf(two, whole - 1), [1, 1]);
  });

  test('lose nothing, keep the order, and count their members from 1', () => {
    const limit = fc.integer({ min: 100, max: 20_000 });
    fc.assert(
      fc.property(publication, data, limit, (whose, all, maxBytes) => {
        const pages = encodePages(windowOf(all, whose), maxBytes);
        for (const page of pages) {
          const body = textOf(page);
          assert.match(body, /^[\x21-\x7e]+$/);
          assert.ok(page.datums > 0 && (body.length <= maxBytes || page.datums === 1));
          assert.equal(membersOf(body).length, page.datums);
          const head = pairsOf(body);
          assert.equal(head.get('Action'), 'PutMetricData');
          assert.equal(head.get('Version'), '2010-08-01');
          assert.equal(head.get('Namespace'), whose.namespace);
        }
        assert.deepEqual(
          pages.flatMap((page) => membersOf(textOf(page))),
          all.flatMap((one) => membersOf(textOf(encodePage([windowOf([one], whose)])))),
        );
      }),
    );
  });

  test('are no more than needed: no two neighbours would fit into one', () => {
    fc.assert(
      fc.property(data, fc.integer({ min: 100, max: 20_000 }), (all, maxBytes) => {
        const pages = encodePages(windowOf(all), maxBytes);
        let from = 0;
        for (const { datums } of pages.slice(0, -1)) {
          const oneMore = all.slice(from, from + datums + 1);
          assert.ok(encodePage([windowOf(oneMore)]).bytes > maxBytes);
          from += datums;
        }
      }),
    );
  });
});

describe('metricData', () => {
  const WINDOW = {
    startMs: Date.UTC(2026, 10, 23, 8, 15, 0, 999),
    endMs: Date.UTC(2026, 10, 23, 8, 16),
    samples: 3,
  };
  const COMMON = { samples: 3, least: 1, most: 9 };
  const PUBLICATION = {
    namespace: 'N',
    dimensions: [{ Name: 'ServiceName', Value: 'Foo' }],
    highResolution: false,
  };

  test('stamps datums with the second in which the window began', () => {
    const data = [
      { ...COMMON, name: 'A', unit: 'Percent' as const, values: [5] },
      { ...COMMON, name: 'B', unit: 'Count' as const, values: [1, 2], counts: [3, 4] },
    ];
    assert.deepEqual(metricData({ ...WINDOW, data, publication: PUBLICATION }), [
      {
        MetricName: 'A',
        Dimensions: PUBLICATION.dimensions,
        Timestamp: '2026-11-23T08:15:00Z',
        Unit: 'Percent',
        Value: 5,
      },
      {
        MetricName: 'B',
        Dimensions: PUBLICATION.dimensions,
        Timestamp: '2026-11-23T08:15:00Z',
        Unit: 'Count',
        Values: [1, 2],
        Counts: [3, 4],
      },
    ]);
  });

  test('asks for high resolution only where the publication does', () => {
    const data = [{ ...COMMON, name: 'A', unit: 'Percent' as const, values: [5] }];
    const [high] = metricData({
      ...WINDOW,
      data,
      publication: { ...PUBLICATION, highResolution: true },
    });
    assert.equal(high?.StorageResolution, 1);
    const [normal] = metricData({ ...WINDOW, data, publication: PUBLICATION });
    assert.equal(normal !== undefined && 'StorageResolution' in normal, false);
  });
});
