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

/** Errors of the npm package whose own words are for its callers. */
const byCode = {
  ERR_SPACE: "The browser has no more room for this site, so the write was refused. All that was stored before is there, and can be read. Free some space, and try again.",
  ERR_OWNER_CHANGED: "The tab that had the files was closed meanwhile, and another took over: the write may have taken effect or not. Look, and do it again if need be.",
};

/** The text of an error; the layers' own names in front are left out. */
export function problemText(error) {
  if (byCode[error.code]) return byCode[error.code];
  const text = error.message.replace(/^(engine|ingot|state): /, "");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
