import { X509Certificate } from 'node:crypto';
import { ConfigError } from '../errors.ts';
import { requireText } from './files.ts';

/**
 * The text of a CA bundle.
 *
 * @throws ConfigError for a file without certificates: Node would take it as trust in nobody
 */
export async function authorities(path: string, setting: string): Promise<string> {
  const pem = await requireText(path, setting);
  // OpenSSL's own form says for what it is trusted; the oldest one has X509 in its name.
  const certificates =
    pem.match(/-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END \1?CERTIFICATE-----/g) ??
    [];
  try {
    for (const one of certificates) new X509Certificate(one);
    if (certificates.length > 0) return pem;
  } catch (cause) {
    throw new ConfigError(setting, `${path} holds a certificate that cannot be read`, { cause });
  }
  throw new ConfigError(setting, `${path} holds no certificate (PEM), expected a CA bundle`);
}
