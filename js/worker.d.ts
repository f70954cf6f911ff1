/**
 * The script of the worker that openWorker() starts: an entry for bundlers that do not
 * follow `new Worker(new URL(…))` by themselves. It exports nothing.
 */
export {};
