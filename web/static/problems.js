// What can go wrong in a pane, in words for people.

/** A key in a message: short enough to read. */
export const shortKey = (key) => (key.length > 48 ? key.slice(0, 48) + "…" : key);

/** An input that people can mend; its message says how. */
export class InputError extends Error {}

/** A write whose condition did not hold. version is what was found; 0 is nothing. */
export class ConflictError extends Error {
  constructor(key, version) {
    super(version === 0
      ? `${shortKey(key)} is not there any more, so nothing was changed.`
      : `${shortKey(key)} is at version ${version} by now, so nothing was changed. Open it again to see what it holds.`);
  }
}

/** The text of an error; the layers' own names in front are left out. */
export function problemText(error) {
  const text = error.message.replace(/^(engine|ingot|state): /, "");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
