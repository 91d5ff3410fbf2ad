/**
 * What a function of the caller's answered may be a promise, of whatever realm or library: one that rejects
 * and is heard by nobody ends the caller's process.
 */
export function hearRejection(answer: unknown, failed: (cause: unknown) => void): void {
  if (typeof answer !== 'object' || answer === null || !('then' in answer)) return;
  const { then } = answer;
  if (typeof then === 'function') then.call(answer, undefined, failed);
}
