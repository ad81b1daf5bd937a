// First of the prelude: what the other files build with. Every file is a function of (host, internal): `host` holds the
// native leaves, `internal` what the files and the engine share. Neither is reachable from an app.
(function (host, internal) {
  'use strict';
  const { defineProperty, getOwnPropertyDescriptor } = Object;

  // A global as the standard makes them: an app may overwrite or delete it, and finds it anew in the next request.
  internal.global = (name, value) =>
    defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  // For the engine: the one way to an error's stack that runs no code of the app.
  internal.stackOf = getOwnPropertyDescriptor(Error.prototype, 'stack').get;

  // The frames that Error.prepareStackTrace is given would hand an app every function of this prelude, native leaves too.
  Error.prepareStackTrace = (error, frames) => frames;
  delete Object.getPrototypeOf(new Error().stack[0]).getFunction;
  Error.prepareStackTrace = undefined;

  // Shared memory would be a fine clock, and Atomics.wait would hold the worker.
  delete globalThis.SharedArrayBuffer;
  delete globalThis.Atomics;
})
