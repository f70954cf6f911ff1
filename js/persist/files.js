// What the back ends have in common. A back end is an object with synchronous
// methods, each of which throws a FileError where it fails:
//
//	list()            the names of the files
//	open(name, make)  a file; with make a new one: EXIST when there is one, else NOENT
//	rename(from, to)  in one step, over what has the name `to`
//	remove(name)      who has the file open goes on with it
//	sync()            makes names durable
//	gone()            whether the directory was removed
//	close()           ends it
//
// and a file one with
//
//	size()            in bytes
//	read(into, at)    how many bytes were there
//	write(bytes, at)  all of them, or it throws
//	resize(size)      cuts, or adds zeros
//	allocate(size)    adds zeros, and room for them; may throw NOTSUP
//	sync()            makes contents and length durable
//	gone()            whether it has no name any more
//	close()

/** The errno values of WASI preview 1 that files answer with. */
export const ERRNO = {
  ACCES: 2, BADF: 8, BUSY: 10, EXIST: 20, FBIG: 22, INVAL: 28, IO: 29, ISDIR: 31, LOOP: 32, NAMETOOLONG: 37,
  NFILE: 41, NOENT: 44, NOSPC: 51, NOSYS: 52, NOTDIR: 54, NOTSUP: 58, PERM: 63, ROFS: 69, DQUOT: 19, NOTCAPABLE: 76,
};

/** FileError is a failure of a file, with the errno that the engine is told. */
export class FileError extends Error {
  constructor(errno, message, options) {
    super(message, options);
    this.errno = errno;
  }
}
FileError.prototype.name = "FileError";

/** validName reports whether a file of a store can have this name, as engine/storage says. */
export function validName(name) {
  return /^[a-z0-9][a-z0-9.-]{0,63}$/.test(name) && name !== "lock";
}

/** absent is the refusal of a name that nothing has. */
export function absent(name) {
  return new FileError(ERRNO.NOENT, `there is no file ${name}`);
}
