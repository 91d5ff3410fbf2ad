/** The longest that a timer of Node's can be. */
const FOR_EVER_MS = 2 ** 31 - 1;

/**
 * Nothing of a running agent keeps the process alive; but what the caller awaits must end, or Node would
 * leave before.
 */
export async function held<Value>(work: Promise<Value>): Promise<Value> {
  const hold = setInterval(() => undefined, FOR_EVER_MS);
  try {
    return await work;
  } finally {
    clearInterval(hold);
  }
}
