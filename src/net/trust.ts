import { codeOf, failure, reasonOf } from '../errors.ts';

/** What OpenSSL says where no authority that is trusted has signed. */
const NO_AUTHORITY = new Set<string | undefined>([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Where a bundle was given, it is that which lacks the root. */
export function untrusted(error: unknown, caName: string): unknown {
  const code = codeOf(error);
  if (code === undefined || !NO_AUTHORITY.has(code)) return error;
  return failure(code, `${reasonOf(error)}: ${caName} holds no root for it`, error);
}
