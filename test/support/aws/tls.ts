import { generate } from 'selfsigned';

/** A certificate and its key, both PEM. The certificate is its own authority. */
export interface Certificate {
  cert: string;
  key: string;
}

/**
 * A throw-away self-signed certificate for localhost, 127.0.0.1, ::1 and one name more.
 *
 * @param times when it is valid, by default now
 */
export async function selfSigned(
  name = 'localhost',
  times: { readonly notBeforeDate?: Date; readonly notAfterDate?: Date } = {},
): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: name }], {
    ...times,
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      // As a CA it can be a client's only root, which is how a corporate CA bundle looks.
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 2, value: name },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  return { cert: made.cert, key: made.private };
}
