/** One thing that is wrong with a request, in AWS's words. */
export interface Offence {
  code: string;
  message: string;
}

/** A request that the service does not take: HTTP status, error code, and one line for each offence. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.code = code;
  }
}

/** A 400 whose code is that of the first offence; one answer names them all. */
export function throwOffences(offences: readonly Offence[]): void {
  const [first] = offences;
  if (first === undefined) return;
  throw new Refusal(400, first.code, offences.map((offence) => offence.message).join('\n'));
}
