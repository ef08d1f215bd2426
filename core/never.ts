/** Ends a switch over a union: the compiler proves it unreachable, the throw catches data that lies about its type. */
export const assertNever = (value: never): never => {
  throw new Error(`unexpected case ${JSON.stringify(value)}`);
};
