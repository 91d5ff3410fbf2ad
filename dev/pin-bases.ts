/**
 * Pins the bases of the Dockerfiles by digest: `node --import tsx dev/pin-bases.ts [FILE...]`. Each `ARG NAME=image:tag` becomes
 * `ARG NAME=image:tag@sha256:…` with what the registry says of that tag now: an index over all platforms where there is one.
 * A digest that is there already is renewed. Needs the network, and nothing else.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILES = ['Dockerfile.alpine', 'Dockerfile.distroless'];
/** An image by its parts, as `docker pull` takes it; a name without a registry is Docker Hub's. */
const BASE = /^(ARG [A-Z_]+=)(?=\S*:)([^\s@]+)(?:@sha256:[0-9a-f]{64})?$/gm;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests */
async function digestOf(image: string): Promise<string> {
  const { origin, name, tag } = partsOf(image);
  const url = `${origin}/v2/${name}/manifests/${tag}`;
  let answer = await fetch(url, { method: 'HEAD', headers: { accept: ACCEPT } });
  if (answer.status === 401) {
    const authorization = `Bearer ${await tokenFor(answer.headers.get('www-authenticate') ?? '')}`;
    answer = await fetch(url, { method: 'HEAD', headers: { accept: ACCEPT, authorization } });
  }
  const digest = answer.headers.get('docker-content-digest') ?? '';
  if (answer.ok && DIGEST.test(digest)) return digest;
  throw new Error(`${image}: ${url} answered ${answer.status}, with the digest "${digest}"`);
}

function partsOf(image: string): { origin: string; name: string; tag: string } {
  const at = image.lastIndexOf(':');
  const [path, tag] = [image.slice(0, at), image.slice(at + 1)];
  const [host = '', ...rest] = path.split('/');
  if (rest.length > 0 && /[.:]|^localhost$/.test(host)) {
    const scheme = /^(?:localhost|127\.0\.0\.1)(?::|$)/.test(host) ? 'http' : 'https';
    return { origin: `${scheme}://${host}`, name: rest.join('/'), tag };
  }
  const name = path.includes('/') ? path : `library/${path}`;
  return { origin: 'https://registry-1.docker.io', name, tag };
}

/** Of whoever the registry names: nobody needs an account to read. */
async function tokenFor(challenge: string): Promise<string> {
  const fields = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
  const url = new URL(fields.get('realm') ?? '');
  for (const name of ['service', 'scope']) url.searchParams.set(name, fields.get(name) ?? '');
  const answer: unknown = await (await fetch(url)).json();
  const { token, access_token: other } = Object(answer);
  if (typeof (token ?? other) !== 'string') throw new Error(`${url.origin} gave no token`);
  return token ?? other;
}

const named = process.argv.slice(2);
for (const file of named.length > 0 ? named : FILES) {
  let text = readFileSync(file, 'utf8');
  for (const [line, argument, image = ''] of text.matchAll(BASE)) {
    const digest = await digestOf(image);
    console.log(`${file}: ${image} is ${digest}`);
    text = text.replace(line, `${argument}${image}@${digest}`);
  }
  writeFileSync(file, text);
}
